"""Read model files and run their self-tests on the CPU; runs in a child process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from hydranet_ros.errors import HydranetError
from hydranet_ros.inference.model_file import ModelFile, read_model
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.proving import run_once
from hydranet_ros.inference.session import SessionRequest
from hydranet_ros.model_files.selftest import SelfTest

_PROVIDER = 'cpu'
"""Runs every form of a model file."""


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Yield the metadata of every file, then the self-test of each, one after the other.

    Each result has ``file``; ``trying`` is yielded before a file is run, in case that ends the
    process.

    :param arguments: ``files``; ``budget``: seconds after which no further file is run.
    """
    until = time.monotonic() + float(arguments['budget'])
    models = []
    for name in arguments['files']:
        try:
            models.append(read_model(Path(name)))
            yield {'file': name, **_metadata(models[-1])}
        except HydranetError as err:
            yield {'file': name, 'error': str(err)}
    for index, model in enumerate(models):
        test = model.info.self_test
        if test is not None and (not index or time.monotonic() < until):
            name = str(model.path)
            yield {'file': name, 'trying': True}
            try:
                yield {'file': name, **_run(model, test)}
            except HydranetError as err:
                yield {'file': name, 'error': str(err)}


def _metadata(model: ModelFile) -> dict[str, Any]:
    info = model.info
    return {
        'form': info.form, 'license': info.license, 'preset': info.preset,
        'domain': info.domain, 'tasks': list(info.tasks), 'format': info.format_version,
        'weights_sha256': info.weights_sha256, 'bytes': len(model.content),
        'has_self_test': info.self_test is not None,
    }  # fmt: skip


def _run(model: ModelFile, test: SelfTest) -> dict[str, Any]:
    """Return the result of the self-test; the file itself is run, not another form of it."""
    precision = 'int8' if model.info.form == 'int8' else 'float32'
    options = EngineOptions(provider=_PROVIDER)
    request = SessionRequest(model.content, model.path, options, precision)
    started = time.perf_counter()
    with closing(PROVIDERS[_PROVIDER].open(request)) as session:
        outputs = run_once(session, test.image(), model.outputs)
        deviation = test.compare(outputs, precision)
    return {
        'seconds': time.perf_counter() - started,
        'self_test': {
            'passed': deviation.accepted, 'text': str(deviation),
            'metrics': dict(deviation.metrics), 'limits': dict(deviation.limits),
        },
    }  # fmt: skip
