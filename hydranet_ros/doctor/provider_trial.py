"""Try one provider on a model file; runs in a child process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from hydranet_ros.errors import HydranetError
from hydranet_ros.inference.engine import Engine, EngineOptions, Prediction
from hydranet_ros.inference.model_file import OUTPUT_TYPES
from hydranet_ros.inference.openvino_runtime import openvino_core
from hydranet_ros.inference.options import AUTO
from hydranet_ros.inference.providers import PROVIDERS


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Yield why a provider cannot be used, or what a model file gives on it.

    The engine runs the self-test when it opens the file. It is run once more here for its
    deviation and duration.

    :param arguments: ``provider``, which may be ``auto``, and ``model``, a path.
    """
    name = arguments['provider']
    reason = missing(name)
    if reason:
        yield {'missing': reason}
        return
    if name == 'openvino':
        yield {'devices': openvino_devices()}
    lines: list[str] = []
    started = time.perf_counter()
    try:
        options = EngineOptions(provider=name)
        with closing(Engine(arguments['model'], options, report=lines.append)) as engine:
            opened = time.perf_counter() - started
            yield {'open_seconds': opened, 'log': lines, **describe(engine)}
    except HydranetError as err:
        yield {'error': str(err), 'kind': type(err).__name__}


def missing(name: str) -> str:
    """Return why a provider is not installed; empty if it is, or for ``auto``."""
    if name == AUTO:
        return ''
    try:
        return PROVIDERS[name].missing() or ''
    except HydranetError as err:
        return str(err)


def describe(engine: Engine) -> dict[str, Any]:
    """Return the provider in use, and the result of the self-test."""
    test = engine.info.self_test
    found: dict[str, Any] = {
        'provider': engine.provider, 'precision': engine.precision,
        'version': PROVIDERS[engine.provider].version(), 'warnings': list(engine.warnings),
        'model': Path(engine.path).name,
    }  # fmt: skip
    if test is not None:
        started = time.perf_counter()
        outputs = arrays(engine.infer(test.image(), engine.outputs))
        seconds = time.perf_counter() - started
        deviation = test.compare(outputs, engine.precision)
        found['self_test'] = {
            'passed': deviation.accepted, 'seconds': seconds, 'metrics': dict(deviation.metrics),
            'limits': dict(deviation.limits),
        }  # fmt: skip
    return found


def arrays(prediction: Prediction) -> dict[str, Any]:
    """Return the outputs that a prediction has, by name."""
    values = {name: getattr(prediction, name) for name in OUTPUT_TYPES}
    return {name: value for name, value in values.items() if value is not None}


def openvino_devices() -> dict[str, str]:
    """Return the devices that OpenVINO sees, name to description; empty if it does not start."""
    try:
        core = openvino_core()
    except HydranetError:
        return {}
    return {name: core.get_property(name, 'FULL_DEVICE_NAME') for name in core.available_devices}
