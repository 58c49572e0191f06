"""Metadata of a model file: written and read back, or refused with a clear error."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydranet_ros.errors import ModelError
from hydranet_ros.model_files.metadata import METADATA_KEY, ClassInfo, ModelInfo, _digest
from hydranet_ros.model_files.selftest import SelfTest

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
def test_metadata_read_back_equal_what_was_written(name: str, focal: float, size: tuple[int, int]):
    info = replace(INFO, preset=name, training_focal_length=focal, native_size=size)
    assert ModelInfo.from_metadata(info.to_metadata(), 'x.onnx') == info


def test_the_lookup_marks_classes_without_a_surface():
    lookup = INFO.surface_lookup
    assert len(lookup) == 256
    assert (lookup[0], lookup[1], lookup[255]) == (False, True, True)


CLASSES = json.loads(INFO.to_metadata()[METADATA_KEY])['classes']


def changed(**values) -> dict[str, str]:
    raw = {**json.loads(INFO.to_metadata()[METADATA_KEY]), **values}
    del raw['digest']
    return {METADATA_KEY: json.dumps({**raw, 'digest': _digest(raw)})}


def old_format() -> dict[str, str]:
    """Return metadata of format 1, which had no form, no self-test and no digest."""
    raw = json.loads(INFO.to_metadata()[METADATA_KEY])
    new = ('digest', 'form', 'self_test')
    kept = {name: value for name, value in raw.items() if name not in new}
    return {METADATA_KEY: json.dumps({**kept, 'format_version': 1})}


@pytest.mark.parametrize(
    ('metadata', 'message'),
    [
        ({}, r'x.onnx carries no hydranet_ros metadata \(found keys: none\)'),
        ({'other': ''}, r"carries no hydranet_ros metadata \(found keys: \['other'\]\)"),
        ({METADATA_KEY: '{'}, 'x.onnx: its metadata are damaged'),
        ({METADATA_KEY: '[]'}, 'x.onnx: its metadata are damaged'),
        (changed(format_version=99), 'x.onnx has metadata format 99; this version reads 1 and 2'),
        (changed(shade='red'), "x.onnx: metadata: unknown key 'shade'"),
        (changed(classes=[{'id': 0}]), r"classes\[0\]: missing key 'name', 'color'"),
        (changed(tasks=None), "missing key 'tasks'"),
        (changed(license=3), 'license: got 3; expected text'),
        (changed(native_size=[1]), 'native_size: got .*; expected a list of 2 values'),
        (changed(training_focal_length=float('nan')), 'training_focal_length: got nan'),
        (changed(training_focal_length=0), 'x.onnx: training_focal_length is 0.0; allowed: pos'),
        (changed(training_focal_length=float('inf')), 'training_focal_length is inf'),
        (changed(native_size=[0, 5]), r'native_size is \(0, 5\)'),
        (changed(training_image_size=[5, -1]), r'training_image_size is \(5, -1\)'),
        (changed(depth_range=[8, 8]), r'depth_range is \(8.0, 8.0\)'),
        (changed(form='gpu'), "form is 'gpu'; allowed: portable, cpu, int8"),
        (
            changed(self_test={'size': [4, 4], 'step': 1, 'expected': {'depth': 'AAAA'}}),
            'self_test.expected.depth is damaged',
        ),
        (changed(classes=CLASSES[::-1]), r'classes have the ids \[1, 0\]; allowed: 0..C-1'),
    ],
)
def test_missing_or_damaged_metadata_are_refused_with_file_and_remedy(metadata, message):
    with pytest.raises(ModelError, match=message) as error:
        ModelInfo.from_metadata(metadata, 'x.onnx')
    assert 'hydranet export' in str(error.value)


def test_a_model_without_depth_needs_no_depth_range():
    info = replace(INFO, tasks=('segmentation',), depth_range=(0.0, 0.0))
    assert ModelInfo.from_metadata(info.to_metadata(), 'x.onnx') == info


def test_ids_beyond_254_are_refused_since_255_is_unlabeled():
    many = tuple(ClassInfo(index, str(index), (0, 0, 0)) for index in range(256))
    replace(INFO, classes=many[:255]).check()
    with pytest.raises(ModelError, match='classes have the ids'):
        replace(INFO, classes=many).check()


def test_metadata_of_format_1_are_read_without_a_self_test():
    info = ModelInfo.from_metadata(old_format(), 'x.onnx')
    assert info == replace(INFO, format_version=1)
    assert info.self_test is None


def test_a_self_test_is_read_back_as_written():
    outputs = {'labels': np.zeros((48, 64), np.uint8), 'depth': np.ones((48, 64), np.float32)}
    info = replace(INFO, self_test=SelfTest.from_outputs((48, 64), outputs, outputs))
    assert ModelInfo.from_metadata(info.to_metadata(), 'x.onnx') == info


@pytest.mark.parametrize('change', ['self_test', 'license', 'digest'])
def test_metadata_that_were_changed_by_hand_are_refused(change):
    outputs = {'depth': np.ones((48, 64), np.float32)}
    test = SelfTest.from_outputs((48, 64), outputs)
    raw = json.loads(replace(INFO, self_test=test).to_metadata()[METADATA_KEY])
    raw[change] = None if change != 'license' else 'public domain'
    with pytest.raises(ModelError, match='x.onnx: its metadata were changed after the export'):
        ModelInfo.from_metadata({METADATA_KEY: json.dumps(raw)}, 'x.onnx')
