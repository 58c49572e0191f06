"""The MJCF of a scene's parts."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rendering.scene_builder import SceneBuilder, mjcf_numbers


def test_numbers_have_five_significant_digits():
    assert mjcf_numbers([1, 0.123456789, -2e-7]) == '1 0.12346 -2e-07'


def test_every_geom_has_a_class():
    builder, parts = SceneBuilder(), []
    material = builder.material(color=(1, 0, 0))
    builder.geom('box', 3, material, size=(1, 1, 1))
    builder.geom('sphere', 7, material, size=(1,), body=parts)
    builder.body(parts, (1, 2, 3), 90.0)
    assert list(builder.classes.values()) == [3, 7]
    _, static, bodies = builder._joined_parts()
    assert 'type="box"' in static and 'type="sphere"' in bodies


def test_a_texture_is_shared_by_its_name():
    builder = SceneBuilder()
    name = builder.texture(np.zeros((4, 4, 3), np.uint8))
    first, second = builder.material(texture=name), builder.material(texture=name)
    assert first != second and list(builder.files) == [f'{name}.png']
