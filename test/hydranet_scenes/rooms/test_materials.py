"""Materials that the furniture of a room shares."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.materials import MaterialKit


def test_shared_materials_are_created_once():
    kit = MaterialKit(RoomBuilder(), np.random.default_rng(0))
    assert kit.white == kit.white and kit.kitchen_front() == kit.kitchen_front()
    assert len({kit.fabric() for _ in range(60)}) == 6
    assert len({kit.any_color() for _ in range(80)}) == 8


def test_textured_materials_are_known_to_the_builder():
    kit = MaterialKit(RoomBuilder(), np.random.default_rng(0))
    assert kit.fabric() in kit.builder.textured and kit.gray not in kit.builder.textured
