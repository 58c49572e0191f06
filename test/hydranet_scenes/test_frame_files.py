"""Files of a frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hydranet_scenes.frame_files import DEPTH_SCALE, frame_paths, is_complete, write_frame
from hydranet_scenes.rendering.renderer import RenderedFrame


def frame() -> RenderedFrame:
    depth = np.array([[1.5, np.nan, 255.9, 256.1]], np.float32)
    return RenderedFrame(
        np.zeros((1, 4, 3), np.uint8), np.array([[0, 5, 39, 255]], np.uint8), depth
    )


def test_depth_is_zero_where_it_is_unknown_or_too_large_for_16_bits(tmp_path: Path):
    write_frame(tmp_path, 'a', frame(), np.zeros((1, 4, 3), np.uint8))
    depth = cv2.imread(str(tmp_path / 'a.depth.png'), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    assert depth.tolist() == [[1.5 * DEPTH_SCALE, 0, round(255.9 * DEPTH_SCALE), 0]]


def test_labels_are_kept_exactly(tmp_path: Path):
    write_frame(tmp_path, 'a', frame(), np.zeros((1, 4, 3), np.uint8))
    labels = cv2.imread(str(tmp_path / 'a.labels.png'), cv2.IMREAD_UNCHANGED)
    assert labels.tolist() == [[0, 5, 39, 255]]


def test_the_image_is_written_in_rgb(tmp_path: Path):
    image = np.full((16, 16, 3), (200, 30, 60), np.uint8)
    write_frame(tmp_path, 'a', frame(), image, quality=100)
    written = cv2.imread(str(tmp_path / 'a.jpg'))[..., ::-1]
    assert np.abs(written.astype(int) - image).max() < 5


def test_a_frame_is_complete_with_all_of_its_files(tmp_path: Path):
    write_frame(tmp_path, 'a', frame(), np.zeros((1, 4, 3), np.uint8))
    assert is_complete(tmp_path, 'a') and not is_complete(tmp_path, 'b')
    for path in frame_paths(tmp_path, 'a'):
        content = path.read_bytes()
        path.unlink()
        assert not is_complete(tmp_path, 'a')
        path.write_bytes(content)
