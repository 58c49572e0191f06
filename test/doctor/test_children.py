"""A function in a process of its own: nothing that it does reaches the caller."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import TIMEOUT, wait_for
from doctor_tools import FIND_THIS, MODULE

from hydranet_ros.doctor.children import Child, Ended, run_child

SHORT = 1.5


def run(what: str, limit: float = TIMEOUT, **variables: str | None) -> Ended:
    return run_child(MODULE, {'what': what}, limit=limit, environment={**FIND_THIS, **variables})


def test_results_and_output_of_the_function_are_returned():
    ended = run('succeed')
    assert (ended.problem, ended.timed_out) == ('', False)
    assert ended.results[0] == {'begun': True}
    assert ended.last['text'] == 'it works'
    assert ended.log == 'a line of the log\n'
    assert ended.seconds > 0


def test_numbers_that_json_cannot_hold_become_text():
    last = run('succeed').last
    assert (last['number'], last['nested']) == ('nan', {'values': [1, 'inf']})


@pytest.mark.parametrize(
    ('what', 'problem'),
    [('crash', 'the process was ended by SIGKILL'), ('fault', 'the process was ended by SIGSEGV'),
     ('throw', 'RuntimeError: the driver is asleep'),
     ('vanish', 'the process ended with status 3')],
)  # fmt: skip
def test_a_process_that_ends_early_keeps_its_results_and_states_why(what, problem):
    ended = run(what)
    assert ended.problem == problem
    assert ended.results == ({'begun': True},)


def test_an_exception_leaves_its_traceback_in_the_log():
    assert 'raise RuntimeError' in run('throw').log


def test_a_module_that_cannot_be_imported_is_a_problem():
    ended = run_child('no_such_module', {}, limit=TIMEOUT)
    assert ended.problem == "ModuleNotFoundError: No module named 'no_such_module'"


def test_a_process_that_hangs_is_ended_with_its_own_children():
    with Child(MODULE, {'what': 'hang_with_child'}, limit=10, environment=FIND_THIS) as child:
        ended = child.wait()
    assert ended.timed_out and ended.problem == 'no result within 10 s'
    assert ended.results[0] == {'begun': True}
    pid = ended.last['child']
    wait_for(lambda: not is_running(pid), what='the end of the child of the child')


def is_running(pid: int) -> bool:
    try:
        return ') Z ' not in Path(f'/proc/{pid}/stat').read_text(encoding='ascii')
    except OSError:
        return False


def test_leaving_the_block_ends_the_process():
    with Child(MODULE, {'what': 'hang'}, limit=TIMEOUT, environment=FIND_THIS) as child:
        pid = child._process.pid
    assert not is_running(pid)


def test_arguments_and_variables_reach_the_function(monkeypatch):
    monkeypatch.setenv('DOCTOR_KEPT', 'kept')
    monkeypatch.setenv('DOCTOR_REMOVED', 'removed')
    last = run('show', DOCTOR_ADDED='added', DOCTOR_REMOVED=None).last
    assert last['arguments'] == {'what': 'show'}
    assert last['variables']['DOCTOR_KEPT'] == 'kept'
    assert last['variables']['DOCTOR_ADDED'] == 'added'
    assert 'DOCTOR_REMOVED' not in last['variables']
    assert 'DOCTOR_ADDED' not in os.environ
