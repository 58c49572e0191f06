"""The learner: losses, slices of the head, units of depth, frozen statistics."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from train_tools import make_learner

from hydranet_ros.errors import TrainingError
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.config import LossSettings
from hydranet_ros.training.learner import depth_loss
from hydranet_ros.training.losses import berhu_loss, relative_loss, silog_loss


@pytest.fixture
def learner(training_sets: Path, tmp_path: Path):
    """Return a function that makes a learner and its batches from a changed recipe."""
    return lambda **changes: make_learner(training_sets, tmp_path, **changes)


def test_the_loss_of_each_task_falls(learner) -> None:
    joint, source = learner()
    batch = source.batch(0)
    optimizer = joint.configure_optimizers()['optimizer']
    history = []
    for _ in range(12):
        losses = joint.losses(batch)
        optimizer.zero_grad()
        joint.task_weights(losses, set(losses)).backward()
        joint.configure_gradient_clipping(optimizer)
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    assert history[-1]['segmentation'] < 0.7 * history[0]['segmentation']
    assert history[-1]['depth'] < 0.9 * history[0]['depth']


@pytest.mark.parametrize('kept', ['labels', 'depth', 'nothing'])
@pytest.mark.parametrize('uncertainty', [False, True])
def test_a_batch_without_some_annotations_trains_without_nan(
    learner, kept: str, uncertainty: bool
) -> None:
    joint, source = learner(losses={'uncertainty': uncertainty, 'depth_start': 30})
    batch = source.batch(0)
    if kept != 'labels':
        batch = batch._replace(labels=torch.full_like(batch.labels, 255))
    if kept != 'depth':
        batch = batch._replace(depth=torch.zeros_like(batch.depth))
    joint.log = lambda *_, **__: None  # logging needs a trainer
    joint.training_step(batch, 0).backward()
    losses = joint.losses(batch)
    assert (losses['segmentation'] > 0) == (kept == 'labels')
    assert (losses['depth'] > 0) == (kept == 'depth')
    heads = joint.network.decoder.heads
    for task, annotation in (('segmentation', 'labels'), ('depth', 'depth')):
        gradients = [p.grad for p in heads[task].parameters()]
        assert all(torch.isfinite(g).all() for g in gradients), 'DDP needs every gradient'
        assert any(g.abs().max() > 0 for g in gradients) == (kept == annotation)


def test_a_data_set_trains_only_its_slice_of_the_head(learner) -> None:
    """With 46 channels, labels of NYUD do not change the channels of KITTI."""
    rows = [{'kind': 'camvid', 'root': 'DATA/camvid', 'channels': [40, 46]},
            {'kind': 'scenes', 'root': 'DATA/scenes', 'channels': [0, 40]}]  # fmt: skip
    joint, source = learner(
        data=rows, network={'num_classes': 46}, mixing='alternating', validation=[]
    )
    changed = []
    for number in range(2):
        joint.zero_grad()
        joint.losses(source.batch(number))['segmentation'].backward()
        gradient = joint.network.decoder.heads['segmentation'].out.bias.grad
        changed.append(gradient.nonzero()[:, 0].tolist())
    assert sorted(map(len, changed)) == [6, 40]
    assert sorted(sum(changed, [])) == list(range(46))


def test_every_labeled_pixel_of_a_mixed_batch_has_the_same_weight(learner) -> None:
    """The loss over two slices is the mean over the pixels, not over the slices."""
    rows = [{'kind': 'camvid', 'root': 'DATA/camvid', 'channels': [0, 6]},
            {'kind': 'scenes', 'root': 'DATA/scenes', 'channels': [0, 6]}]  # fmt: skip
    joint, source = learner(data=rows)
    joint.eval()
    batch = source.batch(0)
    same = joint.losses(batch)['segmentation']
    wide = batch.channels.clone()
    joint_wide, _ = learner(data=rows, network={'num_classes': 12})
    with torch.no_grad():
        states = joint_wide.network.state_dict()
        for key, value in joint.network.state_dict().items():
            head = key.startswith('decoder.heads.segmentation.out')
            states[key] = torch.cat([value, value]) if head else value
        joint_wide.network.load_state_dict(states)
    wide[2:] += 6
    split = joint_wide.eval().losses(batch._replace(channels=wide))['segmentation']
    assert split.item() == pytest.approx(same.item(), rel=1e-5)


def test_frozen_batch_normalization_keeps_its_statistics(learner) -> None:
    joint, source = learner(network={'frozen_batch_norm': True})
    before = {k: v.clone() for k, v in joint.network.named_buffers()}
    joint.train()
    joint.losses(source.batch(0))
    assert all(torch.equal(before[k], v) for k, v in joint.network.named_buffers())


def test_the_finished_network_predicts_meters(learner) -> None:
    """During training one unit of the head is 10 m."""
    joint, source = learner()
    image = source.batch(0).image
    joint.eval()
    network = joint.finished_network()
    meters = network(network.normalize(image))['depth']
    assert torch.allclose(meters, joint(image)['depth'], rtol=1e-3, atol=1e-3)
    assert meters.mean().item() == pytest.approx(30, abs=8), 'depth_start'


def test_the_predictor_shows_a_slice_of_the_head_as_labels_from_zero(learner) -> None:
    joint, source = learner(network={'num_classes': 46}, losses={'depth_start': 30})
    image = source.batch(0).image[0].numpy()
    found = joint.predictor((40, 46))(image)
    assert found['labels'].shape == found['depth'].shape == image.shape[:2]
    assert found['labels'].max() < 6
    assert np.isfinite(found['depth']).all()


def test_a_learner_starts_from_the_weights_of_another_network(learner) -> None:
    torch.manual_seed(5)
    network = build_hydranet(HydraNetConfig(), init='kaiming')
    joint, _ = learner()
    joint.start_from(network, 'given.ckpt')
    image = torch.rand(1, 3, 32, 48)
    found = joint.eval().finished_network()(image)
    expected = network.eval()(image)
    assert torch.allclose(found['depth'], expected['depth'], rtol=1e-4, atol=1e-4)
    assert torch.equal(found['segmentation'], expected['segmentation'])


def test_weights_of_another_architecture_are_refused(learner) -> None:
    joint, _ = learner()
    with pytest.raises(TrainingError, match=r'given\.ckpt holds .*num_classes=40.*recipe defines'):
        joint.start_from(build_hydranet(HydraNetConfig(num_classes=40)), 'given.ckpt')


def test_a_loss_that_is_not_finite_is_an_error(learner) -> None:
    joint, source = learner()
    with torch.no_grad():
        joint.network.decoder.heads['depth'].out.weight.fill_(float('nan'))
    with pytest.raises(TrainingError, match='not finite at step 0.*optimizer.learning_rate'):
        joint.training_step(source.batch(0), 0)


@pytest.mark.parametrize('clip', [0.0, 0.5])
def test_encoder_and_decoder_are_clipped_separately(learner, clip: float) -> None:
    joint, _ = learner(optimizer={'kind': 'adamw', 'clip': clip})
    parts = joint.network.encoder, joint.network.decoder
    for value, part in enumerate(parts, 1):
        for parameter in part.parameters():
            parameter.grad = torch.full_like(parameter, value)
    joint.configure_gradient_clipping()
    norms = [torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in part.parameters()]))
             for part in parts]  # fmt: skip
    if clip:
        assert [norm.item() for norm in norms] == pytest.approx([clip, clip], rel=1e-3)
    else:
        assert min(norms) > 100


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('silog', silog_loss), ('relative', relative_loss), ('berhu', berhu_loss),
        ('berhu_official', partial(berhu_loss, official=True)),
    ],
)  # fmt: skip
def test_the_settings_select_the_depth_loss(name: str, expected) -> None:
    torch.manual_seed(0)
    prediction, target = torch.rand(2, 1, 4, 5) * 30 - 5, torch.rand(2, 8, 10) * 30
    settings = LossSettings(depth_loss=name, variance_focus=0.85)
    assert depth_loss(prediction, target, settings) == expected(prediction, target)


def test_a_network_of_normals_alone_trains_by_their_loss(learner) -> None:
    joint, source = learner(network={'tasks': ['normals']}, losses={})
    normals = torch.zeros(4, 3, 32, 48)
    normals[:, 2] = -1
    joint.log = lambda *_, **__: None
    batch = source.batch(0)._replace(normals=normals)
    assert set(joint.losses(batch)) == {'normals'}
    joint.training_step(batch, 0).backward()
    assert joint.network.decoder.heads['normals'].out.weight.grad.abs().max() > 0
