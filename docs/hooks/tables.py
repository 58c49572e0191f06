"""
Markdown tables of the reference pages, generated from the code.

A page of ``docs/`` holds a line ``<!-- generated: NAME -->``; :func:`expand` replaces it by the
table of that name in :data:`TABLES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

MARKER = re.compile(r'^<!-- generated: ([a-z_]+) -->$', re.MULTILINE)


def expand(markdown: str) -> str:
    """
    Replace every marker by its table.

    :raises KeyError: if a marker names no table.
    """
    return MARKER.sub(lambda match: TABLES[match[1]](), markdown)


def parameters() -> str:
    """Return the table of the node's parameters."""
    from hydranet_ros.ros.parameters import TABLE, NodeParameters, names

    return _table(
        ('Parameter', 'Default', 'Allowed', 'Takes effect', 'Meaning'),
        (
            (
                f'`{name}`',
                _code(getattr(NodeParameters, name)),
                _allowed(TABLE[name]),
                _effect(TABLE[name]),
                TABLE[name].description,
            )
            for name in names()
        ),
    )


def topics() -> str:
    """Return the table of the topics that the node publishes below its own name."""
    from hydranet_ros.perception.outputs import TOPICS

    return _table(
        ('Topic', 'Type', 'Encoding', 'Content'),
        (
            (
                f'`{topic.private_name}`',
                topic.message_type.replace('/msg/', '/'),
                getattr(topic, 'encoding', ''),
                topic.description + (' Latched.' if topic.latched else ''),
            )
            for topic in TOPICS
        ),
    )


def launch_arguments() -> str:
    """Return the table of the arguments that every launch file takes."""
    from hydranet_ros.ros.launch_arguments import LAUNCH_ARGUMENTS

    return _table(
        ('Argument', 'Default', 'Allowed', 'Meaning'),
        (
            (
                f'`{item.name}`',
                _code(item.default),
                _choices(item.choices),
                item.description,
            )
            for item in LAUNCH_ARGUMENTS
        ),
    )


def presets() -> str:
    """Return the table of presets with a row for each model file."""
    from hydranet_ros.model_files.preset import Preset, preset_names

    rows = []
    for preset in map(Preset.load, preset_names()):
        for domain, model in preset.models.items():
            low, high = model.export.depth_range
            source = f'`{model.weights}`' if model.weights else 'included'
            rows.append((
                f'`{preset.name}`', f'`{domain}`', str(len(model.export.classes)),
                ', '.join(model.export.tasks), f'{low:g} to {high:g} m', f'`{model.file}`', source,
            ))  # fmt: skip
    heading = ('Preset', 'Domain', 'Classes', 'Tasks', 'Depth', 'Model file', 'Weights')
    return _table(heading, rows)


def classes() -> str:
    """Return the class tables: id and name of every class."""
    from hydranet_ros.model_files.preset import load_classes
    from hydranet_ros.resources import config_file

    names = sorted(path.stem for path in config_file('classes').glob('*.yaml'))
    return _table(
        ('Class table', 'Classes by id'),
        (
            (f'`{name}`', ', '.join(f'{item.id} {item.name}' for item in load_classes(name)))
            for name in names
        ),
    )


def commands() -> str:
    """Return a section for every command: usage, description, arguments and options."""
    sections = []
    for name, command in iter_commands():
        usage = ' '.join([f'hydranet {name}', *_usage(command)])
        table = _table(
            ('Argument or option', 'Default', 'Meaning'),
            (
                (_parameter_name(item), _default(item), (item.help or '').replace('[', '\\['))
                for item in command.params
                if item.name != 'help'
            ),
        )
        sections.append(
            f'## hydranet {name}\n\n{command.help}\n\n```text\n{usage}\n```\n\n{table}'
        )
    return '\n\n'.join(sections)


def iter_commands() -> Iterator[tuple[str, Any]]:
    """Yield name and click command of every command, those of groups as ``group command``."""
    import typer

    from hydranet_ros.cli import app

    def walk(command: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, item in command.commands.items():
            if hasattr(item, 'commands'):
                yield from walk(item, f'{prefix}{name} ')
            elif not item.hidden:
                yield prefix + name, item

    yield from sorted(walk(typer.main.get_command(app), ''), key=lambda pair: pair[0])


TABLES: Mapping[str, Callable[[], str]] = {
    'parameters': parameters,
    'topics': topics,
    'launch_arguments': launch_arguments,
    'presets': presets,
    'classes': classes,
    'commands': commands,
}


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table without columns that are empty in every row."""
    body = [[cell.replace('|', '\\|').replace('\n', ' ') for cell in row] for row in rows]
    if not body:
        return ''
    kept = [index for index in range(len(heading)) if any(row[index] for row in body)]
    lines = [[heading[index] for index in kept], ['---'] * len(kept)]
    lines += [[row[index] for index in kept] for row in body]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _code(value: object) -> str:
    if isinstance(value, bool):
        return f'`{str(value).lower()}`'
    return f'`{value}`' if value != '' else '`""`'


def _allowed(spec: Any) -> str:
    def text(value: float) -> str:
        return str(value) if isinstance(value, int) else f'{value:g}'

    if spec.span is not None:
        return f'{text(spec.span[0])} to {text(spec.span[1])}'
    return _choices(spec.choices)


def _choices(choices: Sequence[str]) -> str:
    return ', '.join(f'`{choice}`' for choice in choices)


def _effect(spec: Any) -> str:
    if spec.live:
        return 'at once'
    return 'at startup' if spec.fixed else 'at configure'


def _usage(command: Any) -> Iterator[str]:
    options = [item for item in command.params if item.param_type_name == 'option']
    for item in command.params:
        if item.param_type_name == 'argument':
            name = _metavar(item) + ('...' if item.nargs == -1 else '')
            yield name if item.required else f'[{name}]'
        elif item.required:
            yield f'{item.opts[0]} {_metavar(item)}'
    if not all(item.required or item.name == 'help' for item in options):
        yield '[OPTIONS]'


def _metavar(item: Any) -> str:
    return item.metavar.rstrip('.') if item.metavar else item.name.upper().replace('_', '-')


def _parameter_name(item: Any) -> str:
    if item.param_type_name == 'argument':
        return f'`{_metavar(item)}`'
    value = f' {item.metavar}' if item.metavar else ''
    return ', '.join(f'`{name}{value}`' for name in item.opts)


def _default(item: Any) -> str:
    if item.required:
        return 'required'
    value = item.default
    if value is None or value is False or value in ('', [], ()):
        return ''
    return f'`{value.value if isinstance(value, Enum) else value}`'
