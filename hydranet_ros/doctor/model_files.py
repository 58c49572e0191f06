"""Checks of the model files: license, form and self-test of every file that a name can reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.doctor.children import Child, Ended, run_child
from hydranet_ros.errors import HydranetError
from hydranet_ros.model_files.resolve import choose_model, model_directories

SECTION = 'Model files'
BUDGET = 1.0
"""Seconds after which a short run tests no further file."""
_MODULE = 'hydranet_ros.doctor.file_trial'
_LIMIT = 60.0
_RENEW = 'Write it again: hydranet export CHECKPOINT --preset NAME -o FILE.onnx'
_GET = 'Install the package again, or get a model with: hydranet weights pull NAME'
_INCLUDED_PRESET = 'street'
Results = dict[str, dict[str, Any]]


def find_model_files(folders: Sequence[Path] | None = None) -> tuple[Path, ...]:
    """
    Return every model file that can be named without a path, in the order of the look-up.

    :param folders: by default :func:`~hydranet_ros.model_files.resolve.model_directories`.
    """
    found: dict[Path, None] = {}
    for folder in model_directories() if folders is None else folders:
        for pattern in ('*.onnx', '*/*.onnx'):
            found |= dict.fromkeys(sorted(folder.glob(pattern)))
    return tuple(found)


def included_model() -> Path | None:
    """Return the model that the providers are tried on; ``None`` if it is missing."""
    try:
        return choose_model(_INCLUDED_PRESET).path
    except HydranetError:
        return None


def start_trial(stack: ExitStack, files: Sequence[Path], *, budget: float) -> Child:
    """Start the process that tests the files; the stack ends it."""
    names = [str(file) for file in files]
    return stack.enter_context(Child(_MODULE, _arguments(names, budget), limit=_LIMIT))


def model_checks(files: Sequence[Path], ended: Ended, *, budget: float) -> Iterator[Check]:
    """
    Yield one check a file.

    A file that ends the process fails, and the other files are tested in another process.

    :param ended: the process of :func:`start_trial`.
    """
    if included_model() is None:
        yield Check(SECTION, 'included model', Status.FAIL, 'not found', _GET)
    results = _results([str(file) for file in files], ended, budget)
    for file in files:
        yield check_file(file, results.get(str(file), {}))


def check_file(file: Path, found: Mapping[str, Any]) -> Check:
    """
    Return whether a model file can be used.

    :param found: what the trial yielded about it.
    """
    facts = {**found, 'file': str(file)}
    if 'error' in found:
        return Check(SECTION, file.name, Status.FAIL, found['error'], facts=facts)
    text = f'{found["form"]}, license {found["license"]}'
    if not found['has_self_test']:
        return Check(SECTION, file.name, Status.WARNING, f'{text}; no self-test', _RENEW, facts)
    test = found.get('self_test')
    if test is None:
        remedy = 'hydranet doctor --all runs the self-test of every file.'
        return Check(SECTION, file.name, Status.NONE, f'{text}; not run', remedy, facts)
    if not test['passed']:
        return Check(
            SECTION, file.name, Status.FAIL, f'{text}; self-test failed: {test["text"]}',
            f'Get the file again. {_RENEW}', facts,
        )  # fmt: skip
    return Check(SECTION, file.name, Status.OK, f'{text}; self-test passed', facts=facts)


def _arguments(names: Sequence[str], budget: float) -> dict[str, Any]:
    return {'files': list(names), 'budget': str(budget)}


def _results(names: Sequence[str], ended: Ended, budget: float) -> Results:
    """Return what is known about each file, by name."""
    found: Results = {}
    rest = list(names)
    while True:
        found |= _merged(ended)
        if not ended.problem:
            return found
        guilty = _guilty(rest, _merged(ended))
        found[guilty] = {**found.get(guilty, {}), 'error': f'It failed to run: {ended.problem}.'}
        rest = [name for name in rest if not {'error', 'self_test'} & set(found.get(name, {}))]
        if not rest:
            return found
        ended = run_child(_MODULE, _arguments(rest, budget), limit=_LIMIT)


def _merged(ended: Ended) -> Results:
    found: Results = {}
    for item in ended.results:
        found[item['file']] = {**found.get(item['file'], {}), **item}
    return found


def _guilty(names: Sequence[str], found: Results) -> str:
    """Return the file that ended the process: the one being run, else the first not read."""
    running = [
        name for name, item in found.items()
        if 'trying' in item and not {'error', 'self_test'} & set(item)
    ]  # fmt: skip
    return (running or [name for name in names if name not in found] or list(names))[0]
