"""The real OpenVINO in a process: import, core and signals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from model_factory import make_model

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference import openvino_runtime
from hydranet_ros.inference.openvino_runtime import import_openvino, openvino_core

pytest.importorskip('openvino', reason='OpenVINO is not installed (extra: openvino)')


def run(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, without the variables of a CI job."""
    kept = {key: value for key, value in os.environ.items()
            if key not in ('CI', 'TF_BUILD', 'JENKINS_URL')}  # fmt: skip
    return subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)], cwd=ROOT, capture_output=True,
        text=True, timeout=100, env={**kept, **environment},
    )  # fmt: skip


def test_every_session_uses_the_same_core():
    assert openvino_core() is openvino_core()


# Two sessions, closed in the order in which they were opened, or by another thread: with a core
# for each session, the signal would end the process with SIGSEGV.
SIGNAL = """
import os, signal, sys, threading
from pathlib import Path
from hydranet_ros.inference.openvino_provider import OpenvinoProvider
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.session import SessionRequest
path = Path(sys.argv[1])
options = EngineOptions('openvino', cache_directory=path.parent)
request = SessionRequest(path.read_bytes(), path, options)
sessions = [OpenvinoProvider().open(request) for _ in range(2)]
def close():
    while sessions:
        sessions.pop(0).close()
if sys.argv[2] == 'thread':
    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
else:
    close()
child = os.fork()
caught = []
signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
os.kill(os.getpid(), signal.SIGINT)
while not caught:
    pass
if child == 0:
    os._exit(5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
os._exit(3)
"""


@pytest.mark.parametrize('closed_by', ['main', 'thread'])
def test_a_signal_after_closed_sessions_reaches_its_handler(tmp_path, closed_by):
    done = run(SIGNAL, make_model(tmp_path / 'small.onnx'), closed_by)
    assert (done.returncode, done.stderr) == (3, '')


STACK = """
import ctypes
from hydranet_ros.inference.openvino_runtime import openvino_core
class Stack(ctypes.Structure):
    _fields_ = [('pointer', ctypes.c_void_p), ('flags', ctypes.c_int), ('size', ctypes.c_size_t)]
def stack():
    found = Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found.pointer, found.flags, found.size
before = stack()
core = openvino_core()
assert 'CPU' in core.available_devices
assert stack() == before
del core
openvino_core.cache_clear()
assert stack() == before
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='OpenVINO changes the stack on Linux only')
@pytest.mark.parametrize('dump', ['0', '1'], ids=['without a stack', 'with that of faulthandler'])
def test_the_signal_stack_of_the_thread_stays_as_it_was(dump):
    done = run(STACK, PYTHONFAULTHANDLER=dump if dump == '1' else '')
    assert (done.returncode, done.stderr) == (0, '')


IMPORT = """
import os, sys, threading
from hydranet_ros.inference.openvino_runtime import import_openvino, openvino_core
openvino_core()
assert not [name for name in sys.modules if name.startswith(('openvino_telemetry', 'openvino.tools.ovc'))]
assert threading.enumerate() == [threading.main_thread()]
assert os.listdir(os.environ['HOME']) == []
sys.modules['openvino_telemetry'] = None  # this test sends nothing either
from openvino.tools.ovc import convert_model
assert import_openvino() is sys.modules['openvino']
"""  # noqa: E501


def test_the_converter_and_its_telemetry_are_left_out_but_can_be_imported(tmp_path: Path):
    done = run(IMPORT, HOME=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_an_openvino_that_does_not_start_is_an_error(monkeypatch):
    def core() -> None:
        raise RuntimeError('no plugin')

    monkeypatch.setattr(openvino_runtime, 'import_openvino', lambda: SimpleNamespace(Core=core))
    openvino_core.cache_clear()
    with pytest.raises(ProviderError, match='OpenVINO cannot be started: no plugin'):
        openvino_core()
    monkeypatch.undo()
    assert openvino_core().get_property('CPU', 'FULL_DEVICE_NAME')
    assert import_openvino().Core
