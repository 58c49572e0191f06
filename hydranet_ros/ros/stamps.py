"""Convert between ROS timestamps, seconds and nanoseconds."""

from __future__ import annotations

import struct

from builtin_interfaces.msg import Time

_ENCAPSULATION = 4
"""Bytes of the CDR header that precede the first field of a serialized message."""


def seconds(stamp: Time) -> float:
    """Return a timestamp in seconds."""
    return stamp.sec + 1e-9 * stamp.nanosec


def nanoseconds(stamp: Time) -> int:
    """Return a timestamp in nanoseconds."""
    return stamp.sec * 10**9 + stamp.nanosec


def to_stamp(moment: int) -> Time:
    """Return nanoseconds as a timestamp."""
    return Time(sec=moment // 10**9, nanosec=moment % 10**9)


def serialized_stamp(data: bytes) -> int:
    """
    Return the timestamp of a serialized message in nanoseconds.

    :param data: little-endian CDR of a message that begins with a ``std_msgs/Header``.
    """
    sec, nanosec = struct.unpack_from('<iI', data, _ENCAPSULATION)
    return sec * 10**9 + nanosec
