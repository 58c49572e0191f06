"""The documentation site: tables generated from the code, and links within the repository."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT

from hydranet_ros.model_files.preset import preset_names
from hydranet_ros.ros.launch_arguments import LAUNCH_ARGUMENTS

HOOKS = ROOT / 'docs' / 'hooks'
PAGES = sorted((ROOT / 'docs').glob('*.md'))
WITH_CODE = [*PAGES, ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'models/street/card.md']


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f'docs_{name}', HOOKS / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = load('tables')


def rows(table: str) -> list[list[str]]:
    """Return the cells of a Markdown table without its heading."""
    lines = [line for line in table.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]] for line in lines[2:]]


def test_every_table_is_on_exactly_one_page():
    used = [name for page in PAGES for name in tables.MARKER.findall(page.read_text('utf-8'))]
    assert sorted(used) == sorted(tables.TABLES)


@pytest.mark.parametrize('name', tables.TABLES)
def test_a_table_has_rows_of_equal_length(name):
    if name == 'parameters':
        pytest.importorskip('rcl_interfaces', reason='rclpy is not installed (extra: ros)')
    for table in re.split(r'\n(?!\|)', tables.TABLES[name]()):
        assert len({len(row) for row in rows(table)}) <= 1


def test_the_parameter_table_has_every_parameter_with_its_default():
    pytest.importorskip('rcl_interfaces', reason='rclpy is not installed (extra: ros)')
    from hydranet_ros.ros.parameters import TABLE, NodeParameters, names

    found = rows(tables.parameters())
    assert [row[0] for row in found] == [f'`{name}`' for name in names()]
    assert {row[0]: row[-1] for row in found} == {
        f'`{name}`': spec.description.replace('|', '\\|') for name, spec in TABLE.items()
    }
    defaults = {row[0]: row[1] for row in found}
    assert defaults['`max_depth`'] == f'`{NodeParameters.max_depth}`'
    assert defaults['`model`'] == '`""`'
    assert defaults['`autostart`'] == '`true`'


def test_the_topic_table_has_every_topic_with_its_type():
    from hydranet_ros.perception.outputs import TOPICS

    found = {row[0]: row[1] for row in rows(tables.topics())}
    assert found == {
        f'`~/{topic.name}`': topic.message_type.replace('/msg/', '/') for topic in TOPICS
    }


def test_the_launch_table_has_every_argument_with_its_default():
    found = {row[0]: row[1] for row in rows(tables.launch_arguments())}
    assert found == {
        f'`{item.name}`': f'`{item.default}`' if item.default else '`""`'
        for item in LAUNCH_ARGUMENTS
    }


def test_the_launch_description_uses_every_argument_of_the_table_and_no_other():
    source = (ROOT / 'hydranet_ros/ros/launch_description.py').read_text('utf-8')
    used = {item.name for item in LAUNCH_ARGUMENTS if item.is_parameter}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            'value',
            'LaunchConfiguration',
        ):
            used |= {item.value for item in node.args if isinstance(item, ast.Constant)}
    assert used == {item.name for item in LAUNCH_ARGUMENTS}


def test_the_command_sections_have_every_command_and_every_option():
    text = tables.commands()
    commands = dict(tables.iter_commands())
    assert {'predict', 'run', 'weights pull'} <= set(commands)
    assert re.findall(r'^## hydranet (.+)$', text, re.MULTILINE) == sorted(commands)
    for section in re.split(r'^## hydranet ', text, flags=re.MULTILINE)[1:]:
        name, _, body = section.partition('\n')
        for item in commands[name].params:
            if item.param_type_name == 'option' and item.name != 'help':
                assert re.search(rf'`{item.opts[0]}[ `]', body), f'{name} lacks {item.opts[0]}'


def test_the_preset_table_has_every_preset():
    assert {row[0] for row in rows(tables.presets())} == {f'`{name}`' for name in preset_names()}


def code_blocks(page: Path, language: str) -> list[str]:
    pattern = re.compile(rf'^```{language}\n(.*?)^```', re.DOTALL | re.MULTILINE)
    return pattern.findall(page.read_text('utf-8'))


@pytest.mark.parametrize('page', WITH_CODE, ids=lambda page: page.name)
def test_the_commands_of_a_page_and_their_options_exist(page):
    commands = dict(tables.iter_commands())
    for line in '\n'.join(code_blocks(page, 'bash')).splitlines():
        words = line.split(' # ')[0].split()
        if words[:1] != ['hydranet'] or words[1:] == ['--version']:
            continue
        name = next((name for name in (' '.join(words[1:3]), words[1]) if name in commands), '')
        assert name, f'{line}: unknown command'
        own = words[: words.index('--ros-args')] if '--ros-args' in words else words
        options = {option for item in commands[name].params for option in item.opts}
        unknown = {word for word in own if word.startswith('-')} - options - {'--help'}
        assert not unknown, f'{line}: unknown options {unknown}'


@pytest.mark.parametrize('page', WITH_CODE, ids=lambda page: page.name)
def test_the_imports_of_python_examples_exist(page):
    for block in code_blocks(page, 'python'):
        for node in ast.parse(block).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                pytest.importorskip('torch', reason='torch is not installed (extra: train)')
                module = importlib.import_module(node.module)
                assert [item.name for item in node.names if not hasattr(module, item.name)] == []


def test_an_unknown_table_is_an_error():
    with pytest.raises(KeyError):
        tables.expand('<!-- generated: horses -->')


def test_docstring_markup_becomes_markdown():
    pytest.importorskip('griffe', reason='mkdocstrings is not installed (extra: docs)')
    to_markdown = load('roles').to_markdown
    assert to_markdown('See :class:`~a.b.C` and :func:`d.e`.') == 'See `C` and `d.e`.'
    assert to_markdown('Run::\n\n    x\n') == 'Run:\n\n    x\n'
    assert to_markdown('::\n\n    x\n') == '\n\n    x\n'
    assert to_markdown(':param a, b: meters.') == ':param a: meters.\n:param b: meters.'


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path):
    pytest.importorskip('mkdocs', reason='MkDocs is not installed (extra: docs)')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(tmp_path / 'site')]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    start = (tmp_path / 'site' / 'index.html').read_text('utf-8')
    assert 'images/demo.gif' in start
    assert 'generated:' not in (tmp_path / 'site' / 'parameters' / 'index.html').read_text('utf-8')
