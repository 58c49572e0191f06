"""Evaluation of a model on data sets, under several conditions."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT
from evaluation_tools import write_set
from model_factory import FOCAL_LENGTH, expected_depth, expected_labels, make_model

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.adverse import CORRUPTIONS
from hydranet_ros.training.evaluation import run as running
from hydranet_ros.training.evaluation.report import report
from hydranet_ros.training.evaluation.run import (
    CLEAR,
    MEAN,
    EvalOptions,
    corrupted_image,
    evaluate,
    mean_metrics,
    spread,
)
from hydranet_ros.training.evaluation.tables import notes
from hydranet_ros.training.sample import Sample


def test_metrics_are_those_computed_by_hand(measured) -> None:
    """Image i has i of 48 wrong rows, 21 rows of 7 x 48; depth is off by a quarter in 6 of 7."""
    metrics = measured.results[0].metrics()[CLEAR]
    assert metrics['segmentation']['pixel_accuracy'] == pytest.approx(1 - 21 / (7 * 48))
    assert metrics['depth_pooled']['abs_rel'] == pytest.approx(0.25 * 6 / 7, rel=1e-3)
    assert metrics['depth_per_image']['abs_rel'] == pytest.approx(0.25 * 6 / 7, rel=1e-3)
    rows = measured.results[0].images
    assert [row[CLEAR]['pixel_accuracy'] for row in rows] == pytest.approx(
        [1 - i / 48 for i in range(7)]
    )


def test_every_corruption_is_measured_and_averaged(measured) -> None:
    metrics = measured.results[0].metrics()
    assert list(metrics) == [CLEAR, *CORRUPTIONS, MEAN]
    for group, name in (('segmentation', 'miou'), ('depth_pooled', 'rmse')):
        values = [metrics[condition][group][name] for condition in CORRUPTIONS]
        assert metrics[MEAN][group][name] == pytest.approx(sum(values) / len(values))
        assert len(set(values)) > 1


def test_the_mean_leaves_out_conditions_without_the_metric() -> None:
    rows = [{'segmentation': {'miou': 0.5}}, {'segmentation': {'miou': 0.7}}, {}]
    assert mean_metrics(rows) == {'segmentation': {'miou': pytest.approx(0.6)}}


def test_an_image_has_the_same_corruption_in_every_run(tiny_model, truth, measured) -> None:
    """Neither the limit nor the other images change image 3."""
    part = evaluate(str(tiny_model), [truth], EvalOptions(severity=3, limit=1)).results[0]
    assert [row['index'] for row in part.images] == [3]
    assert part.images[0] == measured.results[0].images[3]


def test_a_corruption_depends_on_seed_name_and_image() -> None:
    image = np.full((40, 60, 3), 120, np.uint8)
    sample = Sample('a', image)

    def made(name: str, index: int, seed: int) -> bytes:
        options = EvalOptions(severity=3, seed=seed)
        return corrupted_image(sample, name, index, options).tobytes()

    assert made('snow', 4, 1) == made('snow', 4, 1)
    others = {made('snow', 4, 1), made('snow', 5, 1), made('snow', 4, 2), made('rain', 4, 1)}
    assert len(others) == 4
    assert corrupted_image(sample, CLEAR, 0, EvalOptions()) is image


def test_fog_follows_the_depth_of_the_sample() -> None:
    image = np.full((40, 60, 3), 20, np.uint8)
    options = EvalOptions(severity=3)
    near, far = (
        corrupted_image(Sample('a', image, depth=np.full((40, 60), meters, np.float32)), 'fog', 0,
                        options).mean()
        for meters in (2.0, 60.0)
    )  # fmt: skip
    assert far > near + 20


def test_a_limit_is_spread_over_the_set() -> None:
    assert spread(101, 4) == (12, 37, 63, 88)
    assert spread(5, 0) == spread(5, 9) == (0, 1, 2, 3, 4)
    assert all(len(set(spread(100, n))) == n for n in range(1, 101))


def test_depth_is_scaled_by_the_focal_length_of_the_set(tmp_path, tiny_model, images) -> None:
    source = write_set(
        tmp_path, images[:2], depth=lambda i, image: 2 * expected_depth(image),
        focal_length=2 * FOCAL_LENGTH,
    )  # fmt: skip
    metrics = evaluate(str(tiny_model), [source], EvalOptions()).results[0].metrics()
    assert metrics[CLEAR]['depth_pooled']['abs_rel'] == pytest.approx(0, abs=1e-3)
    assert 'segmentation' not in metrics[CLEAR]


def test_depth_counts_within_the_requested_limits(tiny_model, truth) -> None:
    options = EvalOptions(nearest=4.0, farthest=6.0)
    result = evaluate(str(tiny_model), [truth], options).results[0]
    counted = sum(((t > 4) & (t < 6)).sum() for t in (s.depth for s in result.samples))
    assert 0 < result.tallies[CLEAR].depth.pixels == counted
    assert evaluate(str(tiny_model), [truth], EvalOptions()).results[0].protocol.farthest == 80


@pytest.mark.parametrize('given', [
    {'crop': 'middle'}, {'nearest': 0.0}, {'nearest': 5.0, 'farthest': 2.0},
])  # fmt: skip
def test_options_that_are_not_allowed_are_refused(given: dict) -> None:
    with pytest.raises(DatasetError, match='allowed'):
        EvalOptions(**given)


def test_a_set_without_anything_to_measure_is_an_error(tmp_path, tiny_model, truth, images):
    bare = write_set(tmp_path / 'bare', images[:2])
    with pytest.raises(DatasetError, match='nothing to measure.* has 2 images, 0 with labels'):
        evaluate(str(tiny_model), [bare], EvalOptions())
    only_depth = make_model(tmp_path / 'depth.onnx', tasks=('depth',))
    labels = write_set(tmp_path / 'labels', images[:2], labels=lambda i, x: expected_labels(x))
    with pytest.raises(DatasetError, match='2 with labels, 0 with depth.*model predicts depth'):
        evaluate(str(only_depth), [labels], EvalOptions())
    with pytest.raises(DatasetError, match='between 50 and 60 m'):
        evaluate(str(only_depth), [truth], EvalOptions(nearest=50, farthest=60))


def test_labels_of_other_classes_are_a_warning_or_an_error(tmp_path, tiny_model, images) -> None:
    source = write_set(tmp_path, images[:1], labels=lambda i, x: expected_labels(x) * 4)
    result = evaluate(str(tiny_model), [source], EvalOptions()).results[0]
    assert 'classes that the model does not have' in result.warnings[0]
    assert result.warnings[0] in list(notes(result))
    with pytest.raises(DatasetError, match=r'wall, floor.*the model has sky, building, road'):
        evaluate(str(tiny_model), [f'{source}?classes=nyud40'], EvalOptions())


def test_ctrl_c_keeps_the_images_measured_so_far(tiny_model, truth, measured, monkeypatch):
    """The signal comes in the middle of the third image, which is still finished."""

    class Interrupted(running.Tally):
        def add(self, sample, prediction):
            if sample.name == '2':
                os.kill(os.getpid(), signal.SIGINT)
            return super().add(sample, prediction)

    monkeypatch.setattr(running, 'Tally', Interrupted)
    before = signal.getsignal(signal.SIGINT)
    evaluation = evaluate(str(tiny_model), [truth, truth], EvalOptions())
    assert signal.getsignal(signal.SIGINT) is before
    assert evaluation.stopped
    assert len(evaluation.results) == 1
    assert evaluation.results[0].images == [
        {key: value for key, value in row.items() if key not in CORRUPTIONS}
        for row in measured.results[0].images[:3]
    ]
    assert report(evaluation)['stopped_early'] is True
    assert report(evaluation)['data'][0]['measured'] == 3


def test_a_second_ctrl_c_interrupts_at_once(tiny_model, truth, monkeypatch) -> None:
    class Interrupted(running.Tally):
        def add(self, sample, prediction):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            return super().add(sample, prediction)

    monkeypatch.setattr(running, 'Tally', Interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(str(tiny_model), [truth], EvalOptions())


def test_progress_counts_the_images_of_all_sets(tiny_model, truth) -> None:
    seen: list[tuple[int, int, str]] = []
    evaluate(str(tiny_model), [truth, truth], EvalOptions(limit=2),
             progress=lambda *state: seen.append(state))  # fmt: skip
    assert seen == [(done, 4, truth) for done in (1, 2, 3, 4)]


def test_the_kitti_example_has_the_iou_of_pixel_sets(data_dir: Path) -> None:
    """A second implementation: sets of pixels instead of a confusion matrix."""
    from hydranet_ros.inference.engine import Engine, EngineOptions

    model = ROOT / 'models' / 'street' / 'street.onnx'
    folder = data_dir / 'kitti'
    result = evaluate(
        str(model), [f'colored:{folder}'], EvalOptions(), model_options={'provider': 'cpu'}
    )
    image = cv2.imread(str(folder / '000099.png'))[..., ::-1]
    colors = cv2.imread(str(folder / 'segm_gt_000099.png'))[..., ::-1]
    engine = Engine(model, EngineOptions(provider='cpu'))
    labels = engine.infer(np.ascontiguousarray(image)).labels
    known = np.zeros(labels.shape, bool)
    for item in engine.info.classes:
        known |= (colors == item.color).all(-1)
    ious = []
    for item in engine.info.classes:
        true, predicted = (colors == item.color).all(-1), (labels == item.id) & known
        ious.append((true & predicted).sum() / (true | predicted).sum())
    metrics = result.results[0].metrics()[CLEAR]['segmentation']
    assert metrics['miou'] == pytest.approx(np.mean(ious))
