"""Which provider runs each node, read from real sessions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from model_factory import make_model

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (extra: cpu)')

from hydranet_ros.inference.node_assignment import assignment_note, node_assignment
from hydranet_ros.inference.onnx_session import create_session

CPU = 'CPUExecutionProvider'
CUDA = 'CUDAExecutionProvider'


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp('models') / 'all.onnx')


def open_session(path: Path, *, record: bool):
    session = create_session(path.read_bytes(), path, [(CPU, {})], record=record)
    if not hasattr(session, 'get_provider_graph_assignment_info'):
        pytest.skip('this ONNX Runtime does not report the assignment of nodes')
    return session


def test_every_node_of_a_cpu_session_is_counted_once(model):
    found = node_assignment(open_session(model, record=True))
    assert list(found) == [CPU]
    session = open_session(model, record=True)
    nodes = [n for part in session.get_provider_graph_assignment_info() for n in part.get_nodes()]
    assert sum(found[CPU].values()) == len(nodes) > 1
    assert found[CPU] == Counter(node.op_type for node in nodes)


def test_nodes_on_the_requested_provider_need_no_note(model):
    assert assignment_note(open_session(model, record=True), CPU) == ''


def test_nodes_elsewhere_are_counted_and_the_most_frequent_operators_are_named(model):
    session = open_session(model, record=True)
    operators = node_assignment(session)[CPU]
    total = sum(operators.values())
    note = assignment_note(session, CUDA)
    assert note.startswith(f'{total} of {total} nodes run on the CPU: ')
    assert operators.most_common(1)[0][0] in note
    assert note.endswith('more.' if len(operators) > 4 else '.')


def test_a_session_that_does_not_record_has_no_note(model):
    session = open_session(model, record=False)
    assert node_assignment(session) == {}
    assert assignment_note(session, CUDA) == ''


def test_an_older_onnx_runtime_has_no_note():
    assert assignment_note(object(), CUDA) == ''
