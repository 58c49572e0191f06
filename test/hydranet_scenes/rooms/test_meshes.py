"""Meshes of rooms."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.rooms import meshes


def face_normals(mesh: meshes.Mesh) -> np.ndarray:
    a, b, c = (mesh[0][mesh[1][:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


@pytest.mark.parametrize('stretch', [False, True])
@pytest.mark.parametrize('size', [(0.2, 0.1, 0.3), (2.0, 0.1, 0.8)])
def test_a_box_has_its_size_and_faces_outward(size, stretch: bool):
    mesh = meshes.box(size, stretch=stretch)
    vertices, faces, _, normals = mesh
    assert np.allclose(np.ptp(vertices, axis=0), size) and np.allclose(vertices.mean(0), 0)
    outward = face_normals(mesh)
    assert (np.einsum('ij,ij->i', outward, vertices[faces].mean(1)) > 0).all()
    assert (np.einsum('ij,ij->i', outward, normals[faces[:, 0]]) > 0).all()


def test_a_hole_leaves_no_face_inside_it():
    hole = (0.5, 0.25, 1.25, 0.75)
    vertices, faces, _, _ = meshes.rectangle(
        (0, 0, 0), (2, 0, 0), (0, 0, 1), cuts=((0.5, 1.25), (0.25, 0.75)), holes=[hole]
    )
    area = np.linalg.norm(face_normals((vertices, faces, vertices, vertices)), axis=1).sum() / 2
    assert np.isclose(area, 2.0 - 0.75 * 0.5)


def test_a_lathe_turns_a_profile_around_the_z_axis():
    mesh = meshes.lathe([(0, 0), (0.5, 0), (0.5, 1), (0, 1)], segments=36)
    vertices = mesh[0]
    assert np.isclose(np.hypot(vertices[:, 0], vertices[:, 1]).max(), 0.5)
    assert np.isclose(np.ptp(vertices[:, 2]), 1.0)


def test_a_cushion_has_its_size():
    assert np.allclose(np.ptp(meshes.cushion((0.6, 0.4, 0.2))[0], axis=0), (0.6, 0.4, 0.2))
