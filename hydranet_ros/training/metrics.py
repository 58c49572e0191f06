"""
Metrics accumulated over the pixels of a data set.

Each class takes one image at a time and keeps sums only, so that a metric of a set covers all its
pixels and is not a mean of means. ``docs/evaluation.md`` gives every formula and its source.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, ModelError

NORMALS_LIMITS = (11.25, 22.5, 30.0)
DELTA_BASE = 1.25
SILOG_FACTOR = 100.0
NEAREST = 1e-3
_BINS_PER_DEGREE = 100


@dataclass
class ConfusionMatrix:
    """Counts of (true, predicted) class pairs."""

    num_classes: int
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.num_classes, self.num_classes), np.int64)

    def add(self, truth: NDArray, prediction: NDArray) -> None:
        """
        Count the pixels of two (H, W) arrays of class ids; truth outside 0..C-1 is skipped.

        :raises DatasetError: if the arrays differ in shape.
        :raises ModelError: if the prediction has a class outside 0..C-1 where truth is known.
        """
        _require_same_shape(truth, prediction)
        valid = (truth >= 0) & (truth < self.num_classes)
        got = prediction[valid].astype(np.int64)
        if got.size and not 0 <= got.min() <= got.max() < self.num_classes:
            raise ModelError(
                f'The model predicts the classes {got.min()}..{got.max()}; allowed: '
                f'0..{self.num_classes - 1}. Evaluate it with its own classes.'
            )
        pairs = truth[valid].astype(np.int64) * self.num_classes + got
        self.counts += np.bincount(pairs, minlength=self.num_classes**2).reshape(
            self.num_classes, -1
        )

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of other images."""
        self.counts += other.counts

    @property
    def iou(self) -> NDArray[np.float64]:
        """Return the intersection over union of each class; NaN where it never occurs."""
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        return np.divide(hits, union, out=np.full(self.num_classes, np.nan), where=union > 0)

    @property
    def mean_iou(self) -> float:
        """Return the mean over the classes that occur, in truth or in prediction."""
        present = self.iou[~np.isnan(self.iou)]
        return float(present.mean()) if present.size else float('nan')

    @property
    def pixel_accuracy(self) -> float:
        """Return the fraction of the labeled pixels whose class is right."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float('nan')

    def summary(self) -> dict[str, float]:
        """Return miou and pixel_accuracy; empty where nothing was counted."""
        if not self.counts.any():
            return {}
        return {'miou': self.mean_iou, 'pixel_accuracy': self.pixel_accuracy}


@dataclass
class DepthSums:
    """Sums over pixels from which the depth metrics are computed."""

    pixels: int = 0
    squared: float = 0.0
    relative: float = 0.0
    squared_relative: float = 0.0
    log: float = 0.0
    absolute_log: float = 0.0
    squared_log: float = 0.0
    within: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))

    @classmethod
    def of(cls, truth: NDArray[np.float64], got: NDArray[np.float64]) -> DepthSums:
        """
        Return the sums over (N,) depths in meters; truth is above 0, ``got`` at least 0.

        Logarithms and ratios use :data:`NEAREST` where ``got`` is less.
        """
        error = got - truth
        positive = np.maximum(got, NEAREST)
        log = np.log(positive) - np.log(truth)
        ratio = np.maximum(positive / truth, truth / positive)
        return cls(
            pixels=truth.size,
            squared=float((error**2).sum()),
            relative=float((np.abs(error) / truth).sum()),
            squared_relative=float((error**2 / truth).sum()),
            log=float(log.sum()),
            absolute_log=float(np.abs(log).sum()),
            squared_log=float((log**2).sum()),
            within=np.array([(ratio < DELTA_BASE**k).sum() for k in (1, 2, 3)], np.int64),
        )

    def merge(self, other: DepthSums) -> None:
        """Add the sums of other pixels."""
        self.pixels += other.pixels
        self.squared += other.squared
        self.relative += other.relative
        self.squared_relative += other.squared_relative
        self.log += other.log
        self.absolute_log += other.absolute_log
        self.squared_log += other.squared_log
        self.within += other.within

    def summary(self) -> dict[str, float]:
        """Return the metrics by key; empty if no pixel was counted."""
        if not self.pixels:
            return {}
        n = self.pixels
        # Rounding may make the variance of equal numbers -1e-17.
        variance = max(0.0, self.squared_log / n - (self.log / n) ** 2)
        return {
            'rmse': (self.squared / n) ** 0.5,
            'rmse_log': (self.squared_log / n) ** 0.5,
            'abs_rel': self.relative / n,
            'sq_rel': self.squared_relative / n,
            'log10': self.absolute_log / n / float(np.log(10)),
            'silog': SILOG_FACTOR * variance**0.5,
            **{f'delta{k}': float(self.within[k - 1] / n) for k in (1, 2, 3)},
        }


@dataclass
class DepthErrors:
    """
    Depth metrics by two protocols, over pixels with ``nearest`` < truth < ``farthest`` meters.

    Pooled, as the paper's code: absolute value of the prediction, not clamped, one sum over all
    pixels of the set. Mean over images, as BTS and AdaBins: prediction clamped to ``nearest`` ..
    ``farthest``, metrics of each image, images without a valid pixel left out.
    """

    farthest: float = 80.0
    nearest: float = NEAREST
    sums: DepthSums = field(default_factory=DepthSums)
    images: int = 0
    totals: dict[str, float] = field(default_factory=dict)

    def add(self, truth: NDArray, prediction: NDArray) -> dict[str, float]:
        """
        Count two (H, W) arrays of meters; truth 0 or NaN is unknown.

        :returns: the metrics of this image, as BTS; empty without a valid pixel.
        :raises DatasetError: if the arrays differ in shape.
        :raises ModelError: if the prediction is not finite where truth is valid.
        """
        _require_same_shape(truth, prediction)
        valid = (truth > self.nearest) & (truth < self.farthest)
        true = truth[valid].astype(np.float64)
        got = np.abs(prediction[valid].astype(np.float64))
        bad = int((~np.isfinite(got)).sum())
        if bad:
            raise ModelError(
                f'The predicted depth is not finite at {bad} of {got.size} pixels of known depth. '
                'Use an earlier checkpoint, or export the model again.'
            )
        self.sums.merge(DepthSums.of(true, got))
        own = DepthSums.of(true, np.clip(got, self.nearest, self.farthest)).summary()
        if own:
            self.images += 1
            for name, value in own.items():
                self.totals[name] = self.totals.get(name, 0.0) + value
        return own

    @property
    def pixels(self) -> int:
        """Return the number of pixels counted."""
        return self.sums.pixels

    def summary(self) -> dict[str, float]:
        """Return the metrics over all pixels by key; empty if no pixel was counted."""
        return self.sums.summary()

    def mean_over_images(self) -> dict[str, float]:
        """Return the metrics with equal weight for each image; empty without images."""
        if not self.images:
            return {}
        return {name: value / self.images for name, value in self.totals.items()}


@dataclass
class NormalErrors:
    """
    Angles between true and predicted normals, in degrees, pooled over all pixels.

    The median comes from a histogram and is exact to its bin width, a hundredth of a degree.
    """

    pixels: int = 0
    degrees: float = 0.0
    within: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    bins: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(180 * _BINS_PER_DEGREE + 1, np.int64)
    )

    def add(self, truth: NDArray, prediction: NDArray) -> dict[str, float]:
        """
        Count two (H, W, 3) arrays of vectors of any length; truth (0, 0, 0) or NaN is unknown.

        A predicted (0, 0, 0) has no direction and counts as 90 degrees.

        :returns: the mean angle of this image as ``angle_mean``; empty without a valid pixel.
        :raises DatasetError: if the arrays differ in shape.
        :raises ModelError: if the prediction is not finite where truth is valid.
        """
        _require_same_shape(truth, prediction)
        valid = np.isfinite(truth).all(-1) & (truth != 0).any(-1)
        angles = angles_between(truth[valid], prediction[valid])
        if not angles.size:
            return {}
        if not np.isfinite(angles).all():
            raise ModelError(
                'The predicted normals are not finite. Use an earlier checkpoint, or export the '
                'model again.'
            )
        self.pixels += angles.size
        self.degrees += float(angles.sum())
        self.within += np.array([(angles < limit).sum() for limit in NORMALS_LIMITS], np.int64)
        places = np.floor(angles * _BINS_PER_DEGREE).astype(np.int64)
        self.bins += np.bincount(places, minlength=self.bins.size)
        return {'angle_mean': float(angles.mean())}

    def summary(self) -> dict[str, float]:
        """Return mean, median and the fractions within 11.25, 22.5 and 30 degrees, by key."""
        if not self.pixels:
            return {}
        middle = int(np.searchsorted(np.cumsum(self.bins), (self.pixels + 1) // 2))
        fractions = self.within / self.pixels
        return {
            'angle_mean': self.degrees / self.pixels,
            'angle_median': (middle + 0.5) / _BINS_PER_DEGREE,
            **{
                f'within_{limit:g}': float(value)
                for limit, value in zip(NORMALS_LIMITS, fractions)
            },
        }


def angles_between(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """
    Return the angles between (N, 3) vectors in degrees, 90 where a vector has length 0.

    The arc tangent is exact at small angles; the arc cosine is not.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    dot = (a * b).sum(-1)
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    angles = np.degrees(np.arctan2(cross, dot))
    return np.where((a != 0).any(-1) & (b != 0).any(-1), angles, 90.0)


def _require_same_shape(truth: NDArray, prediction: NDArray) -> None:
    if truth.shape != prediction.shape:
        raise DatasetError(
            f'The annotation has the shape {truth.shape}, the prediction {prediction.shape}. Both '
            "must have the image's (height, width)."
        )
