"""YAML files become dataclasses; each error names the file, the key and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydranet_ros.errors import PresetError, TrainingError
from hydranet_ros.model_files import yaml_config
from hydranet_ros.model_files.yaml_config import (
    MAX_NODES,
    load_yaml,
    read_yaml,
    structure,
)


@dataclass(frozen=True)
class Wheel:
    radius: float
    kind: Literal['rubber', 'steel'] = 'rubber'
    size: tuple[int, int] = (1, 2)
    mount: tuple[int, int] | None = None
    spare: bool = False

    def __post_init__(self) -> None:
        if self.radius < 0:
            raise TrainingError(f'radius is {self.radius}; allowed: 0 or more.')


@dataclass(frozen=True)
class Cart:
    name: str
    wheels: tuple[Wheel, ...] = ()
    parts: Mapping[str, Wheel] = field(default_factory=dict)
    ids: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


@pytest.fixture
def load(tmp_path: Path):
    """Return a function that loads a text as a YAML file."""

    def load(text: str, kind: Any = Cart) -> Any:
        path = tmp_path / 'cart.yaml'
        path.write_text(text, encoding='utf-8')
        return load_yaml(path, kind)

    return load


def test_nested_dataclasses_tuples_and_mappings_are_built(load) -> None:
    cart = load("""
        name: red
        wheels: [{radius: 0.5, kind: steel, size: [3, 4], mount: [0, 1], spare: true}]
        parts: {front: {radius: 2.5}}
        ids: {7: seven}
        notes: {anything: [1, {deep: null}]}
    """)
    assert cart == Cart(
        'red', (Wheel(0.5, 'steel', (3, 4), (0, 1), True),), {'front': Wheel(2.5)}, {7: 'seven'},
        {'anything': [1, {'deep': None}]},
    )  # fmt: skip


def test_a_whole_number_becomes_a_float_where_a_float_is_expected(load) -> None:
    radius = load('{name: a, wheels: [{radius: 2}]}').wheels[0].radius
    assert (type(radius), radius) == (float, 2.0)


def test_a_key_without_a_value_takes_its_default(load) -> None:
    cart = load('{name: a, wheels: , notes: , parts: {x: {radius: 1, mount: null}}}')
    assert cart == Cart('a', parts={'x': Wheel(1.0)})


def test_a_file_may_hold_a_list_or_a_mapping_of_dataclasses(load) -> None:
    assert load('[{radius: 1}, {radius: 2}]', tuple[Wheel, ...]) == (Wheel(1.0), Wheel(2.0))
    assert load('a: {radius: 1}', Mapping[str, Wheel]) == {'a': Wheel(1.0)}


def test_anchors_are_expanded(load) -> None:
    cart = load('{name: a, wheels: [&w {radius: 1}, *w]}')
    assert cart.wheels == (Wheel(1.0), Wheel(1.0))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{name: a, color: red}', r"cart\.yaml: unknown key 'color'\. Allowed keys: name, wheels"),
        ('{wheels: []}', r"cart\.yaml: missing key 'name'\. .*; required: name\."),
        ('{name: }', "missing key 'name'"),
        ('', 'got nothing; expected a mapping. Allowed keys: name'),
        ('[1]', r'got \[1\]; expected a mapping'),
        ('{name: 3}', r'name: got 3; expected text'),
        ('{name: yes}', r'name: got True; expected text'),
        ('{name: a, wheels: {}}', r'wheels: got \{\}; expected a list\.'),
        ('{name: a, wheels: text}', "wheels: got 'text'; expected a list"),
        ('{name: a, wheels: [{radius: 1}, {radius: big}]}',
         r"wheels\[1\]\.radius: got 'big'; expected a number"),
        ('{name: a, wheels: [{radius: 1e-3}]}', r"got '1e-3'; .* 1\.0e-3"),
        ('{name: a, wheels: [{radius: true}]}', 'got True; expected a number'),
        ('{name: a, wheels: [{radius: .nan}]}', 'got nan; expected a number'),
        (f'{{name: a, wheels: [{{radius: 1{"0" * 400}}}]}}', 'expected a number of at most'),
        ('{name: a, wheels: [{radius: 1, spare: 1}]}', 'spare: got 1; expected true or false'),
        ('{name: a, wheels: [{radius: 1, kind: wood}]}',
         r"wheels\[0\]\.kind: got 'wood'; allowed: rubber, steel\."),
        ('{name: a, wheels: [{radius: 1, kind: [wood]}]}', 'allowed: rubber, steel'),
        ('{name: a, wheels: [{radius: 1, size: [1]}]}', 'expected a list of 2 values'),
        ('{name: a, wheels: [{radius: 1, size: [1, 2.0]}]}',
         r'size\[1\]: got 2\.0; expected a whole number'),
        ('{name: a, wheels: [{radius: 1, mount: [1, true]}]}', r'mount\[1\]: got True'),
        ('{name: a, wheels: [{radius: -1}]}', r'wheels\[0\]: radius is -1\.0; allowed: 0 or more'),
        ('{name: a, parts: {front: {}}}', "parts.front: missing key 'radius'"),
        ('{name: a, parts: [1]}', r'parts: got \[1\]; expected a mapping'),
        ('{name: a, ids: {seven: x}}', "got 'seven'; expected a whole number"),
        ('{name: a, ids: {7: 1}}', r'ids\[7\]: got 1; expected text'),
        ('{name: a, notes: {1: x}}', 'got 1; expected text'),
        ('a: [1', r'cart\.yaml cannot be read as YAML'),
        ('{name: a,\nname: b}', "line 2 repeats the key 'name' of line 1"),
        ('&a [*a]', 'an alias refers to a value that contains it'),
        ('{? [1] : 2}', 'cannot be read as YAML'),
        ('name: 2020-99-99', 'cannot be read as YAML'),
        ("!!int ''", 'cannot be read as YAML'),
        ('!!python/object/apply:os.getcwd []', 'cannot be read as YAML'),
        ('[' * 500, 'nested too deeply'),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_file_key_value_and_what_is_allowed(
    load, text: str, message: str
) -> None:
    with pytest.raises(PresetError, match=message):
        load(text)


def test_every_problem_has_a_line_and_after_five_they_are_counted(load) -> None:
    wheels = ', '.join('{radius: wrong}' for _ in range(7))
    with pytest.raises(PresetError) as caught:
        load(f'{{name: 1, wheels: [{wheels}]}}')
    lines = str(caught.value).splitlines()
    assert [line.split(': ')[1] for line in lines[:2]] == ['name', 'wheels[0].radius']
    assert len(lines) == 6
    assert lines[5].endswith('3 more errors.')


def test_a_long_value_is_shortened_in_the_message(load) -> None:
    with pytest.raises(PresetError) as caught:
        load(f'{{name: [{"long, " * 1000}]}}')
    assert len(str(caught.value)) < 400
    with pytest.raises(PresetError, match='a very large number'):
        load(f'name: 0x{"f" * 10_000}')


def test_a_file_that_expands_to_too_many_values_is_refused(load) -> None:
    """Ten aliases of ten aliases: a few hundred bytes would be ten thousand million values."""
    lines = ['a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]']
    lines += [f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]' for i in range(1, 10)]
    with pytest.raises(PresetError, match=f'more than {MAX_NODES} values'):
        load('\n'.join(lines))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(yaml_config, 'MAX_BYTES', 100)
    path = tmp_path / 'large.yaml'
    path.write_text('a' * 100)
    assert read_yaml(path) == 'a' * 100
    path.write_text('a' * 101)
    with pytest.raises(PresetError, match='large.yaml .* larger than 100 bytes'):
        read_yaml(path)


@pytest.mark.parametrize('content', [None, b'\xff\xfe\xff', b'\x00'])
def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path, content) -> None:
    path = tmp_path / 'file.yaml'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match='file.yaml cannot be read as YAML'):
        read_yaml(path, error=TrainingError)


def test_a_parser_builds_the_types_that_the_file_writes_in_another_form() -> None:
    def parse(value: object) -> tuple[int, int]:
        if value != 'square':
            raise PresetError(f'{value} is unknown; allowed: square.')
        return 4, 4

    parsers = {tuple[int, int]: parse}
    assert structure({'radius': 1, 'size': 'square'}, Wheel, 'w', parsers=parsers).size == (4, 4)
    with pytest.raises(TrainingError, match='^w: size: round is unknown; allowed: square.$'):
        structure({'radius': 1, 'size': 'round'}, Wheel, 'w', parsers=parsers, error=TrainingError)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet='ab01:-[]{}&*!?|>,\'"# \n.~', max_size=60))
def test_any_text_loads_or_raises_the_one_error(load, text: str) -> None:
    for kind in (Cart, Mapping[str, Any]):
        try:
            load(text, kind)
        except PresetError as err:
            assert 'cart.yaml' in str(err)
