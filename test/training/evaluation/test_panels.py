"""Panels of one image: predictions beside the truth, errors marked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation_tools import write_set
from model_factory import make_model

from hydranet_ros.training.evaluation.panels import depth_limits, panels
from hydranet_ros.training.evaluation.run import CLEAR, EvalOptions, evaluate
from hydranet_ros.training.evaluation.sheet import choose
from hydranet_ros.training.sample import Sample


def panels_of(result, index: int) -> dict[str, np.ndarray]:
    sample = result.samples[index]
    return panels(result, sample, result.model.predict(sample.image))


def test_wrong_classes_are_red_and_right_ones_are_not(measured) -> None:
    """Image 6 has 6 wrong rows."""
    wrong = panels_of(measured.results[0], 6)['wrong classes (red)'].astype(int)
    red = (wrong[..., 0] > 120) & (wrong[..., 1] < 90)
    assert red[:6].all()
    assert not red[6:].any()


def test_a_relative_error_of_depth_is_bright(measured) -> None:
    """The depth of image 6 is a quarter off; that of image 0 is right."""
    right, wrong = (
        panels_of(measured.results[0], i)['relative error, 0 to 50%'].mean() for i in (0, 6)
    )
    assert right < 5 < 60 < wrong


def test_an_image_without_annotations_has_predictions_only(measured) -> None:
    result = measured.results[0]
    sample = Sample('a', result.samples[0].image)
    found = panels(result, sample, result.model.predict(sample.image))
    assert list(found) == ['image', 'predicted classes', 'predicted depth']


def test_unlabeled_pixels_are_dark_and_not_wrong(measured) -> None:
    result = measured.results[0]
    image = result.samples[0].image
    sample = Sample('a', image, labels=np.full(image.shape[:2], 255, np.uint8))
    found = panels(result, sample, result.model.predict(image))
    assert (found['wrong classes (red)'] == 0).all()
    assert found['true classes'].mean() < found['predicted classes'].mean()


def test_points_of_sparse_depth_are_enlarged(measured) -> None:
    result = measured.results[0]
    image = result.samples[0].image
    depth = np.zeros(image.shape[:2], np.float32)
    depth[20, 30] = 5
    found = panels(result, Sample('a', image, depth=depth), result.model.predict(image))
    colored = (found['true depth'] != found['true depth'][0, 0]).any(-1)
    assert colored.sum() == 25
    assert found['relative error, 0 to 50%'].any(-1).sum() == 25


def test_normals_are_compared_by_angle(tmp_path: Path, images) -> None:
    """The model predicts (0, 0, -1); half of the truth is that, half is a floor (0, -1, 0)."""
    model = make_model(tmp_path / 'normals.onnx', tasks=('normals',))
    source = write_set(tmp_path / 'set', images[:1])
    (tmp_path / 'set' / 'normals').mkdir()
    coded = np.full((48, 64, 3), (128, 0, 128), np.uint8)
    coded[:, 32:] = (128, 128, 255)
    cv2.imwrite(str(tmp_path / 'set' / 'normals' / '0.png'), coded[..., ::-1])
    result = evaluate(str(model), [source], EvalOptions()).results[0]
    metrics = result.metrics()[CLEAR]['normals']
    assert metrics['angle_mean'] == pytest.approx(45, abs=0.5)
    assert metrics['within_11.25'] == metrics['within_30'] == 0.5
    error = panels_of(result, 0)['angle, 0 to 60 degrees'].astype(int)
    assert error[:, 32:].mean() > 100 > 10 > error[:, :32].mean()
    assert [choice.index for choice in choose(result)] == [0]


def test_depth_colors_have_a_finite_range(tiny_model: Path, truth: str) -> None:
    result = evaluate(str(tiny_model), [truth], EvalOptions(farthest=float('inf'), limit=1))
    assert depth_limits(result.results[0]) == (0, 80)
    result = evaluate(str(tiny_model), [truth], EvalOptions(farthest=20, limit=1))
    assert depth_limits(result.results[0]) == (0, 20)
