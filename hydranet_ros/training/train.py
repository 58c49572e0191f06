"""
The training loop: plain, resumable, with an average of the weights.

``train(config, output)`` writes ``last.ckpt`` (everything needed to go on), ``log.csv`` and, at
the end, ``final.ckpt`` with the averaged weights in the package's own checkpoint format.
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hydranet_ros.errors import TrainingError
from hydranet_ros.network.hydranet import HydraNet, HydraNetConfig, build_hydranet
from hydranet_ros.training.batches import BatchSource
from hydranet_ros.training.config import DataSource, TrainConfig, load_config
from hydranet_ros.training.datasets import load
from hydranet_ros.training.evaluate import evaluate_network
from hydranet_ros.training.losses import segmentation_loss, silog_loss
from hydranet_ros.training.optimiser import build_optimisers
from hydranet_ros.training.sample import Sample

_LOG_FIELDS = (
    'step', 'seconds', 'learning_rate', 'loss', 'segmentation', 'depth', 'miou', 'abs_rel', 'rmse',
)  # fmt: skip


# Metres that an untrained depth head says: the middle of a street, seen by the training camera.
_FIRST_DEPTH = 30.0


class Trainer:
    """One run: the network, its average, the optimiser and where they are kept."""

    def __init__(self, config: TrainConfig, output: Path, roots: Mapping[str, Path]) -> None:
        self.config = config
        self.output = output
        torch.manual_seed(config.seed)
        if config.threads:
            torch.set_num_threads(config.threads)
        network = HydraNetConfig(config.encoder, config.num_classes, config.tasks)
        model = build_hydranet(network, init='kaiming')
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if 'depth' in config.tasks:
            start = _FIRST_DEPTH / config.depth_unit
            nn.init.constant_(self.model.decoder.heads['depth'].out.bias, start)
        self.average = deepcopy(self.model).eval().requires_grad_(False)
        self.optimisers = build_optimisers(
            self.model.encoder, self.model.decoder, learning_rate=config.learning_rate,
            encoder_factor=config.encoder_factor, matrix_rate=config.matrix_rate,
            weight_decay=config.weight_decay,
        )  # fmt: skip
        self.step = 0
        self.seconds = 0.0
        self.batches = BatchSource([_load(item, roots) for item in config.data], config)
        self.validation = [_load(item, roots) for item in config.validation]

    def schedule(self, step: int) -> float:
        """Return the share of the peak rate: linear warm-up, then half a cosine down to 1 %."""
        warm_up = min(self.config.warm_up, max(1, self.config.total_steps // 10))
        if step < warm_up:
            return (step + 1) / warm_up
        done = (step - warm_up) / max(1, self.config.total_steps - warm_up)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))

    def losses(self, image: Tensor, labels: Tensor, depth: Tensor) -> dict[str, Tensor]:
        """Return the loss of each task that the network has."""
        with torch.autocast('cpu', torch.bfloat16, enabled=self.config.bfloat16):
            outputs = self.model(image)
        found = {}
        if 'segmentation' in outputs:
            found['segmentation'] = segmentation_loss(
                outputs['segmentation'], labels, smoothing=self.config.smoothing
            )
        if 'depth' in outputs:
            metres = outputs['depth'].float() * self.config.depth_unit
            found['depth'] = self.config.depth_weight * silog_loss(
                metres, depth, variance_focus=0.5
            )
        return found

    def update(self, batch: tuple[Tensor, Tensor, Tensor]) -> dict[str, float]:
        """Take one optimiser step and return the losses."""
        share = self.schedule(self.step)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group['lr'] = share * group['peak']
        found = self.losses(*batch)
        total = torch.stack(list(found.values())).sum()
        if not bool(torch.isfinite(total)):
            raise TrainingError(
                f'The loss is not finite at step {self.step}: {found}. Lower learning_rate.'
            )
        self.model.zero_grad(set_to_none=True)
        total.backward()
        for part in (self.model.encoder, self.model.decoder):
            nn.utils.clip_grad_norm_(part.parameters(), self.config.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self._update_average()
        return {key: float(value.detach()) for key, value in {'loss': total, **found}.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for kept, new in zip(self.average.state_dict().values(), self.model.state_dict().values()):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def save(self) -> None:
        """Write ``last.ckpt`` so that a kill at any moment leaves a whole file."""
        state = {
            'model': self.model.state_dict(),
            'average': self.average.state_dict(),
            'optimisers': [item.state_dict() for item in self.optimisers],
            'step': self.step,
            'seconds': self.seconds,
        }
        write_atomically(state, self.output / 'last.ckpt')

    def resume(self) -> None:
        """Go on from ``last.ckpt``."""
        path = self.output / 'last.ckpt'
        state = torch.load(path, map_location='cpu', weights_only=True)
        self.model.load_state_dict(state['model'])
        self.average.load_state_dict(state['average'])
        for optimiser, kept in zip(self.optimisers, state['optimisers'], strict=True):
            optimiser.load_state_dict(kept)
        self.step = state['step']
        self.seconds = state['seconds']

    def finished_network(self) -> HydraNet:
        """Return the averaged network whose depth output is metres."""
        network = deepcopy(self.average)
        if 'depth' in self.config.tasks:
            head = network.decoder.heads['depth'].out
            head.weight.mul_(self.config.depth_unit)
            head.bias.mul_(self.config.depth_unit)
        return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def run(self) -> None:
        """Train to the end of the last stage."""
        total = self.config.total_steps
        started = time.monotonic() - self.seconds
        sums: dict[str, float] = {}
        for batch in self.batches.stream(self.step, total):
            for key, value in self.update(batch).items():
                sums[key] = sums.get(key, 0.0) + value
            self.seconds = time.monotonic() - started
            if self.step % 50 == 0 or self.step == total:
                count = 50 if self.step % 50 == 0 else self.step % 50
                self._report({key: value / count for key, value in sums.items()})
                sums = {}
            if self.step % self.config.checkpoint_every == 0 or self.step == total:
                self.save()

    def _report(self, means: dict[str, float]) -> None:
        row: dict[str, Any] = {
            'step': self.step, 'seconds': round(self.seconds),
            'learning_rate': self.config.learning_rate * self.schedule(self.step), **means,
        }  # fmt: skip
        if self.validation and (
            self.step % self.config.validate_every == 0 or self.step == self.config.total_steps
        ):
            row.update(evaluate_network(self.finished_network(), self.validation, self.config))
        self._log(row)
        shown = ' '.join(f'{key} {value:.4g}' for key, value in row.items() if key != 'step')
        print(f'step {self.step}/{self.config.total_steps} {shown}', flush=True)

    def _log(self, row: dict[str, Any]) -> None:
        path = self.output / 'log.csv'
        fresh = not path.exists()
        with path.open('a', newline='', encoding='utf-8') as handle:
            writer = csv.DictWriter(handle, _LOG_FIELDS, extrasaction='ignore')
            if fresh:
                writer.writeheader()
            writer.writerow(
                {key: f'{value:.5g}' if isinstance(value, float) else value
                 for key, value in row.items()}
            )  # fmt: skip


def train(
    config_path: Path,
    output: Path,
    *,
    roots: Mapping[str, Path] | None = None,
    resume: bool = False,
    init_from: Path | None = None,
) -> Path:
    """
    Run an experiment and return the path of its final checkpoint.

    :param roots: what the capital names of the experiment's data sources stand for.
    :param resume: go on from ``output/last.ckpt``; without it an existing run is refused.
    :param init_from: start from the weights of another run's ``last.ckpt``.
    :raises TrainingError: if the experiment is malformed, the output holds another run, or the
        loss is not finite.
    :raises DatasetError: if data are missing.
    """
    config = load_config(config_path)
    output.mkdir(parents=True, exist_ok=True)
    last = output / 'last.ckpt'
    if last.exists() and not resume:
        raise TrainingError(f'{last} exists. Add --resume to go on, or choose another folder.')
    trainer = Trainer(config, output, roots or {})
    if last.exists():
        trainer.resume()
    elif init_from is not None:
        state = torch.load(init_from, map_location='cpu', weights_only=True)
        trainer.model.load_state_dict(state['average'])
        trainer.average.load_state_dict(state['average'])
    trainer.run()
    final = output / 'final.ckpt'
    save_network(trainer.finished_network(), final)
    return final


def save_network(network: HydraNet, path: Path) -> None:
    """Write a network in the package's own checkpoint format."""
    from hydranet_ros.network.checkpoints import save_checkpoint

    save_checkpoint(network, path)


def write_atomically(state: Any, path: Path) -> None:
    """Write with torch.save, whole or not at all."""
    temporary = path.with_suffix('.part')
    torch.save(state, temporary)
    os.replace(temporary, path)


def _load(source: DataSource, roots: Mapping[str, Path]) -> list[Sample]:
    head, _, tail = source.root.partition('/')
    if head.isupper():
        if head not in roots:
            raise TrainingError(
                f'The experiment names the folder {head}; say where it is: --data {head}=FOLDER'
            )
        return load(source.kind, roots[head] / tail, source.split)
    return load(source.kind, Path(source.root), source.split)
