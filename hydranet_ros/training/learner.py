"""The Lightning module that trains the joint network."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from hydranet_ros.errors import TrainingError
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.network.hydranet import HydraNet, HydraNetConfig, build_hydranet
from hydranet_ros.training.batches import Batch
from hydranet_ros.training.config import LossSettings, TrainConfig
from hydranet_ros.training.evaluation.predictors import network_predictor
from hydranet_ros.training.evaluation.tally import Predictor
from hydranet_ros.training.losses import (
    TaskWeights,
    berhu_loss,
    normals_loss,
    relative_loss,
    segmentation_loss,
    silog_loss,
)
from hydranet_ros.training.optimizer import build_optimizer
from hydranet_ros.training.schedules import rate


class JointLearner(LightningModule):
    """
    The network with its losses and its optimizer.

    One unit of the depth head is ``losses.depth_unit`` meters during training.
    :meth:`finished_network` returns a network whose unit is one meter.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        settings = config.network
        network = build_hydranet(
            HydraNetConfig(settings.encoder, settings.num_classes, settings.tasks),
            init=settings.start,
        )
        self.network: HydraNet = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        losses = config.losses
        if 'depth' in settings.tasks and losses.depth_start:
            bias = self.network.decoder.heads['depth'].out.bias
            nn.init.constant_(bias, losses.depth_start / losses.depth_unit)
        self.task_weights = TaskWeights(
            {task: getattr(losses, task) for task in settings.tasks}, learned=losses.uncertainty
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, h, w, 3) uint8 RGB to the raw outputs, depth in meters."""
        outputs = self.network(self.network.normalize(image))
        if 'depth' in outputs:
            outputs['depth'] = outputs['depth'].float() * self.config.losses.depth_unit
        return outputs

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of each task; 0 for a task without annotations in the batch."""
        settings = self.config.losses
        outputs = self(batch.image)
        found = {}
        with torch.autocast(self.device.type, enabled=False):
            if 'segmentation' in outputs:
                found['segmentation'] = self._segmentation(outputs['segmentation'], batch)
            if 'depth' in outputs:
                found['depth'] = depth_loss(outputs['depth'], batch.depth, settings)
            if 'normals' in outputs:
                found['normals'] = normals_loss(outputs['normals'], batch.normals)
        return found

    def _segmentation(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return the cross entropy of each image on its own slice of the channels."""
        labels = batch.labels.long()
        smoothing = self.config.losses.smoothing
        total = logits.sum() * 0.0
        known = (labels != UNLABELED).sum().clamp_min(1)
        for first, end in {(int(a), int(b)) for a, b in batch.channels}:
            chosen = (batch.channels == torch.tensor([first, end], device=self.device)).all(1)
            share = (labels[chosen] != UNLABELED).sum() / known
            total = total + share * segmentation_loss(
                logits[chosen, first:end], labels[chosen], smoothing=smoothing
            )
        return total

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """
        Return the total loss of a batch.

        :raises TrainingError: if it is not finite.
        """
        found = self.losses(batch)
        present = set()
        if bool((batch.labels != UNLABELED).any()):
            present.add('segmentation')
        if bool((batch.depth > 0).any()):
            present.add('depth')
        if bool((batch.normals != 0).any()):
            present.add('normals')
        total = self.task_weights(found, present)
        if not bool(torch.isfinite(total)):
            shown = {name: float(value.detach()) for name, value in found.items()}
            raise TrainingError(
                f'The loss is not finite at step {self.global_step}: {shown}. '
                'Lower optimizer.learning_rate.'
            )
        self.log('loss', total.detach(), prog_bar=True)
        for name in sorted(present & set(found)):
            self.log(f'train/{name}', found[name].detach(), prog_bar=True)
        return total

    def validation_step(self, batch: Any, index: int) -> None:
        """Do nothing: a callback validates on whole images of several data sets."""

    def predictor(self, channels: tuple[int, int]) -> Predictor:
        """
        Return a function that maps an (H, W, 3) uint8 RGB image to a prediction.

        :param channels: (first, last + 1) channel of the segmentation head; the first is label 0.
        """
        return network_predictor(self.finished_network().to(self.device), channels)

    def configure_optimizers(self) -> Any:  # type: ignore[override]
        """Return the optimizer and its schedule per step."""
        config = self.config
        optimizer = build_optimizer(
            self.network.encoder, self.network.decoder, config.optimizer,
            others=list(self.task_weights.parameters()),
        )  # fmt: skip
        total = config.total_steps
        schedule = LambdaLR(optimizer, lambda step: rate(config.schedule, step, total))
        return {'optimizer': optimizer,
                'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}  # fmt: skip

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Clip encoder and decoder separately: the depth head has the largest gradients."""
        if self.config.optimizer.clip:
            for part in (self.network.encoder, self.network.decoder):
                nn.utils.clip_grad_norm_(part.parameters(), self.config.optimizer.clip)

    def train(self, mode: bool = True) -> JointLearner:
        """Switch to training mode; frozen batch normalization stays in evaluation mode."""
        super().train(mode)
        if mode and self.config.network.frozen_batch_norm:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    @torch.no_grad()
    def finished_network(self) -> HydraNet:
        """Return a copy of the network for evaluation, with depth in meters."""
        network = deepcopy(self.network).cpu().eval().requires_grad_(False)
        _scale_depth(network, self.config.losses.depth_unit)
        return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    @torch.no_grad()
    def start_from(self, network: HydraNet, name: str) -> None:
        """
        Copy the weights of a network whose depth output is in meters.

        :param name: name of its file, for messages.
        :raises TrainingError: if it has another architecture.
        """
        if network.config != self.network.config:
            raise TrainingError(
                f'{name} holds {network.config}; the recipe defines {self.network.config}. '
                'Choose another file, or change `network` in the recipe.'
            )
        copy = deepcopy(network)
        _scale_depth(copy, 1 / self.config.losses.depth_unit)
        self.network.load_state_dict(copy.state_dict())


def depth_loss(prediction: Tensor, target: Tensor, settings: LossSettings) -> Tensor:
    """Return the depth loss that the settings select."""
    if settings.depth_loss == 'silog':
        return silog_loss(prediction, target, variance_focus=settings.variance_focus)
    if settings.depth_loss == 'relative':
        return relative_loss(prediction, target)
    return berhu_loss(prediction, target, official=settings.depth_loss == 'berhu_official')


@torch.no_grad()
def _scale_depth(network: HydraNet, factor: float) -> None:
    if 'depth' in network.config.tasks:
        for value in network.decoder.heads['depth'].get_submodule('out').parameters():
            value.mul_(factor)
