"""Data sets and teachers of the tests of training and distillation; one thread for PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from distil_tools import write_half_annotated, write_images
from evaluation_tools import write_checkpoint
from train_tools import write_sets


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """
    Run PyTorch in one thread.

    On a busy machine the threads wait for one another. Child processes with one thread give equal
    results.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='session')
def training_sets(tmp_path_factory) -> Path:
    """Return a folder with a CamVid set and a set of rendered scenes, two images each."""
    return write_sets(tmp_path_factory.mktemp('sets'))


@pytest.fixture(scope='session')
def teacher_checkpoint(tmp_path_factory) -> Path:
    """Return a checkpoint of six classes and depth whose predictions vary over an image."""
    folder = tmp_path_factory.mktemp('teacher')
    return write_checkpoint(
        folder / 'teacher.ckpt', 6, ('segmentation', 'depth'), scale=40, seed=3
    )


@pytest.fixture(scope='session')
def unlabeled(tmp_path_factory) -> Path:
    """Return a folder of three images."""
    return write_images(tmp_path_factory.mktemp('unlabeled') / 'set', 3)


@pytest.fixture(scope='session')
def half(tmp_path_factory) -> Path:
    """Return a data set of three images: one with labels, one with depth, one with nothing."""
    return write_half_annotated(tmp_path_factory.mktemp('half') / 'set')
