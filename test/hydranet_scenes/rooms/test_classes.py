"""Class ids of rooms."""

from __future__ import annotations

from hydranet_ros.model_files.preset import load_classes
from hydranet_scenes.rooms.classes import Nyud


def test_ids_are_those_of_the_class_table():
    names = [item.name.replace(' ', '_').upper() for item in load_classes('nyud40')]
    assert names == [item.name for item in Nyud]
