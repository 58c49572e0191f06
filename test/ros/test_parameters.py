"""Each parameter is declared by one field, validated, and described to ROS."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest

pytest.importorskip('rcl_interfaces', reason='rclpy is not installed (extra: ros)')

from hydranet_ros.errors import ParameterError
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, LARGEST_MAX_PIXELS
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.model_files.preset import Preset, preset_names
from hydranet_ros.perception.pipeline import PerceptionSettings
from hydranet_ros.ros.parameters import (
    TABLE,
    NodeParameters,
    ParameterSpec,
    defaults,
    descriptor,
    engine_options,
    names,
    perception_settings,
    refusal,
)

LIVE = {'depth_encoding', 'overlay_alpha', 'depth_colormap', 'cloud_stride',
        'scale_by_focal_length', 'max_depth', 'min_confidence', 'max_pixels',
        'diagnostics_period', 'max_age'}  # fmt: skip


@dataclass
class Change:
    """A requested change, like rclpy's Parameter."""

    name: str
    value: object


def test_the_table_has_every_field_in_the_order_of_declaration():
    assert names() == tuple(TABLE) == tuple(item.name for item in fields(NodeParameters))


def test_the_defaults_are_those_of_the_documentation():
    assert NodeParameters() == NodeParameters(
        preset='street', domain='', model='', provider='auto', threads=0,
        precision='auto', device='',
        engine_cache='', image_transport='raw', depth_encoding='32FC1', overlay_alpha=0.5,
        depth_colormap='turbo', cloud_stride=1, scale_by_focal_length=True, rectified=False,
        max_depth=0.0, min_confidence=0.0, max_pixels=DEFAULT_MAX_PIXELS, autostart=True,
        diagnostics_period=1.0, max_age=1.0,
    )  # fmt: skip


def test_the_defaults_of_settings_are_those_of_perception_and_engine():
    assert perception_settings(NodeParameters()) == PerceptionSettings()
    assert engine_options(NodeParameters()) == EngineOptions()


def test_what_can_change_while_the_node_is_active_is_that_of_the_documentation():
    assert {name for name, spec in TABLE.items() if spec.live} == LIVE
    assert {name for name, spec in TABLE.items() if spec.fixed} == {'autostart'}


@pytest.mark.parametrize(
    ('name', 'span'),
    [
        ('threads', (0, 256)), ('overlay_alpha', (0.0, 1.0)), ('cloud_stride', (1, 64)),
        ('max_depth', (0.0, 1000.0)), ('min_confidence', (0.0, 1.0)),
        ('max_pixels', (1, LARGEST_MAX_PIXELS)), ('diagnostics_period', (0.1, 60.0)),
        ('max_age', (0.0, 60.0)),
    ],
)  # fmt: skip
def test_a_number_has_a_range_in_its_descriptor(name, span):
    made = descriptor(name)
    ranges = (*made.floating_point_range, *made.integer_range)
    assert [(item.from_value, item.to_value) for item in ranges] == [span]
    assert bool(made.integer_range) == isinstance(getattr(NodeParameters, name), int)
    assert all(item.step == 1 for item in made.integer_range)
    assert all(item.step == 0 for item in made.floating_point_range)


def test_every_number_has_a_range():
    for name in names():
        default = getattr(NodeParameters, name)
        number = isinstance(default, (int, float)) and not isinstance(default, bool)
        assert (TABLE[name].span is not None) == number, name


@pytest.mark.parametrize('name', names())
def test_every_descriptor_has_name_and_description(name):
    made = descriptor(name)
    assert made.name == name
    assert made.description.startswith(TABLE[name].description)
    assert len(TABLE[name].description) > 15


@pytest.mark.parametrize(
    ('name', 'note', 'read_only'),
    [
        ('max_depth', 'Changes take effect at once.', False),
        ('model', 'Takes effect at the next configure.', False),
        ('autostart', 'Can only be set at startup.', True),
    ],
)
def test_a_descriptor_tells_when_a_change_takes_effect(name, note, read_only):
    made = descriptor(name)
    assert made.description == f'{TABLE[name].description} {note}'
    assert made.read_only is read_only


def test_a_descriptor_lists_the_choices():
    assert descriptor('image_transport').additional_constraints == 'One of: raw, compressed.'
    assert descriptor('model').additional_constraints == ''
    choices = {name: spec.choices for name, spec in TABLE.items() if spec.choices}
    assert choices == {
        'provider': ('auto', *PROVIDERS),
        'precision': ('auto', 'float32', 'bfloat16', 'float16', 'int8'),
        'image_transport': ('raw', 'compressed'),
        'depth_encoding': ('32FC1', '16UC1'),
        'depth_colormap': ('turbo', 'inferno', 'viridis'),
    }


