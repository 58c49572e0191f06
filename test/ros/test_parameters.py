"""Parameters: declared in one table and validated as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

pytest.importorskip('rcl_interfaces', reason='rclpy is not installed (extra: ros)')

from hydranet_ros.errors import ParameterError
from hydranet_ros.model_files.preset import Preset, preset_names
from hydranet_ros.ros import parameters
from hydranet_ros.ros.parameters import TABLE, NodeParameters, defaults, descriptor, refusal


@dataclass
class Change:
    name: str
    value: object


def test_table_and_dataclass_name_the_same_parameters():
    assert tuple(TABLE) == parameters.names() or set(TABLE) == set(parameters.names())


@pytest.mark.parametrize('name', parameters.names())
def test_every_parameter_has_a_description_and_a_range_that_holds_its_default(name):
    made = descriptor(name)
    assert len(made.description) > 20
    default = getattr(NodeParameters, name)
    for span in (*made.floating_point_range, *made.integer_range):
        assert span.from_value <= default <= span.to_value
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        assert made.floating_point_range or made.integer_range


@pytest.mark.parametrize('preset', preset_names())
def test_every_preset_sets_only_parameters_that_exist(preset):
    assert NodeParameters(**{**defaults(Preset.load(preset).node), 'preset': preset})


def test_a_preset_with_an_unknown_parameter_is_refused():
    with pytest.raises(ParameterError, match='unknown parameters: color;'):
        defaults({'color': 'red'})


@pytest.mark.parametrize(
    ('name', 'value'),
    [('provider', 'abacus'), ('image_transport', 'pigeon'), ('depth_encoding', '64FC1')],
)
def test_a_wrong_value_is_refused_with_the_allowed(name, value):
    with pytest.raises(ParameterError, match='allowed'):
        NodeParameters(**{name: value})


def test_what_needs_a_new_configure_is_refused_while_configured():
    current = defaults({})
    assert 'cleanup' in refusal([Change('model', 'x.onnx')], current, configured=True)
    assert refusal([Change('model', 'x.onnx')], current, configured=False) == ''
    assert refusal([Change('model', '')], current, configured=True) == ''
    assert refusal([Change('overlay_alpha', 0.1)], current, configured=True) == ''
    assert refusal([Change('max_pixels', 20_000_000)], current, configured=True) == ''
    assert refusal([Change('use_sim_time', True)], current, configured=True) == ''


def test_what_is_set_at_the_start_only_is_read_only():
    assert descriptor('autostart').read_only
    assert not descriptor('model').read_only
