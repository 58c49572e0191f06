"""Resizing of images and maps for teachers."""

from __future__ import annotations

import numpy as np
import torch

from hydranet_ros.training.resizing import resize_image, resize_nearest


def test_a_smaller_image_averages_the_pixels() -> None:
    image = np.array([[[0] * 3, [100] * 3], [[200] * 3, [20] * 3]], np.uint8)
    assert resize_image(image, (1, 1)).tolist() == [[[80] * 3]]


def test_a_larger_image_interpolates_the_pixels() -> None:
    image = np.array([[[0] * 3, [100] * 3]], np.uint8)
    row = resize_image(image, (1, 4))[0, :, 0].tolist()
    assert row == sorted(row) and len(set(row)) > 2


def test_an_image_of_the_size_is_returned_itself() -> None:
    image = np.zeros((3, 5, 3), np.uint8)
    assert resize_image(image, (3, 5)) is image


def test_class_ids_are_never_mixed() -> None:
    maps = torch.tensor([[[[0.0, 9.0]]]])
    assert resize_nearest(maps, (2, 4))[0, 0].tolist() == [[0, 0, 9, 9]] * 2