@pytest.mark.parametrize('name', [name for name, spec in TABLE.items() if spec.choices])
def test_a_value_that_is_no_choice_is_refused_with_the_choices(name):
    with pytest.raises(ParameterError) as caught:
        NodeParameters(**{name: 'other'})
    assert str(caught.value) == f"{name} is 'other'; allowed: {', '.join(TABLE[name].choices)}."
    for choice in TABLE[name].choices:
        assert getattr(NodeParameters(**{name: choice}), name) == choice


def test_a_parameter_is_neither_live_nor_fixed_by_default():
    spec = ParameterSpec('x')
    assert (spec.live, spec.fixed, spec.span, spec.choices) == (False, False, None, ())


def test_parameters_and_specs_are_immutable():
    with pytest.raises(AttributeError):
        NodeParameters().preset = 'kitti'
    with pytest.raises(AttributeError):
        ParameterSpec('x').live = True
    with pytest.raises(TypeError):
        TABLE['preset'] = ParameterSpec('x')


@pytest.mark.parametrize('preset', preset_names())
def test_every_preset_sets_only_parameters_that_exist(preset):
    assert NodeParameters(**{**defaults(Preset.load(preset).node), 'preset': preset})


def test_a_preset_overrides_the_defaults():
    values = defaults({'max_depth': 60.0})
    assert values['max_depth'] == 60.0
    assert {**values, 'max_depth': 0.0} == defaults({})
    assert NodeParameters(**defaults({})) == NodeParameters()


def test_a_preset_with_unknown_parameters_is_refused():
    with pytest.raises(ParameterError) as caught:
        defaults({'zoom': 1, 'max_depth': 1.0, 'color': 'red'})
    text = str(caught.value)
    assert text.startswith('The preset sets unknown parameters: color, zoom; allowed: preset, ')
    assert text.endswith('max_age.')


def refused(configured: bool, **changes) -> str:
    items = [Change(name, value) for name, value in changes.items()]
    return refusal(items, defaults({}), configured=configured)


def test_a_change_of_the_model_is_refused_while_configured():
    assert refused(False, model='x.onnx') == ''
    assert refused(True, provider='cpu', model='x.onnx') == (
        'model, provider cannot change while the node is configured; call cleanup, then set and '
        'configure again.'
    )


@pytest.mark.parametrize(
    'changes',
    [{'model': ''}, {'overlay_alpha': 0.1}, {'max_pixels': 20_000_000}, {'use_sim_time': True},
     {'depth_colormap': 'viridis'}, {}],
)  # fmt: skip
def test_other_changes_are_accepted_while_configured(changes):
    assert refused(True, **changes) == ''


@pytest.mark.parametrize('threads', [0, 301, 999])
def test_only_a_different_value_counts_as_a_change(threads):
    current = {**defaults({}), 'threads': int(str(threads))}
    for value in (0, 301, 999):
        reason = refusal([Change('threads', value)], current, configured=True)
        assert bool(reason) == (value != threads)


def test_a_change_to_a_value_that_is_no_choice_is_refused():
    for configured in (False, True):
        assert refused(configured, depth_encoding='64FC1') == (
            "depth_encoding is '64FC1'; allowed: 32FC1, 16UC1."
        )


def test_a_change_is_validated_together_with_the_current_values():
    current = {**defaults({}), 'depth_encoding': 'broken'}
    assert 'depth_encoding' in refusal([Change('max_depth', 1.0)], current, configured=True)
    assert refusal([Change('depth_encoding', '16UC1')], current, configured=True) == ''


def test_settings_of_perception_are_the_parameters_of_the_same_names():
    parameters = NodeParameters(
        overlay_alpha=0.25, depth_colormap='viridis', cloud_stride=4, scale_by_focal_length=False,
        max_depth=30.0, min_confidence=0.75,
    )  # fmt: skip
    assert perception_settings(parameters) == PerceptionSettings(
        overlay_alpha=0.25, depth_colormap='viridis', cloud_stride=4, scale_by_focal_length=False,
        max_depth=30.0, min_confidence=0.75,
    )  # fmt: skip


def test_options_of_the_engine_are_those_of_the_parameters():
    parameters = NodeParameters(
        provider='cpu', threads=3, precision='float32', device='1', engine_cache='/cache'
    )
    assert engine_options(parameters) == EngineOptions(
        provider='cpu',
        threads=3,
        precision='float32',
        device='1',
        cache_directory=Path('/cache'),
    )
