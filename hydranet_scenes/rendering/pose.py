"""Camera poses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pose:
    """
    The pose of a camera in the scene frame (z up), in meters and radians.

    With all angles at zero the camera looks along +x. ``yaw`` turns it to the left, ``pitch``
    upward and ``roll`` clockwise.
    """

    x: float
    y: float
    z: float = 1.65
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def rotation(self) -> NDArray[np.float64]:
        """Return the (3, 3) rotation from the optical frame (x right, y down, z forward)."""
        cy, sy, cp, sp = (f(a) for a in (self.yaw, self.pitch) for f in (math.cos, math.sin))
        forward = np.array([cy * cp, sy * cp, sp])
        right = np.array([sy, -cy, 0.0])
        down = np.cross(forward, right)
        cr, sr = math.cos(self.roll), math.sin(self.roll)
        return np.stack([right * cr + down * sr, down * cr - right * sr, forward], 1)
