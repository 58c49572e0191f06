"""The acceptance run: no case stops another, and everything known is in the files."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import TIMEOUT
from doctor_tools import FIND_THIS, MODULE

from hydranet_ros.doctor.full.outcome import Case, Outcome, Step, Verdict
from hydranet_ros.doctor.full.runner import FullOptions, run_full

SHORT = 8.0


def case(what: str, limit: float = TIMEOUT, **arguments: Any) -> Case:
    return Case(what, MODULE, {'what': what, **arguments}, limit, FIND_THIS)


def step(number: int, name: str, *cases: Case, share: float = 10 * TIMEOUT) -> Step:
    return Step(number, name, share, lambda survey: cases)


def run(
    folder: Path, *steps: Step, names: tuple[str, ...] = (), minutes: float = 10.0
) -> tuple[tuple[Outcome, ...], list[str]]:
    lines: list[str] = []
    options = FullOptions(folder / 'doctor.json', minutes, frozenset(names))
    return run_full(options, steps=steps, report=lines.append), lines


def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / 'doctor.json').read_text('utf-8'))


def test_a_case_that_hangs_or_crashes_does_not_stop_the_rest(tmp_path: Path):
    outcomes, lines = run(
        tmp_path,
        step(1, 'first', case('crash'), case('throw'), case('vanish')),
        step(2, 'second', case('hang', SHORT), case('disagree'), case('decline')),
        step(3, 'third', case('succeed')),
    )
    assert [(item.label, item.verdict.value, item.text) for item in outcomes] == [
        ('crash', 'FAIL', 'the process was ended by SIGKILL'),
        ('throw', 'FAIL', 'RuntimeError: the driver is asleep'),
        ('vanish', 'FAIL', 'the process ended with status 3'),
        ('hang', 'FAIL', f'no result within {SHORT:.0f} s'),
        ('disagree', 'FAIL', 'it is wrong'),
        ('decline', 'NOT RUN', 'there is no moon'),
        ('succeed', 'PASS', 'it works'),
    ]
    assert lines[0] == 'FAIL     1 first crash: the process was ended by SIGKILL'
    assert lines[-2:] == ['NOT RUN  2 second decline: there is no moon',
                          'PASS     3 third succeed: it works']  # fmt: skip


def test_results_from_before_the_end_of_a_process_are_kept(tmp_path: Path):
    run(tmp_path, step(1, 'first', case('crash'), case('succeed')))
    crashed, succeeded = document(tmp_path)['outcomes']
    assert crashed['results'] == {'begun': True}
    assert succeeded['results'] == {
        'begun': True, 'number': 'nan', 'nested': {'values': [1, 'inf']},
    }  # fmt: skip


def test_the_json_file_is_written_after_each_case(tmp_path: Path):
    seen: list[list[str]] = []

    def plan(survey: Mapping[str, Any]):
        for what in ('succeed', 'crash', 'succeed'):
            yield case(what)
            seen.append([item['verdict'] for item in document(tmp_path)['outcomes']])

    run(tmp_path, Step(1, 'first', TIMEOUT, plan))
    assert seen == [['PASS'], ['PASS', 'FAIL'], ['PASS', 'FAIL', 'PASS']]


def test_the_json_file_counts_and_names_every_case(tmp_path: Path):
    run(tmp_path, step(1, 'first', case('succeed'), case('decline'), case('throw')))
    found = document(tmp_path)
    assert found['format'] == 1 and found['hydranet_ros'] and found['started']
    assert found['counts'] == {'PASS': 1, 'FAIL': 1, 'NOT RUN': 1}
    for item in found['outcomes']:
        assert set(item) == {
            'step', 'name', 'case', 'verdict', 'text', 'seconds', 'results', 'log'
        }  # fmt: skip
    assert found['outcomes'][0]['seconds'] > 0


def test_the_archive_has_the_json_the_lines_and_the_logs(tmp_path: Path):
    _, lines = run(tmp_path, step(1, 'first', case('succeed'), case('throw'), case('decline')))
    with tarfile.open(tmp_path / 'doctor.tar.gz') as archive:
        names = {item.name for item in archive.getmembers() if item.isfile()}
        content = {name: archive.extractfile(name).read().decode() for name in names}
    logs = {'logs/1_first_succeed.txt', 'logs/1_first_throw.txt'}
    assert names == {'doctor.json', 'screen.txt'} | logs
    assert json.loads(content['doctor.json']) == document(tmp_path)
    assert content['screen.txt'].splitlines() == lines
    assert content['logs/1_first_succeed.txt'] == 'a line of the log\n'
    assert 'Traceback' in content['logs/1_first_throw.txt']
    assert {item['log'] for item in document(tmp_path)['outcomes']} == {*logs, ''}


def test_an_interrupted_run_leaves_its_archive(tmp_path: Path):
    def plan(survey: Mapping[str, Any]):
        yield case('succeed')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Step(1, 'first', TIMEOUT, plan))
    with tarfile.open(tmp_path / 'doctor.tar.gz') as archive:
        assert 'logs/1_first_succeed.txt' in archive.getnames()
    assert document(tmp_path)['counts']['PASS'] == 1


def test_the_first_step_plans_the_others(tmp_path: Path):
    seen: list[Mapping[str, Any]] = []

    def plan(survey: Mapping[str, Any]):
        seen.append(survey)
        return [Case('nothing', reason='it cannot be')]

    outcomes, _ = run(
        tmp_path,
        step(1, 'first', case('survey')),
        Step(2, 'second', TIMEOUT, plan),
        step(3, 'third', case('succeed')),
        names=('second',),
    )
    assert [item.name for item in outcomes] == ['first', 'second']
    assert seen[0]['gpu'] is True and seen[0]['cache']
    assert outcomes[1].verdict is Verdict.NOT_RUN and outcomes[1].text == 'it cannot be'


NO_TIME = 'the time of this step is used up; try --minutes 20'


def test_a_case_without_time_left_is_not_run(tmp_path: Path):
    outcomes, _ = run(tmp_path, step(1, 'first', case('succeed'), share=1))
    assert (outcomes[0].verdict, outcomes[0].text) == (Verdict.NOT_RUN, NO_TIME)


def test_a_case_that_the_end_of_its_step_cuts_short_is_not_run(tmp_path: Path):
    outcomes, _ = run(tmp_path, step(1, 'first', case('hang'), share=SHORT))
    assert (outcomes[0].verdict, outcomes[0].text) == (Verdict.NOT_RUN, NO_TIME)
    assert outcomes[0].seconds >= SHORT - 1


def test_a_step_may_use_the_time_that_earlier_steps_left(tmp_path: Path):
    outcomes, _ = run(
        tmp_path, step(1, 'first', case('succeed')), step(2, 'second', case('succeed'), share=0)
    )
    assert [item.verdict for item in outcomes] == [Verdict.PASS, Verdict.PASS]


def test_more_minutes_give_each_step_more_time(tmp_path: Path):
    slow = step(1, 'first', case('succeed'), share=TIMEOUT / 50)
    outcomes, _ = run(tmp_path, slow, minutes=500)
    assert outcomes[0].verdict is Verdict.PASS


def test_a_process_without_a_verdict_fails(tmp_path: Path):
    outcomes, _ = run(tmp_path, step(1, 'first', case('show')))
    assert outcomes[0].verdict is Verdict.FAIL
    assert outcomes[0].text == 'the process ended without a verdict'
