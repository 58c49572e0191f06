"""Batches drawn from several data sets, reproducible from the step number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from hydranet_ros.network.hydranet import MEAN, STD
from hydranet_ros.training.augmentation import View, augment
from hydranet_ros.training.config import TrainConfig
from hydranet_ros.training.sample import Sample

_MEAN = torch.tensor(MEAN).view(1, 3, 1, 1)
_STD = torch.tensor(STD).view(1, 3, 1, 1)


def to_tensors(views: Sequence[View]) -> tuple[Tensor, Tensor, Tensor]:
    """
    Stack views.

    :returns: image (B, 3, h, w) float32 normalised and channels-last, labels (B, h, w) int64,
        depth (B, h, w) float32 metres.
    """
    image = torch.from_numpy(np.stack([view.image for view in views])).permute(0, 3, 1, 2)
    labels = torch.from_numpy(np.stack([view.labels for view in views])).long()
    depth = torch.from_numpy(np.stack([view.depth for view in views]))
    return normalise(image), labels, depth


def normalise(image: Tensor) -> Tensor:
    """Map (B, 3, h, w) 0..255 to the network's input, float32 and channels-last."""
    scaled = (image.float() / 255 - _MEAN) / _STD
    return scaled.contiguous(memory_format=torch.channels_last)


class BatchSource:
    """
    Draws the batch of any step.

    The random numbers of a step depend on the seed and the step alone, so a run that was killed
    goes on with just the batches it would have seen.
    """

    def __init__(self, samples: Sequence[Sequence[Sample]], config: TrainConfig) -> None:
        self._samples = samples
        self._config = config
        weights = np.array([source.weight for source in config.data], float)
        self._shares = weights / weights.sum()

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the batch of one step; see :func:`to_tensors`."""
        stage = self._config.stage_at(step)
        rng = np.random.default_rng((self._config.seed, step))
        views = []
        for source in self._sources(stage.batch, rng):
            pool = self._samples[source]
            sample = pool[int(rng.integers(len(pool)))]
            view = augment(sample, rng, stage.augmentation, self._config.depth_focal_length)
            np.copyto(view.depth, 0, where=view.depth > self._config.depth_limit)
            views.append(view)
        return to_tensors(views)

    def _sources(self, size: int, rng: np.random.Generator) -> list[int]:
        """Spread a batch over the sources as evenly as their weights allow."""
        exact = self._shares * size
        counts = np.floor(exact).astype(int)
        rest = exact - counts
        while counts.sum() < size:
            index = int(rng.choice(len(rest), p=rest / rest.sum()))
            counts[index] += 1
        return [index for index, count in enumerate(counts) for _ in range(count)]

    def stream(self, start: int, stop: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the batches of ``start`` to ``stop - 1``, the next one prepared ahead."""
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(self.batch, start) if start < stop else None
            for step in range(start, stop):
                assert ahead is not None
                current = ahead.result()
                ahead = pool.submit(self.batch, step + 1) if step + 1 < stop else None
                yield current
