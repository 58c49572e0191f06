"""Model files for the tests of ``hydranet doctor``, and functions that its processes run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from conftest import ROOT
from model_factory import NATIVE_SIZE, expected_depth, expected_labels, make_model

from hydranet_ros.doctor.full.outcome import failed, not_run, passed
from hydranet_ros.model_files.selftest import SelfTest, self_test_image

MODULE = __name__
FIND_THIS = {'PYTHONPATH': os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}
"""Variables with which a child process finds this module."""
FOREVER = 3600


def self_test() -> SelfTest:
    """Return the self-test of the factory's model, from what it computes by definition."""
    image = self_test_image(*NATIVE_SIZE)
    outputs = {'labels': expected_labels(image), 'depth': expected_depth(image)}
    return SelfTest.from_outputs(NATIVE_SIZE, outputs)


def make_proven_model(path: Path, **changes: Any) -> Path:
    """Write a model file with a self-test."""
    return make_model(path, **{'self_test': self_test(), **changes})


def make_wrong_model(path: Path) -> Path:
    """Write a model file with one changed weight: its metadata are intact, its depth is not."""
    model = onnx.load(make_proven_model(path))
    scale = next(item for item in model.graph.initializer if 'depth' in item.name)
    values = onnx.numpy_helper.to_array(scale) * 3
    scale.CopyFrom(onnx.numpy_helper.from_array(values, scale.name))
    path.write_bytes(model.SerializeToString())
    return path


def make_tampered_model(path: Path) -> Path:
    """Write a model file whose expected outputs were changed after the export."""
    content = make_proven_model(path).read_bytes()
    start = content.index(b'"depth": "', content.index(b'"expected"')) + len(b'"depth": "')
    changed = b'B' if content[start : start + 1] == b'A' else b'A'
    path.write_bytes(content[:start] + changed + content[start + 1 :])
    return path


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Do what ``what`` requests, after one result."""
    yield {'begun': True}
    yield from globals()[arguments['what']](arguments)


def succeed(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    print('a line of the log')
    yield passed('it works', number=float('nan'), nested={'values': (1, float('inf'))})


def decline(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield not_run('there is no moon')


def disagree(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield failed('it is wrong')


def hang(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    time.sleep(FOREVER)
    yield {}


def hang_with_child(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    code = f'import time; time.sleep({FOREVER})'
    yield {'child': subprocess.Popen([sys.executable, '-c', code]).pid}
    time.sleep(FOREVER)


def crash(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield {}


def fault(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    os.kill(os.getpid(), signal.SIGSEGV)
    yield {}


def throw(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    raise RuntimeError('the driver is asleep')
    yield {}


def vanish(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    os._exit(3)
    yield {}


def show(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {'arguments': dict(arguments), 'variables': dict(os.environ)}


def survey(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {'survey': {'gpu': True}}
    yield passed('surveyed')
