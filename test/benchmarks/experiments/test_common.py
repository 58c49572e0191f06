"""Arguments and tables that all experiments share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.experiments.common import (
    argument_parser,
    exit_on_error,
    image_size,
    markdown_table,
    write_json,
)
from hydranet_ros.errors import BenchError


def test_a_size_is_read_as_height_and_width():
    assert image_size('640x480') == (480, 640)


@pytest.mark.parametrize('text', ['640', '640x', 'x480', '0x480', '640x480x3', 'axb'])
def test_another_text_is_not_a_size(text):
    with pytest.raises(argparse.ArgumentTypeError, match='expected WIDTHxHEIGHT'):
        image_size(text)


def test_a_table_is_markdown():
    assert markdown_table(('', 'ms'), [('a', '1'), ('b', '2')]) == (
        '|  | ms |\n| --- | --- |\n| a | 1 |\n| b | 2 |'
    )


def test_results_are_written_if_a_path_is_given(tmp_path: Path):
    path = argument_parser('First line.\n\nMore.', 'x').parse_args(
        ['--json', str(tmp_path / 'x.json')]
    )
    write_json({'a': 1}, path.json)
    write_json({'a': 1}, None)
    assert json.loads((tmp_path / 'x.json').read_text()) == {'a': 1}


def test_a_deliberate_error_is_one_line_and_exit_status_2(capsys):
    with pytest.raises(SystemExit) as ended, exit_on_error('x'):
        raise BenchError('it differs')
    assert ended.value.code == 2
    assert capsys.readouterr().err == 'x: it differs\n'
