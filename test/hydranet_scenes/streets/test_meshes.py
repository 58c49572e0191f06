"""Meshes of houses and plants."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.streets import meshes


def test_house_walls_face_outward_and_have_the_requested_size():
    vertices, faces, _ = meshes.house_walls(10.0, 6.0, 3.0, repeats=1.0)
    assert np.ptp(vertices, axis=0).tolist() == [10.0, 6.0, 3.0]
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    outward = (a + b + c) / 3 - (0.0, 0.0, 1.5)
    assert ((normals * outward).sum(1) > 0).all()


def test_a_gable_roof_rests_on_its_walls():
    vertices, _, _ = meshes.gable_roof(10.0, 6.0, 2.0, overhang=0.0)
    assert np.isclose(vertices[:, 2].max(), 2.0) and np.isclose(vertices[0, 2], 0.0)


def test_crowns_and_hedges_have_unit_normals():
    rng = np.random.default_rng(0)
    for mesh in (meshes.crown(rng, 2.0, 4.0), meshes.hedge(rng, 12.0, 0.8, 1.5)):
        vertices, faces, uv, normals = mesh
        assert len(vertices) == len(uv) == len(normals) and faces.max() < len(vertices)
        assert np.allclose(np.linalg.norm(normals, axis=1), 1.0)
