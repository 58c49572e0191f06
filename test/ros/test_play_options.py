"""The defaults of PlayOptions are those of the command, apart from its delay."""

from __future__ import annotations

import inspect
from dataclasses import fields

from hydranet_ros.cli.play import command
from hydranet_ros.ros.play_options import PlayOptions


def test_the_defaults_are_those_of_the_command():
    options = {item.name: item.default for item in fields(PlayOptions)}
    parameters = {
        name: item.default for name, item in inspect.signature(command).parameters.items()
    }
    shared = set(options) & set(parameters) - {'delay'}
    assert shared == set(options) - {'camera', 'delay'}
    assert {name: options[name] for name in shared} == {name: parameters[name] for name in shared}


def test_a_source_is_played_once_at_its_own_speed_without_waiting():
    assert PlayOptions() == PlayOptions(
        rate=1.0, loop=False, clock=0.0, fps=0.0, topic='/camera/image', pattern='*',
        frame_id='camera_optical', camera=None, wait=0.0, subscribers=1, delay=0.0,
    )  # fmt: skip
