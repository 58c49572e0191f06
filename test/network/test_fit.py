"""Checkpoints that fit a preset, and those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydranet_ros.errors import CheckpointError
from hydranet_ros.model_files.preset import Preset
from hydranet_ros.network.checkpoints import Checkpoint
from hydranet_ros.network.fit import require_fit
from hydranet_ros.network.hydranet import HydraNetConfig

BOTH = ('segmentation', 'depth')


def fit(classes: int, tasks: tuple[str, ...], preset: str, domain: str = '', need=()) -> None:
    checkpoint = Checkpoint(HydraNetConfig('mobilenet_v2', classes, tasks), {}, 'own')
    facts = Preset.load(preset).model(domain).export
    require_fit(checkpoint, Path('runs/a.ckpt'), facts, preset, need)


@pytest.mark.parametrize(('classes', 'tasks', 'preset', 'domain'), [
    (6, BOTH, 'kitti', ''),
    (40, ('segmentation',), 'nyud', ''),
    (46, BOTH, 'nyud_kitti', 'kitti'),
    (46, BOTH, 'nyud_kitti', 'nyud'),
    (47, BOTH, 'nyud_kitti', 'kitti'),
    (3, ('depth',), 'kitti', ''),
])  # fmt: skip
def test_a_checkpoint_with_the_classes_of_the_preset_fits(classes, tasks, preset, domain) -> None:
    fit(classes, tasks, preset, domain)


@pytest.mark.parametrize(('classes', 'preset', 'domain', 'needs'), [
    (5, 'kitti', '', '6 classes'),
    (7, 'kitti', '', '6 classes'),
    (45, 'nyud_kitti', 'kitti', 'at least 46 classes'),
])  # fmt: skip
def test_other_numbers_of_classes_do_not_fit(classes, preset, domain, needs) -> None:
    message = rf"a\.ckpt has .* and {classes} classes; preset '{preset}' needs {needs}"
    with pytest.raises(CheckpointError, match=message):
        fit(classes, BOTH, preset, domain)


def test_a_missing_task_does_not_fit_where_it_is_required() -> None:
    fit(6, ('depth',), 'kitti', need=('depth',))
    with pytest.raises(
        CheckpointError, match='has depth and 6 .* needs segmentation, depth and|,'
    ):
        fit(6, ('depth',), 'kitti', need=BOTH)
