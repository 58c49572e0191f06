"""Photos of rendered rooms."""

from __future__ import annotations

import numpy as np
import pytest
from scene_views import ROOM_CAMERA

from hydranet_scenes.rooms.appearance import RoomAppearance, mild_appearance, varied_appearance


@pytest.mark.parametrize('params', [mild_appearance, varied_appearance])
def test_a_photo_has_the_size_of_the_frame_and_depends_on_the_seed_only(room_views, params):
    frame = room_views('living room').frames[0]

    def photo_of(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return RoomAppearance(rng, params(rng), ROOM_CAMERA.fx).apply(frame)

    photo = photo_of(3)
    assert photo.shape == frame.image.shape and photo.dtype == np.uint8
    assert np.array_equal(photo, photo_of(3)) and not np.array_equal(photo, photo_of(4))
    assert photo.std() > 5
