"""The results of the demo: images of the bag, contact sheet, videos and tables."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from model_factory import model_info

from hydranet_ros.bags.reader import BagReader
from hydranet_ros.images.video import VideoReader
from hydranet_ros.perception.contact_sheet import SheetRow, contact_sheet, video_frame
from hydranet_ros.perception.point_cloud import POINT_DTYPE
from hydranet_ros.resources import config_file
from hydranet_ros.ros import demo_results as module
from hydranet_ros.ros.demo_results import camera_images, print_tables, write_sheet, write_videos
from hydranet_ros.ros.recorder import FrameImages

DEMO = config_file('demo_street')
TOPIC = '/camera/image/compressed'
SECOND = 10**9
INFO = model_info()


def rgb(value: int) -> np.ndarray:
    return np.full((54, 96, 3), value, np.uint8)


def frame(value: int, *, cloud: bool = True) -> FrameImages:
    points = np.zeros((54, 96), POINT_DTYPE) if cloud else None
    return FrameImages(rgb(value), rgb(value + 1), points)


def test_the_images_of_a_bag_are_found_by_their_stamps():
    with BagReader(DEMO) as reader:
        stamps = [message.timestamp for message in reader.messages([TOPIC])]
    found = camera_images(DEMO, TOPIC, {stamps[0], stamps[5], 1})
    assert set(found) == {stamps[0], stamps[5]}
    assert found[stamps[0]].shape == found[stamps[5]].shape == (360, 640, 3)
    assert (found[stamps[0]] != found[stamps[5]]).any()


def row(second: float, value: int) -> SheetRow:
    shown = frame(value)
    return SheetRow(f't = {second:.1f} s', rgb(7), shown.overlay, shown.depth, shown.cloud)


def written_sheet(tmp_path, frames) -> np.ndarray | None:
    path = tmp_path / 'demo.png'
    write_sheet(frames, dict.fromkeys(frames, rgb(7)), path, INFO)
    return cv2.imread(str(path))[..., ::-1] if path.is_file() else None


def test_the_sheet_shows_three_frames_spread_over_the_recording(tmp_path):
    frames = {(100 + index) * SECOND: frame(10 * index) for index in range(8)}
    expected = contact_sheet([row(0, 0), row(4, 40), row(7, 70)], INFO.classes, INFO.depth_range)
    np.testing.assert_array_equal(written_sheet(tmp_path, frames), expected)


def test_only_frames_with_a_cloud_are_on_the_sheet_with_the_time_since_the_first_frame(tmp_path):
    frames = {
        100 * SECOND: frame(0, cloud=False), 101 * SECOND: frame(10),
        102 * SECOND: frame(20, cloud=False), 103 * SECOND + SECOND // 2: frame(30),
    }  # fmt: skip
    expected = contact_sheet([row(1, 10), row(3.5, 30)], INFO.classes, INFO.depth_range)
    np.testing.assert_array_equal(written_sheet(tmp_path, frames), expected)


def test_a_frame_whose_image_is_unknown_is_not_on_the_sheet(tmp_path):
    frames = {100 * SECOND: frame(0), 101 * SECOND: frame(10)}
    path = tmp_path / 'demo.png'
    write_sheet(frames, {101 * SECOND: rgb(7)}, path, INFO)
    expected = contact_sheet([row(1, 10)], INFO.classes, INFO.depth_range)
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], expected)


def test_without_a_cloud_there_is_no_sheet(tmp_path):
    assert written_sheet(tmp_path, {SECOND: frame(0, cloud=False)}) is None


@pytest.mark.parametrize('name', ['demo.mp4', 'demo.gif'])
def test_videos_have_every_frame_at_the_rate_of_the_recording(tmp_path, name):
    moments = [0.0, 0.1, 0.2, 0.3, 1.0]
    frames = {round(second * SECOND): frame(40 * index) for index, second in enumerate(moments)}
    write_videos(frames, dict.fromkeys(frames, rgb(7)), tmp_path)
    with VideoReader(tmp_path / name) as reader:
        assert reader.fps == pytest.approx(10, rel=0.01)
        shown = [item.image for item in reader]
    assert len(shown) == 5
    height, width = video_frame(rgb(7), rgb(0), rgb(1)).shape[:2]
    assert shown[0].shape[1] / shown[0].shape[0] == pytest.approx(width / height, rel=0.05)
    brightness = [item.mean() for item in shown]
    assert brightness == sorted(brightness)


def test_a_frame_whose_image_is_unknown_is_not_in_the_videos(tmp_path):
    frames = {index * SECOND: frame(index) for index in range(3)}
    write_videos(frames, {0: rgb(7), 2 * SECOND: rgb(7)}, tmp_path)
    with VideoReader(tmp_path / 'demo.mp4') as reader:
        assert len(list(reader)) == 2
        assert reader.fps == pytest.approx(0.5, rel=0.01)


def test_a_single_frame_makes_a_video_of_5_hz(tmp_path):
    write_videos({SECOND: frame(0)}, {SECOND: rgb(7)}, tmp_path)
    with VideoReader(tmp_path / 'demo.mp4') as reader:
        assert reader.fps == pytest.approx(5)


def printed(capsys, counts, stages, received: int) -> list[list[str]]:
    """Return the words of the lines of both tables."""
    print_tables(SimpleNamespace(counts=counts, stages=stages), received)
    lines = capsys.readouterr().out.translate(str.maketrans('│┃', '  ')).splitlines()
    return [line.split() for line in lines if line.strip(' ─┼┏━┳┓┡╇┩└┴┘')]


def test_the_tables_have_counts_and_times(capsys):
    counts = {'frames_in': 5, 'frames_out': 2, 'frames_dropped': 4, 'frames_failed': 3}
    stages = {'decode': [1.0, 2.0, 4.0], 'total': [float(value) for value in range(1, 101)]}
    assert printed(capsys, counts, stages, 6) == [
        ['frames'], ['in', 'out', 'dropped', 'failed', 'received'], ['5', '2', '4', '3', '6'],
        ['milliseconds', 'per', 'frame'], ['stage', 'median', 'p95'],
        ['decode', '2.0', '3.8'], ['total', '50.5', '95.0'],
    ]  # fmt: skip


def test_unknown_counts_are_question_marks(capsys):
    assert printed(capsys, {}, {}, 6)[2] == ['?', '?', '?', '?', '6']


def test_the_sheet_has_at_most_three_rows():
    assert module._ROWS == 3
