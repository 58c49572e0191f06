"""Colored images of a frame."""

from __future__ import annotations

import numpy as np
import pytest
from model_factory import CLASSES, model_info

from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.perception.colormaps import color_depth, color_labels
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.postprocess import Postprocessed
from hydranet_ros.perception.renderer import Renderer

LABELS = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
IMAGE = np.full((2, 3, 3), 40, np.uint8)
DEPTH = np.array([[1.0, 20.0, np.nan], [79.0, 3.0, 5.0]], np.float32)
BOTH = Postprocessed(labels=LABELS, depth=DEPTH)


@pytest.fixture
def renderer() -> Renderer:
    return Renderer(model_info())


def colors() -> np.ndarray:
    return np.array([item.color for item in CLASSES], np.uint8)[LABELS]


def test_color_is_the_palette_of_the_model(renderer):
    drawn = renderer.draw(IMAGE, BOTH, frozenset({Output.COLOR}), alpha=0.5)
    assert set(drawn) == {Output.COLOR}
    np.testing.assert_array_equal(drawn[Output.COLOR], colors())


@pytest.mark.parametrize('alpha', [0.0, 0.25, 1.0])
def test_alpha_is_the_weight_of_the_colors_in_the_overlay(renderer, alpha):
    drawn = renderer.draw(IMAGE, BOTH, frozenset({Output.OVERLAY}), alpha=alpha)
    want = (1 - alpha) * IMAGE + alpha * colors()
    assert np.abs(drawn[Output.OVERLAY] - want).max() <= 0.5


def test_color_and_overlay_share_one_palette_lookup(renderer, monkeypatch):
    calls = []

    def counted(*arguments) -> np.ndarray:
        calls.append(arguments)
        return color_labels(*arguments)

    monkeypatch.setattr('hydranet_ros.perception.renderer.color_labels', counted)
    wanted = frozenset({Output.COLOR, Output.OVERLAY})
    drawn = renderer.draw(IMAGE, BOTH, wanted, alpha=1.0)
    np.testing.assert_array_equal(drawn[Output.COLOR], drawn[Output.OVERLAY])
    assert len(calls) == 1


@pytest.mark.parametrize('name', ['turbo', 'inferno', 'viridis'])
def test_depth_is_drawn_in_the_chosen_colormap_over_the_model_s_range(renderer, name):
    wanted = frozenset({Output.DEPTH_COLOR})
    drawn = renderer.draw(IMAGE, BOTH, wanted, alpha=0.5, depth_colormap=name)
    want = color_depth(DEPTH, model_info().depth_range, colormap=name)
    np.testing.assert_array_equal(drawn[Output.DEPTH_COLOR], want)


def test_outputs_without_their_array_are_left_out(renderer):
    everything = frozenset(Output)
    assert renderer.draw(IMAGE, Postprocessed(), everything, alpha=0.5) == {}
    only_depth = renderer.draw(IMAGE, Postprocessed(depth=DEPTH), everything, alpha=0.5)
    assert set(only_depth) == {Output.DEPTH_COLOR}


def test_nothing_is_drawn_unless_it_is_wanted(renderer):
    assert renderer.draw(IMAGE, BOTH, frozenset({Output.MASK}), alpha=0.5) == {}


def test_images_are_reused_and_can_be_messages(renderer):
    wanted = frozenset({Output.COLOR, Output.OVERLAY, Output.DEPTH_COLOR})
    first = renderer.draw(IMAGE, BOTH, wanted, alpha=0.5)
    second = renderer.draw(IMAGE, BOTH, wanted, alpha=0.5)
    for output, image in first.items():
        assert image is second[output] or np.shares_memory(image, second[output])
        assert backing_array(image) is not None
