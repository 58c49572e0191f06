"""Numerical helpers of the lens models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 25
"""Largest number of Newton steps."""
CONVERGED = 1e-13
"""Step below which Newton's method has converged."""


def fold_radius(radial: Callable[[NDArray], NDArray], end: float) -> float:
    """Return where a radial function stops growing, at most ``end``: the lens folds over there."""
    steps = np.linspace(0, end, 20001)
    falling = np.flatnonzero(~(np.diff(radial(steps)) > 0))
    return float(steps[falling[0]]) if falling.size else end
