"""The metadata of a model file survive the round trip, or are refused by name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydranet_ros.errors import ModelError
from hydranet_ros.model_files.metadata import METADATA_KEY, ClassInfo, ModelInfo

INFO = ModelInfo(
    preset='kitti',
    encoder='mobilenet_v2',
    tasks=('segmentation', 'depth'),
    classes=(ClassInfo(0, 'sky', (128, 128, 128), False), ClassInfo(1, 'road', (128, 64, 128))),
    depth_range=(0.0, 80.0),
    training_focal_length=721.5377,
    training_image_size=(375, 1242),
    native_size=(375, 1242),
    license='none',
    training_data='none',
    weights_sha256='0' * 64,
    metrics={'miou': 0.5},
)


@given(
    name=st.text(),
    focal=st.floats(1, 1e4),
    size=st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
)
def test_metadata_survive_the_round_trip(name: str, focal: float, size: tuple[int, int]):
    info = replace(INFO, preset=name, training_focal_length=focal, native_size=size)
    assert ModelInfo.from_metadata(info.to_metadata(), 'x.onnx') == info


def test_a_class_without_surface_is_in_the_lookup():
    lookup = INFO.surface_lookup
    assert len(lookup) == 256
    assert (lookup[0], lookup[1], lookup[255]) == (False, True, True)


def changed(**values) -> dict[str, str]:
    raw = {**json.loads(INFO.to_metadata()[METADATA_KEY]), **values}
    return {METADATA_KEY: json.dumps(raw)}


@pytest.mark.parametrize(
    ('metadata', 'message'),
    [
        ({}, 'carries no hydranet_ros metadata.*hydranet export'),
        ({METADATA_KEY: '{'}, 'damaged metadata'),
        (changed(format_version=99), 'metadata format 99; this version reads 1'),
        (changed(colour='red'), "unknown keys.*'colour'"),
        (changed(classes=[{'id': 0}]), 'damaged metadata'),
        (changed(tasks=None), 'damaged metadata'),
    ],
)
def test_missing_or_damaged_metadata_are_refused_with_the_file_and_the_cure(metadata, message):
    with pytest.raises(ModelError, match=message) as error:
        ModelInfo.from_metadata(metadata, 'x.onnx')
    assert 'x.onnx' in str(error.value)
    assert 'hydranet export' in str(error.value)
