"""Meshes of cars."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hydranet_scenes.streets.car_meshes import CAR_KINDS, car_shape


@pytest.mark.parametrize('kind', CAR_KINDS)
def test_the_body_is_closed_and_has_the_requested_width(kind: str):
    shape = car_shape(kind, width=1.8, stretch=1.0)
    vertices, faces = shape.body
    edges = Counter(
        (int(face[i]), int(face[(i + 1) % 3])) for face in faces for i in range(3)
    )  # fmt: skip
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)
    assert np.isclose(np.ptp(vertices[:, 1]), 1.8) and vertices[:, 2].min() > 0.1
    assert np.isclose(vertices[:, 0].max(), shape.nose)


@pytest.mark.parametrize('kind', CAR_KINDS)
def test_windows_are_above_the_hood(kind: str):
    shape = car_shape(kind, width=1.8, stretch=1.0)
    vertices, _ = shape.panes
    assert vertices[:, 2].min() > shape.belt - 0.2
    assert shape.tail < vertices[:, 0].min() and vertices[:, 0].max() < shape.nose


def test_stretching_changes_the_length_only():
    short, long = car_shape('suv', 1.8, 1.0), car_shape('suv', 1.8, 1.1)
    assert np.isclose(long.nose - long.tail, 1.1 * (short.nose - short.tail))
    assert long.belt == short.belt
