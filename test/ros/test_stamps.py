"""Timestamps convert exactly between their forms."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from hydranet_ros.ros.stamps import nanoseconds, seconds, serialized_stamp, to_stamp

STAMP = Time(sec=1_700_000_123, nanosec=456_789_012)
MOMENT = 1_700_000_123_456_789_012


def test_a_stamp_in_seconds_adds_the_nanoseconds():
    assert seconds(Time(sec=3, nanosec=250_000_000)) == 3.25
    assert seconds(STAMP) == pytest.approx(1_700_000_123.456789, abs=1e-6)


def test_a_stamp_in_nanoseconds_is_exact():
    assert nanoseconds(STAMP) == MOMENT


def test_nanoseconds_become_the_same_stamp():
    assert to_stamp(MOMENT) == STAMP


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_nanoseconds_survive_the_round_trip(moment):
    assert nanoseconds(to_stamp(moment)) == moment


@pytest.mark.parametrize('kind', [Image, CameraInfo])
@pytest.mark.parametrize('frame', ['', 'camera_optical'])
def test_the_stamp_of_a_serialized_message_is_read_without_deserializing_it(kind, frame):
    message = kind(header=Header(stamp=STAMP, frame_id=frame))
    assert serialized_stamp(serialize_message(message)) == MOMENT


def test_the_largest_serialized_stamp_is_not_negative():
    last = Time(sec=2**31 - 1, nanosec=999_999_999)
    data = serialize_message(Image(header=Header(stamp=last)))
    assert serialized_stamp(data) == (2**31 - 1) * 10**9 + 999_999_999
