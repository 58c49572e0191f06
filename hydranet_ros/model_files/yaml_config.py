"""
Read YAML files into frozen dataclasses.

:func:`load_yaml` reads every configuration file: presets, class tables, class maps, training
recipes, descriptions of teachers. It is strict: an unknown key, a missing key or a value of
another type is an error, and only whole numbers are converted, to floats.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import eq
from pathlib import Path
from types import GenericAlias
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from cattrs import BaseValidationError, Converter
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn

from hydranet_ros.errors import HydranetError, PresetError

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
_MAX_PROBLEMS = 5
_MAX_SHOWN = 120

T = TypeVar('T')
# Functions that build a type from a value which the file writes in a form of its own.
Parsers = Mapping[Any, Callable[[Any], Any]]


def load_yaml(
    path: Path, kind: type[T], *, error: type[HydranetError] = PresetError,
    parsers: Parsers | None = None,
) -> T:  # fmt: skip
    """
    Read a YAML file into a dataclass, or into a tuple or mapping of dataclasses.

    A key without a value takes its default.

    :param kind: the type to build. Its fields may be dataclasses, tuples of one type, mappings,
        literals, optionals, ``str``, ``bool``, ``int``, ``float`` and ``Any``.
    :param error: class of the error to raise.
    :param parsers: function for each type that the file writes in a form of its own.
    :raises HydranetError: an ``error`` that names the file, the key, the value and what is
        allowed.
    """
    return structure(read_yaml(path, error=error), kind, str(path), error=error, parsers=parsers)


def structure(
    raw: Any, kind: type[T], where: str, *, error: type[HydranetError] = PresetError,
    parsers: Parsers | None = None,
) -> T:  # fmt: skip
    """
    Build ``kind`` from dicts, lists and scalars; see :func:`load_yaml`.

    :param where: name of the source, the head of each message.
    :raises HydranetError: an ``error`` with up to five problems, a line each.
    """
    try:
        return _converter(parsers or {}).structure(raw, kind)
    except (BaseValidationError, HydranetError, ValueError, TypeError) as err:
        lines = [f'{where}: {problem}' for problem in _problems(err, '')]
        more = len(lines) - _MAX_PROBLEMS
        lines[_MAX_PROBLEMS:] = [f'{where}: {more} more errors.'] if more > 0 else []
        raise error('\n'.join(lines)) from None


def read_yaml(path: Path, *, error: type[HydranetError] = PresetError) -> Any:
    """
    Read a YAML file into dicts, lists and scalars.

    :raises HydranetError: an ``error`` if the file cannot be read, is larger than
        :data:`MAX_BYTES`, is not YAML, repeats a key, or expands to more than :data:`MAX_NODES`
        values.
    """
    try:
        with path.open('rb') as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f'the file is larger than {MAX_BYTES} bytes')
        loader = yaml.SafeLoader(data.decode('utf-8'))
        node = loader.get_single_node()
        if node is None:
            return None
        _count_nodes(node, {})
        return loader.construct_document(node)
    except RecursionError as err:
        raise error(f'{path} cannot be read as YAML: it is nested too deeply.') from err
    # PyYAML raises errors of many types for malformed dates, numbers and tags.
    except (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError) as err:
        raise error(f'{path} cannot be read as YAML: {" ".join(str(err).split())}.') from err


def _count_nodes(node: yaml.Node, counts: dict[yaml.Node, int]) -> int:
    """Count the values of a document with its aliases expanded; refuse repeated keys."""
    if node in counts:
        if not counts[node]:
            raise ValueError('an alias refers to a value that contains it')
        return counts[node]
    counts[node] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        _refuse_repeated_keys(node)
        children = [child for pair in node.value for child in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    counts[node] = 1 + sum(_count_nodes(child, counts) for child in children)
    if counts[node] > MAX_NODES:
        raise ValueError(f'it expands to more than {MAX_NODES} values')
    return counts[node]


def _refuse_repeated_keys(node: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            if (key.tag, key.value) in lines:
                first = lines[key.tag, key.value]
                raise ValueError(f'line {line} repeats the key {key.value!r} of line {first}')
            lines[key.tag, key.value] = line


def _converter(parsers: Parsers) -> Converter:
    converter = Converter(detailed_validation=True)
    build: Callable[[Any, Any], Any] = converter.structure
    for scalar, hook in _SCALARS.items():
        converter.register_structure_hook(scalar, hook)

    def tuple_of(value: Any, kind: Any) -> Any:
        item, *others = get_args(kind)
        count = None if others == [Ellipsis] else 1 + len(others)
        if not isinstance(value, list) or count not in (None, len(value)):
            raise _mismatch(value, 'a list' if count is None else f'a list of {count} values')
        return tuple(build(value, GenericAlias(list, item)))

    def mapping_of(value: Any, kind: Any) -> Any:
        if not isinstance(value, dict):
            raise _mismatch(value, 'a mapping')
        return build(value, GenericAlias(dict, get_args(kind)))

    def dataclass_of(cls: Any) -> Callable[[Any, Any], Any]:
        fill = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=True)
        return lambda value, kind: fill(_checked_keys(value, cls), kind)

    converter.register_structure_hook_func(_origin_is(tuple), tuple_of)
    converter.register_structure_hook_func(_origin_is(Mapping), mapping_of)
    converter.register_structure_hook_func(_origin_is(Literal), _literal)
    converter.register_structure_hook_factory(dataclasses.is_dataclass, dataclass_of)
    for kind, parser in parsers.items():
        converter.register_structure_hook_func(partial(eq, kind), partial(_parsed, parser))
    return converter


def _origin_is(origin: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) is origin


def _parsed(parser: Callable[[Any], Any], value: Any, _: Any) -> Any:
    return parser(value)


def _checked_keys(value: Any, cls: Any) -> dict[str, Any]:
    """Return the mapping of a dataclass without empty values that have a default."""
    fields = {item.name: item for item in dataclasses.fields(cls) if item.init}
    required = [
        name for name, item in fields.items()
        if item.default is item.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    keys = f'Allowed keys: {", ".join(fields)}; required: {", ".join(required) or "none"}.'
    if not isinstance(value, dict):
        raise ValueError(f'got {_shown(value)}; expected a mapping. {keys}')
    unknown = [_shown(key) for key in value if key not in fields]
    missing = [repr(key) for key in required if value.get(key) is None]
    if unknown or missing:
        found = [
            f'{what} {", ".join(names)}'
            for what, names in (('unknown key', unknown), ('missing key', missing))
            if names
        ]
        raise ValueError(f'{"; ".join(found)}. {keys}')
    return {key: item for key, item in value.items() if item is not None}


def _mismatch(value: Any, expected: str) -> ValueError:
    return ValueError(f'got {_shown(value)}; expected {expected}.')


def _shown(value: Any) -> str:
    if value is None:
        return 'nothing'
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return 'a very large number'
    return text if len(text) <= _MAX_SHOWN else f'{text[:_MAX_SHOWN]}...'


def _literal(value: Any, kind: Any) -> Any:
    allowed = get_args(kind)
    if not any(type(value) is type(item) and value == item for item in allowed):
        raise ValueError(f'got {_shown(value)}; allowed: {", ".join(map(str, allowed))}.')
    return value


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise _mismatch(value, 'text (in quotes, if it looks like a number or a truth value)')
    return value


def _truth(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(value, 'true or false')
    return value


def _whole(value: Any, _: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mismatch(value, 'a whole number')
    return value


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        # YAML 1.1 reads 1e-3 as text.
        hint = ' (an exponent needs a point and a sign: 1.0e-3)' if isinstance(value, str) else ''
        raise _mismatch(value, f'a number{hint}')
    try:
        return float(value)
    except OverflowError:
        raise _mismatch(value, 'a number of at most 1.8e308') from None


_SCALARS: Mapping[type, Callable[[Any, Any], Any]] = {
    str: _text, bool: _truth, int: _whole, float: _number,
}  # fmt: skip


def _problems(err: BaseException, key: str) -> Iterator[str]:
    """Yield ``KEY: MESSAGE`` of each error in a tree of errors."""
    if not isinstance(err, BaseValidationError):
        yield f'{key}: {err}' if key else str(err)
        return
    for item in err.exceptions:
        yield from _problems(item, key + _step(item, bool(key)))


def _step(err: BaseException, inside: bool) -> str:
    """Return the part of the key that an error's note names: ``.name`` or ``[0]``."""
    for note in getattr(err, '__notes__', ()):
        if isinstance(note, AttributeValidationNote):
            return f'.{note.name}' if inside else note.name
        if isinstance(note, IterableValidationNote):
            if isinstance(note.index, int):
                return f'[{note.index}]'
            return f'.{note.index}' if inside else str(note.index)
    return ''
