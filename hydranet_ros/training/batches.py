"""Draw training batches from several data sets, reproducibly from the batch number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from hydranet_ros.training.augmentation import View, augment
from hydranet_ros.training.config import TrainConfig
from hydranet_ros.training.sample import Samples


class Batch(NamedTuple):
    """
    The images and annotations of one training step.

    :param image: (B, h, w, 3) uint8 RGB.
    :param labels: (B, h, w) uint8, 255 unlabeled.
    :param depth: (B, h, w) float32 meters at the focal length of the training camera, 0 unknown.
    :param normals: (B, 3, h, w) float32 unit vectors, 0 unknown.
    :param channels: (B, 2) int64, first and last + 1 channel of the segmentation head that the
        labels refer to.
    """

    image: Tensor
    labels: Tensor
    depth: Tensor
    normals: Tensor
    channels: Tensor


def to_batch(views: Sequence[View], channels: Sequence[tuple[int, int]]) -> Batch:
    """Stack views of the same size."""
    return Batch(
        image=torch.from_numpy(np.stack([view.image for view in views])),
        labels=torch.from_numpy(np.stack([view.labels for view in views])),
        depth=torch.from_numpy(np.stack([view.depth for view in views])),
        normals=torch.from_numpy(np.stack([view.normals for view in views])).permute(0, 3, 1, 2),
        channels=torch.tensor(channels, dtype=torch.int64).reshape(-1, 2),
    )


class BatchSource:
    """
    Draws the batch of any step.

    The random numbers of a batch depend only on the seed, the batch number and the process rank,
    so that a resumed run continues with the same batches.

    :param samples: the data sets, in the order of ``config.data``.
    """

    def __init__(self, samples: Sequence[Samples], config: TrainConfig, rank: int = 0) -> None:
        self._samples = samples
        self._config = config
        self._rank = rank
        weights = np.array([source.weight for source in config.data], float)
        self._shares = weights / weights.sum()

    def batch(self, number: int) -> Batch:
        """Return batch ``number`` (from 0)."""
        stage = self._config.stage_at(number // self._config.accumulate)
        seed = (self._config.seed, number, self._rank) if self._rank else (
            self._config.seed, number)  # fmt: skip
        rng = np.random.default_rng(seed)
        losses = self._config.losses
        views, channels = [], []
        for source in self._sources(stage.batch, number, rng):
            pool = self._samples[source]
            sample = pool[int(rng.integers(len(pool)))]
            view = augment(sample, rng, stage.augmentation, losses.focal_length)
            np.copyto(view.depth, 0, where=view.depth > losses.depth_limit)
            views.append(view)
            whole = (0, self._config.network.num_classes)
            channels.append(self._config.data[source].channels or whole)
        return to_batch(views, channels)

    def _sources(self, size: int, number: int, rng: np.random.Generator) -> list[int]:
        """Return the index of the source of each image of a batch."""
        if self._config.mixing == 'alternating':
            return [self._source_of(number)] * size
        exact = self._shares * size
        counts = np.floor(exact).astype(int)
        rest = exact - counts
        while counts.sum() < size:
            index = int(rng.choice(len(rest), p=rest / rest.sum()))
            counts[index] += 1
        return [index for index, count in enumerate(counts) for _ in range(count)]

    def _source_of(self, number: int) -> int:
        """Return the source of alternating batch ``number``: the one furthest behind its share."""
        cycle = number % 1000
        counts = np.zeros(len(self._shares))
        chosen = 0
        for done in range(cycle + 1):
            chosen = int(np.argmax(self._shares * (done + 1) - counts))
            counts[chosen] += 1
        return chosen


@dataclass
class BatchStream(IterableDataset):
    """
    The batches from ``start`` to ``stop - 1``, for a ``DataLoader`` without a batch size.

    Each of n workers prepares every n-th batch, and the loader reads the workers in turn.
    """

    source: BatchSource
    start: int
    stop: int

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in range(self.start + first, self.stop, stride):
            yield self.source.batch(number)
