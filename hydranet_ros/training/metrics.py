"""
Metrics as the official code computes them: pooled over all pixels of a set.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class ConfusionMatrix:
    """Counts of (true, predicted) class pairs."""

    num_classes: int
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.num_classes, self.num_classes), np.int64)

    def add(self, truth: NDArray, prediction: NDArray) -> None:
        """Count the pixels of two (H, W) arrays of class ids; truth outside 0..C-1 is skipped."""
        valid = truth < self.num_classes
        pairs = truth[valid].astype(np.int64) * self.num_classes + prediction[valid]
        self.counts += np.bincount(pairs, minlength=self.num_classes**2).reshape(
            self.num_classes, -1
        )

    @property
    def iou(self) -> NDArray[np.float64]:
        """Return the intersection over union of each class; NaN where it never occurs."""
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        return np.divide(hits, union, out=np.full(self.num_classes, np.nan), where=union > 0)

    @property
    def mean_iou(self) -> float:
        """Return the mean over the classes that occur."""
        present = self.iou[~np.isnan(self.iou)]
        return float(present.mean()) if present.size else float('nan')

    @property
    def pixel_accuracy(self) -> float:
        """Return the share of labelled pixels that are right."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float('nan')


@dataclass
class DepthErrors:
    """Sums over all pixels whose true depth is known and within ``max_depth`` metres."""

    max_depth: float = 80.0
    pixels: int = 0
    squared: float = 0.0
    squared_log: float = 0.0
    relative: float = 0.0
    within: int = 0

    def add(self, truth: NDArray, prediction: NDArray) -> None:
        """Count two (H, W) arrays of metres; truth 0 or NaN is unknown."""
        valid = (truth > 0) & (truth <= self.max_depth) & np.isfinite(prediction)
        true = truth[valid].astype(np.float64)
        got = np.clip(prediction[valid].astype(np.float64), 1e-3, self.max_depth)
        self.pixels += true.size
        self.squared += float(((true - got) ** 2).sum())
        self.squared_log += float(((np.log(true) - np.log(got)) ** 2).sum())
        self.relative += float((np.abs(true - got) / true).sum())
        self.within += int((np.maximum(true / got, got / true) < 1.25).sum())

    def summary(self) -> dict[str, float]:
        """Return rmse (m), rmse_log, abs_rel and delta1; empty where nothing was counted."""
        if not self.pixels:
            return {}
        return {
            'rmse': (self.squared / self.pixels) ** 0.5,
            'rmse_log': (self.squared_log / self.pixels) ** 0.5,
            'abs_rel': self.relative / self.pixels,
            'delta1': self.within / self.pixels,
        }
