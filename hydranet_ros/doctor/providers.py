"""Checks of the execution providers: each one opens the included model in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.doctor.children import Child, Ended
from hydranet_ros.inference.options import AUTO
from hydranet_ros.inference.providers import PROVIDERS

SECTION = 'Providers'
LIMIT = 20.0
"""Seconds for one provider; most of it loads GPU libraries."""
_MODULE = 'hydranet_ros.doctor.provider_trial'
_INSTALL = "Install one: pip install 'hydranet_ros[cpu]'"


def start_trials(stack: ExitStack, model: Path) -> dict[str, Child]:
    """Start a process for each provider and for ``auto``; the stack ends them."""
    return {
        name: stack.enter_context(
            Child(_MODULE, {'provider': name, 'model': str(model)}, limit=LIMIT)
        )
        for name in (*PROVIDERS, AUTO)
    }


def provider_checks(
    trials: Mapping[str, Ended], *, gpu: bool, required: str = ''
) -> Iterator[Check]:
    """
    Yield one check a provider, and one for what ``auto`` takes.

    :param trials: by name of the provider.
    :param gpu: whether the machine has an NVIDIA GPU.
    :param required: provider that must work; empty for any.
    """
    for name, ended in trials.items():
        check = check_auto(ended) if name == AUTO else check_provider(name, ended, gpu=gpu)
        broken = name == required and check.status is not Status.OK
        yield replace(check, status=Status.FAIL) if broken else check


def check_provider(name: str, ended: Ended, *, gpu: bool) -> Check:
    """
    Return whether a provider works.

    :param gpu: whether the machine has an NVIDIA GPU.
    """
    found, facts = ended.last, _facts(ended)
    if 'missing' in found:
        if PROVIDERS[name].on_gpu and not gpu:
            return Check(SECTION, name, Status.NONE, 'no NVIDIA GPU', facts=facts)
        status = Status.WARNING if PROVIDERS[name].on_gpu else Status.NONE
        return Check(SECTION, name, status, _sentence(found['missing']), facts=facts)
    if ended.timed_out and PROVIDERS[name].compiles:
        return Check(
            SECTION, name, Status.WARNING, f'{ended.problem}, because it compiles the model',
            'Compile it once: hydranet build-engine PRESET --size WIDTHxHEIGHT', facts,
        )  # fmt: skip
    return _check(name, ended)


def check_auto(ended: Ended) -> Check:
    """Return what ``auto`` takes; it fails if no provider works."""
    check = _check(AUTO, ended)
    if check.status is Status.OK:
        return replace(check, text=f'takes {ended.last["provider"]}: {check.text}')
    return replace(check, status=Status.FAIL, remedy=_INSTALL)


def devices(trials: Mapping[str, Ended]) -> dict[str, str] | None:
    """Return OpenVINO's devices, name to description; ``None`` if it did not list them."""
    found = [item['devices'] for ended in trials.values() for item in ended.results
             if 'devices' in item]  # fmt: skip
    return dict(found[0]) if found else None


def _check(name: str, ended: Ended) -> Check:
    found, facts = ended.last, _facts(ended)
    if ended.problem:
        return Check(SECTION, name, Status.WARNING, f'broken: {ended.problem}',
                     'hydranet doctor --full keeps the whole log.', facts)  # fmt: skip
    if 'error' in found:
        return Check(SECTION, name, Status.WARNING, _sentence(found['error']), facts=facts)
    return Check(SECTION, name, Status.OK, _description(found), facts=facts)


def _description(found: Mapping[str, Any]) -> str:
    test = found.get('self_test')
    opened = f'{found["precision"]}, opened in {found["open_seconds"]:.1f} s'
    if test is None:
        return f'works in {opened}; the model has no self-test'
    metrics = ', '.join(f'{name} {value:.1g}' for name, value in test['metrics'].items()
                        if name in ('labels', 'depth'))  # fmt: skip
    return f'works in {opened}; self-test in {1e3 * test["seconds"]:.0f} ms, deviation: {metrics}'


def _facts(ended: Ended) -> dict[str, Any]:
    merged = {key: value for item in ended.results for key, value in item.items()}
    return {**merged, 'problem': ended.problem, 'process_seconds': round(ended.seconds, 3)}


def _sentence(text: str) -> str:
    return f'{text[0].upper()}{text[1:].rstrip(".")}.' if text else text
