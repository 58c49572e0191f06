"""The self-test of a model file: the same image everywhere, and wrong outputs that are found."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hydranet_ros.errors import ModelError
from hydranet_ros.model_files.selftest import (
    MAX_PIXELS,
    TOLERANCES,
    SelfTest,
    self_test_image,
    self_test_size,
)

SIZE = (60, 80)


def outputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        'labels': rng.integers(0, 6, SIZE).astype(np.uint8),
        'confidence': rng.integers(0, 256, SIZE).astype(np.uint8),
        'depth': rng.uniform(1, 80, SIZE).astype(np.float32),
        'normals': rng.uniform(-1, 1, (*SIZE, 3)).astype(np.float32),
    }


def test_the_image_is_the_same_to_the_byte_on_every_machine():
    image = self_test_image(175, 600)
    assert (image.shape, image.dtype) == ((175, 600, 3), np.uint8)
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    assert digest == 'cf0dffd13d45b2b7fa80c45c9fd63c554f462c4fbe558c6efa5be14eee6b15fb'


@pytest.mark.parametrize('size', [(1, 1), (7, 5), (64, 96), (480, 640)])
def test_the_image_has_any_size(size):
    assert self_test_image(*size).shape == (*size, 3)


@pytest.mark.parametrize(
    ('native', 'size'),
    [((350, 1200), (88, 300)), ((480, 640), (120, 160)), ((48, 64), (48, 64)),
     ((1024, 2048), (128, 256)), ((375, 1242), (94, 311))],
)  # fmt: skip
def test_the_size_is_the_native_one_halved_until_it_is_small(native, size):
    assert self_test_size(native) == size
    assert size[0] * size[1] <= MAX_PIXELS


def test_equal_outputs_are_accepted_in_every_precision():
    test = SelfTest.from_outputs(SIZE, outputs())
    for precision in TOLERANCES:
        deviation = test.compare(outputs(), precision)
        assert deviation.accepted
        assert set(deviation.metrics.values()) == {0.0}


WRONG = {
    'labels': lambda x: (x + 1) % 6,
    'confidence': lambda x: 255 - x,
    'depth': lambda x: x * np.float32(1.6),
    'normals': lambda x: -x,
}


@pytest.mark.parametrize('precision', list(TOLERANCES))
@pytest.mark.parametrize('name', list(WRONG))
def test_a_wrong_output_is_found_in_every_precision(name, precision):
    found = outputs()
    deviation = SelfTest.from_outputs(SIZE, found).compare(
        {**found, name: WRONG[name](found[name])}, precision
    )
    assert not deviation.accepted
    assert f'{name} differ by' in str(deviation)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_a_single_value_that_is_not_finite_is_found_even_beside_the_grid(value):
    found = outputs()
    depth = found['depth'].copy()
    depth[0, 0] = value
    assert not SelfTest.from_outputs(SIZE, found).compare({'depth': depth}, 'int8').accepted


def test_the_limits_grow_from_precision_to_precision():
    names = ('float32', 'tf32', 'float16', 'bfloat16', 'int8')
    for tighter, looser in zip(names, names[1:]):
        for metric, limit in TOLERANCES[tighter].items():
            assert limit <= TOLERANCES[looser][metric]


def test_a_network_that_amplifies_rounding_is_allowed_four_times_its_own():
    exact = {'depth': np.full(SIZE, 10, np.float32)}
    rounded = {'depth': np.full(SIZE, 10.1, np.float32)}
    test = SelfTest.from_outputs(SIZE, exact, rounded)
    assert test.rounding['depth'] == pytest.approx(0.01, rel=1e-3)
    assert test.compare({'depth': exact['depth'] * np.float32(1.03)}, 'float32').accepted
    assert not test.compare({'depth': exact['depth'] * np.float32(1.05)}, 'float32').accepted


def test_outputs_without_an_expectation_are_ignored():
    test = SelfTest.from_outputs(SIZE, {'depth': outputs()['depth']})
    assert set(test.compare(outputs(), 'float32').metrics) == {'depth', 'depth_p95'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'expected': {'depth': '!!'}}, 'self_test.expected.depth is damaged'),
        ({'expected': {'depth': 'AAAA'}}, 'self_test.expected.depth is damaged'),
        ({'expected': {'shade': ''}}, "self_test has an output 'shade'"),
        ({'step': 0}, 'self_test has the size'),
        ({'step': 61}, 'self_test has the size'),
        ({'size': (0, 5)}, 'self_test has the size'),
        ({'size': (100_000, 100_000)}, 'self_test has the size'),
    ],
)
def test_a_damaged_self_test_is_refused(change, message):
    facts = {'size': SIZE, 'step': 2, 'expected': {}, **change}
    with pytest.raises(ModelError, match=message):
        SelfTest(**facts).check()
