"""Distillation of a data set: what is written, refused, and resumed."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT, wait_for
from distil_tools import (
    HEIGHT,
    WIDTH,
    contents,
    manifest_of,
    png,
    rgb,
    run_distil,
    write_images,
)
from evaluation_tools import write_checkpoint
from model_factory import FOCAL_LENGTH, expected_depth, expected_labels, make_model

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.training.distil import DistilOptions, distil, open_data, parse_scales
from hydranet_ros.training.sample import Sample
from hydranet_ros.training.teachers import open_teacher
from hydranet_ros.training.test_time_augmentation import TestTimeAugmentation

# --- what is written -----------------------------------------------------------------------------


def test_original_annotations_are_kept_and_missing_ones_are_the_teachers(
    half: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    report = run_distil(tiny_model, half, out, confidence=0)
    assert report.original == {'labels': 1, 'depth': 1}
    assert report.pseudo == {'labels': 2, 'depth': 2}
    assert (png(out / 'labels/000.png') == png(half / 'labels/000.png')).all()
    original = png(half / 'depth/001.png') / 1000
    np.testing.assert_allclose(png(out / 'depth/001.png') / 256, original, atol=0.5 / 256)
    image = rgb(half / 'images/001.jpg')
    assert (png(out / 'labels/001.png') == expected_labels(image)).all()
    rows = manifest_of(out)['images']
    assert [rows['000'][key] for key in ('labels', 'depth')] == ['data', 'teacher']
    assert [rows['001'][key] for key in ('labels', 'depth')] == ['teacher', 'data']
    assert [rows['002'][key] for key in ('labels', 'depth')] == ['teacher', 'teacher']


def test_depth_is_that_of_the_images_camera_and_the_sky_has_none(
    half: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    run_distil(tiny_model, half, out)
    meters = expected_depth(rgb(half / 'images/000.jpg')) * 200 / FOCAL_LENGTH
    stored = png(out / 'depth/000.png')
    assert stored.dtype == np.uint16
    assert (stored[:10] == 0).all(), 'the first ten rows are labeled as sky'
    np.testing.assert_allclose(stored[10:] / 256, meters[10:], atol=1 / 256)


def test_an_unknown_camera_gets_the_focal_length_of_the_teacher(
    unlabeled: Path, tmp_path: Path
) -> None:
    teacher = make_model(tmp_path / 'teacher.onnx', tasks=('depth',))
    run_distil(teacher, unlabeled, tmp_path / 'out', task='depth')
    row = manifest_of(tmp_path / 'out')['images']['001']
    assert (row['focal_length'], row['focal_length_from']) == (FOCAL_LENGTH, 'teacher')
    expected = expected_depth(rgb(unlabeled / 'images/001.jpg'))
    stored = png(tmp_path / 'out/depth/001.png') / 256
    np.testing.assert_allclose(stored, expected, atol=1 / 256)


def test_labels_below_the_confidence_are_255(unlabeled: Path, tmp_path: Path) -> None:
    """The confidence of the test model is the green channel of the image."""
    out = tmp_path / 'out'
    teacher = make_model(tmp_path / 'teacher.onnx', tasks=('segmentation',))
    report = run_distil(teacher, unlabeled, out, task='labels', confidence=0.4)
    image = rgb(unlabeled / 'images/002.jpg')
    sure = image[..., 1] >= 0.4 * 255
    assert 0 < sure.mean() < 1
    expected = np.where(sure, expected_labels(image), 255)
    assert (png(out / 'labels/002.png') == expected).all()
    kept = [float((png(path) != 255).mean()) for path in sorted((out / 'labels').iterdir())]
    assert report.kept == pytest.approx(np.mean(kept), abs=1e-3)
    assert not (out / 'depth').exists()


def test_the_result_is_read_as_a_folder_data_set(
    half: Path, teacher_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    run_distil(teacher_checkpoint, half, out, confidence=0)
    samples, before = open_data(f'folder:{out}', {}), open_data(f'folder:{half}', {})
    assert len(samples) == 3
    for new, old in zip(samples, before):
        assert new.labels is not None and new.depth is not None
        assert (new.image == old.image).all()
        assert new.focal_length == old.focal_length == 200
    assert (samples[0].labels == before[0].labels).all()
    np.testing.assert_allclose(samples[1].depth, before[1].depth, atol=0.5 / 256)


def test_max_depth_limits_the_pseudo_labels_only(
    half: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    run_distil(tiny_model, half, out, max_depth=12)
    assert png(out / 'depth/001.png').max() / 256 == pytest.approx(12.345, abs=0.01)
    meters = expected_depth(rgb(half / 'images/002.jpg')) * 2
    surface = png(out / 'labels/002.png') != 0
    stored = png(out / 'depth/002.png')
    assert (meters[surface] > 12).any() and (meters[surface] < 12).any()
    assert ((stored > 0) == (surface & (meters <= 12))).all()


def test_depth_for_labeled_photographs(data_dir: Path, tmp_path: Path) -> None:
    """The second direction of the paper, on CamVid."""
    source = f'camvid:{data_dir / "camvid"}:val?limit=2&focal_length=500'
    checkpoint = write_checkpoint(tmp_path / 'depth.ckpt', 6, ['depth'], scale=40, seed=3)
    samples = open_data(source, {})
    options = DistilOptions(task='depth')
    report = distil(open_teacher(checkpoint), samples, tmp_path / 'out', options, data=source)
    assert report.original == {'labels': 2, 'depth': 0} and report.pseudo['depth'] == 2
    for new, old in zip(open_data(f'folder:{tmp_path / "out"}', {}), samples):
        assert (new.image == old.image).all() and (new.labels == old.labels).all()
        assert new.depth is not None
        assert (new.depth[new.labels == 0] == 0).all(), 'no depth in the sky'
        assert (new.depth[new.labels == 2] > 0).mean() > 0.9


# --- what is refused -----------------------------------------------------------------------------


def test_a_teacher_without_the_task_is_refused(unlabeled: Path, tmp_path: Path) -> None:
    teacher = make_model(tmp_path / 'depth.onnx', tasks=('depth',))
    with pytest.raises(TrainingError, match=r'depth\.onnx predicts depth, not labels.*--task dep'):
        run_distil(teacher, unlabeled, tmp_path / 'out', task='both')
    assert not (tmp_path / 'out').exists()


def test_labels_outside_the_classes_are_refused(
    half: Path, tiny_model: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(half, tmp_path / 'set')
    cv2.imwrite(str(data / 'labels/000.png'), np.full((HEIGHT, WIDTH), 3, np.uint8))
    with pytest.raises(DatasetError, match=r'000 has the label 3; the classes are 0\.\.2'):
        run_distil(tiny_model, data, tmp_path / 'out')


def test_a_folder_of_other_options_is_refused_with_their_names(
    half: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    run_distil(tiny_model, half, out)
    before = (out / 'manifest.json').read_bytes()
    with pytest.raises(TrainingError) as caught:
        run_distil(
            tiny_model, half, out, confidence=0.7, augmentation=TestTimeAugmentation(flip=True)
        )
    text = str(caught.value)
    assert 'confidence: 0.5 there, 0.7 now' in text
    assert 'augmentation.flip: False there, True now' in text
    assert 'max_depth' not in text
    other = make_model(tmp_path / 'other.onnx', tasks=('segmentation', 'depth', 'normals'))
    with pytest.raises(TrainingError, match=r'teacher\.sha256'):
        run_distil(other, half, out)
    assert (out / 'manifest.json').read_bytes() == before


def test_an_empty_data_set_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='x contains no images'):
        distil(open_teacher(tiny_model), [], tmp_path / 'out', DistilOptions(), data='x')


@pytest.mark.parametrize(('options', 'message'), [
    ({'task': 'normals'}, 'allowed: labels, depth, both'),
    ({'confidence': 1.5}, r'allowed: 0\.\.1'),
    ({'depth_scale': 0}, 'depth_scale must be above 0'),
    ({'max_depth': -1}, 'max_depth 0 or more'),
])  # fmt: skip
def test_options_that_are_not_allowed_are_refused(options: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        DistilOptions(**options)


@pytest.mark.parametrize('scales', ['', 'big', '1,,2'])
def test_scales_that_are_not_numbers_are_refused(scales: str) -> None:
    with pytest.raises(TrainingError, match=r'0\.75,1,1\.25'):
        parse_scales(scales)


# --- interrupted and resumed ---------------------------------------------------------------------


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-m', 'hydranet_ros', 'distil', *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )  # fmt: skip


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.is_file() else 0


@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGINT])
def test_a_resumed_run_ends_with_the_same_bytes(
    teacher_checkpoint: Path, tmp_path: Path, how: signal.Signals
) -> None:
    """A real process is stopped while it reads its third image, a pipe without a writer."""
    data, out = write_images(tmp_path / 'data', 4), tmp_path / 'out'
    third = data / 'images/002.jpg'
    original = third.read_bytes()
    third.unlink()
    os.mkfifo(third)
    process = start(teacher_checkpoint, f'folder:{data}', '-o', out, '--flip')
    wait_for(
        lambda: lines_of(out / 'journal.jsonl') == 2 or process.poll() is not None, timeout=120
    )
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130, errors
        assert 'same command' in errors and 'Traceback' not in errors
        assert list(manifest_of(out)['images']) == ['000', '001']
    assert not manifest_of(out)['complete']
    with (out / 'journal.jsonl').open('a') as handle:
        handle.write('{"index": 3, "na')  # a line truncated by SIGKILL
    third.unlink()
    third.write_bytes(original)
    options = {'augmentation': TestTimeAugmentation(flip=True)}
    written = (out / 'labels/000.png').stat().st_mtime_ns
    run_distil(teacher_checkpoint, data, out, **options)
    assert manifest_of(out)['complete']
    assert (out / 'labels/000.png').stat().st_mtime_ns == written, 'finished images are skipped'
    run_distil(teacher_checkpoint, data, tmp_path / 'whole', **options)
    assert contents(out) == contents(tmp_path / 'whole')


def test_a_full_disk_is_one_clear_error_and_the_run_can_be_resumed(
    tiny_model: Path, tmp_path: Path
) -> None:
    """The second image exceeds the limit of the file size."""
    rng = np.random.default_rng(0)
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    samples = [Sample('flat', flat), Sample('noise', noise)]
    teacher, out = open_teacher(tiny_model), tmp_path / 'out'
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))
    try:
        with pytest.raises(DatasetError, match='cannot be written.*run the same command again'):
            distil(teacher, samples, out, DistilOptions())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(manifest_of(out)['images']) == ['flat']
    assert not list(out.rglob('*.part'))
    distil(teacher, samples, out, DistilOptions())
    assert list(manifest_of(out)['images']) == ['flat', 'noise']


def test_the_command_prints_the_counts(half: Path, tiny_model: Path, tmp_path: Path) -> None:
    done = start(tiny_model, 'folder:HALF', '--data', f'HALF={half}', '-o', tmp_path / 'out')
    output, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert '3 images; labels: 1 original, 2 pseudo-labeled' in output
