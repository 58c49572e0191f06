"""Values of options that several commands share."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import typer

from hydranet_ros.camera.conventions import OPTICAL_FRAME
from hydranet_ros.cli import bag, play, predict
from hydranet_ros.cli.options import parse_intrinsics, parse_roots, parse_size


def test_roots_are_folders_by_name():
    assert parse_roots(['KITTI=/data/kitti', 'NYUD_2=a=b']) == {
        'KITTI': Path('/data/kitti'), 'NYUD_2': Path('a=b'),
    }  # fmt: skip
    assert parse_roots([]) == {}


@pytest.mark.parametrize('item', ['kitti=/data', 'KITTI', 'KITTI=', '=/data', ''])
def test_a_root_of_another_form_is_an_error(item: str):
    with pytest.raises(typer.BadParameter, match='is not NAME=FOLDER with NAME in capitals'):
        parse_roots([item])


@pytest.mark.parametrize('text', ['640x480', '640X480'])
def test_a_size_is_height_and_width(text: str):
    assert parse_size(text) == (480, 640)


@pytest.mark.parametrize('text', ['640', '640x', 'x480', '-1x2', '6.4x480', '', 'axb', '1x2x3'])
def test_a_size_of_another_form_is_an_error(text: str):
    with pytest.raises(typer.BadParameter, match='is not WIDTHxHEIGHT'):
        parse_size(text)


def test_intrinsics_are_four_numbers_or_unknown():
    assert parse_intrinsics('700,710.5,320,240') == (700.0, 710.5, 320.0, 240.0)
    assert parse_intrinsics('') is None


@pytest.mark.parametrize('text', ['700', '1,2,3', '1,2,3,4,5', '1,2,3,x', '1;2;3;4'])
def test_intrinsics_of_another_form_are_an_error(text: str):
    with pytest.raises(typer.BadParameter, match='is not FX,FY,CX,CY'):
        parse_intrinsics(text)


def test_predict_and_bag_have_the_same_options_of_perception():
    shared = {'preset', 'model', 'provider', 'threads', 'max_depth', 'min_confidence', 'stride',
              'max_pixels'}  # fmt: skip
    found = [inspect.signature(module.command).parameters for module in (predict, bag)]
    for name in shared:
        assert found[0][name].default == found[1][name].default
        assert found[0][name].annotation == found[1][name].annotation


def test_images_are_played_in_the_optical_frame():
    assert inspect.signature(play.command).parameters['frame_id'].default == OPTICAL_FRAME
