"""Arrays whose memory a message can use."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from hydranet_ros.inference.buffers import BufferPool, allocate, backing_array


@pytest.mark.parametrize('dtype', ['u1', '<u2', '<f4', [('x', '<f4'), ('label', 'u1')]])
def test_an_array_and_its_backing_array_share_memory(dtype):
    values = allocate((3, 5), dtype)
    assert values.shape == (3, 5)
    assert not values.tobytes().strip(b'\0'), 'a new array is zero'
    store = backing_array(values)
    assert isinstance(store, array) and store.typecode == 'B'
    values.view('u1').reshape(-1)[:] = 7
    assert store.tobytes() == values.tobytes() == bytes([7]) * values.nbytes


def test_a_full_view_of_another_shape_or_dtype_has_the_same_backing_array():
    values = allocate((4, 6, 4), np.uint8)
    assert backing_array(values.view(np.float32)) is backing_array(values)
    assert backing_array(values.reshape(24, 4)) is backing_array(values)


@pytest.mark.parametrize(
    'part', [lambda a: a[:2], lambda a: a[1:], lambda a: a[:, ::2], lambda a: a.T],
    ids=['start', 'end', 'strided', 'transposed'],
)  # fmt: skip
def test_a_partial_or_reordered_view_has_no_backing_array(part):
    assert backing_array(part(allocate((4, 6), np.uint8))) is None


def test_other_memory_has_no_backing_array():
    assert backing_array(np.zeros((2, 2))) is None
    assert backing_array(np.frombuffer(b'abcd', np.uint8)) is None
    assert backing_array(np.frombuffer(array('f', [1, 2]), np.float32)) is None


def test_a_pool_reuses_an_array_until_its_shape_or_dtype_changes():
    pool = BufferPool()
    first = pool.get('a', (2, 3), np.uint8)
    assert pool.get('a', (2, 3), np.uint8) is first
    assert pool.get('b', (2, 3), np.uint8) is not first
    assert pool.get('a', (3, 3), np.uint8).shape == (3, 3)
    assert pool.get('a', (3, 3), np.float32).dtype == np.float32
