"""A small annotated data set, and its evaluation under all conditions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from evaluation_tools import write_set
from model_factory import expected_depth, expected_labels
from numpy.typing import NDArray

COUNT = 7


@pytest.fixture(scope='session')
def images() -> list[NDArray[np.uint8]]:
    """Return seven images of 64x48 in blocks of random colors."""
    rng = np.random.default_rng(11)
    coarse = rng.integers(0, 256, (COUNT, 6, 8, 3)).astype(np.uint8)
    return [cv2.resize(item, (64, 48), interpolation=cv2.INTER_NEAREST) for item in coarse]


@pytest.fixture(scope='session')
def truth(tmp_path_factory, images) -> str:
    """Return a source whose image i has i of 48 rows of wrong labels; depth is a fifth too near
    in all but the first image."""

    def labels(i: int, image: np.ndarray) -> np.ndarray:
        found = expected_labels(image)
        found[:i] = (found[:i] + 1) % 3
        return found

    def depth(i: int, image: np.ndarray) -> np.ndarray:
        return expected_depth(image) / (1.25 if i else 1.0)

    return write_set(tmp_path_factory.mktemp('truth'), images, labels=labels, depth=depth)


@pytest.fixture(scope='session')
def measured(tiny_model, truth):
    """Return the evaluation of the small model on it, clear and under each corruption."""
    from hydranet_ros.training.evaluation.run import EvalOptions, evaluate

    return evaluate(str(tiny_model), [truth], EvalOptions(severity=3))
