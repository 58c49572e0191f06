"""The camera info applies to an image, or the reason why not is reported."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from ros_tools import FRAME, camera_info, header

from hydranet_ros.ros import camera_info as module
from hydranet_ros.ros.camera_info import CameraInfoState

SIZE = (48, 64)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def state(warnings) -> CameraInfoState:
    return CameraInfoState(warnings.append)


def model_for(state, size=SIZE, frame=FRAME, topic='/camera_info', *, needed=True):
    return state.model_for(size, header(1, frame), topic, needed=needed)


def test_a_matching_image_gets_the_model_of_the_camera_info(state, warnings):
    state.update(camera_info(focal=120.0), rectified=False)
    model = model_for(state)
    assert (model.fx, model.width, model.height) == (120.0, 64, 48)
    assert (state.problem, warnings) == ('', [])


def test_a_rectified_image_gets_the_model_of_p(state):
    info = camera_info(focal=120.0)
    info.p[0] = 90.0
    state.update(info, rectified=True)
    assert model_for(state).fx == 90.0


def test_an_equal_camera_info_with_a_newer_stamp_changes_nothing(state):
    """Numbers and strings are equal but not the same objects, as in received messages."""

    def received(second):
        info = camera_info(second, (int('480'), int('640')), frame=''.join(['left', '_eye']))
        info.binning_x, info.binning_y = int('301'), int('302')
        return info

    state.update(received(1), rectified=False)
    model = state.model
    state.update(received(2), rectified=False)
    assert state.model is model
    assert state.info.header.stamp.sec == 1
    assert model_for(state, (1, 2), frame=''.join(['left', '_', 'eye'])) is not None


def set_field(name, value):
    return lambda info: setattr(info, name, value)


def set_item(name, index, value):
    def change(info):
        getattr(info, name)[index] = value

    return change


CHANGES = {
    'width': set_field('width', 65),
    'height': set_field('height', 49),
    'frame_id': lambda info: setattr(info.header, 'frame_id', 'other'),
    'distortion_model': set_field('distortion_model', 'rational_polynomial'),
    'binning_x': set_field('binning_x', 2),
    'binning_y': set_field('binning_y', 2),
    'roi': lambda info: setattr(info.roi, 'width', 32),
    'k': set_item('k', 0, 101.0),
    'd': set_item('d', 1, 0.1),
    'p': set_item('p', 0, 101.0),
}


@pytest.mark.parametrize('name', CHANGES)
@pytest.mark.parametrize('order', [1, -1])
def test_a_camera_info_with_another_value_is_used(state, name, order):
    infos = [camera_info(1), camera_info(2)]
    CHANGES[name](infos[1])
    for info in infos[::order]:
        state.update(info, rectified=False)
        assert state.info is info


def test_an_unusable_camera_info_is_one_warning_until_a_usable_one_arrives(state, warnings):
    bad = camera_info()
    bad.k = [math.nan] * 9
    for _ in range(3):
        state.update(bad, rectified=False)
    assert model_for(state) is None
    assert len(warnings) == 1
    assert warnings[0].startswith('The camera_info cannot be used, so there is no cloud: ')
    assert 'not finite' in warnings[0]
    assert state.problem == warnings[0]
    state.update(camera_info(), rectified=False)
    assert state.problem == '' and model_for(state) is not None


def test_a_camera_info_of_another_frame_is_not_used(state, warnings):
    state.update(camera_info(frame='left'), rectified=False)
    assert model_for(state, frame='right') is None
    expected = (
        "The camera_info has frame_id 'left', but the image has 'right'; it is not used, so "
        'there is no cloud.'
    )
    assert warnings == [state.problem] == [expected]


@pytest.mark.parametrize('size', [(48, 65), (49, 64), (24, 32)])
def test_a_camera_info_of_another_size_is_not_used(state, warnings, size):
    state.update(camera_info(), rectified=False)
    assert model_for(state, size) is None
    expected = (
        f'The camera_info describes 64x48 pixels, but the image has {size[1]}x{size[0]}; it '
        'is not used, so there is no cloud.'
    )
    assert warnings == [state.problem] == [expected]


def test_a_repeated_warning_is_throttled_but_stays_the_problem(state, warnings):
    state.update(camera_info(), rectified=False)
    for _ in range(5):
        model_for(state, (24, 32))
    assert len(warnings) == 1
    assert '32x24' in state.problem
    model_for(state)
    assert state.problem == ''


def test_a_warning_is_repeated_after_a_while(state, warnings, monkeypatch):
    moments = iter([10.0, 14.9, 15.1])
    monkeypatch.setattr(module, 'time', SimpleNamespace(monotonic=lambda: next(moments)))
    state.update(camera_info(), rectified=False)
    for _ in range(3):
        model_for(state, (24, 32))
    assert len(warnings) == 2


def test_a_missing_camera_info_is_one_warning_at_the_second_frame(state, warnings):
    assert model_for(state, topic='/cam/info') is None
    assert (state.problem, warnings) == ('', [])
    for _ in range(3):
        assert model_for(state, topic='/cam/info') is None
    expected = (
        'No camera info on /cam/info: there is no cloud, and depth is not corrected for the '
        'focal length.'
    )
    assert warnings == [state.problem] == [expected]


def test_frames_that_do_not_need_a_camera_cause_no_warning(state, warnings):
    for _ in range(4):
        model_for(state, needed=False)
    assert (state.problem, warnings) == ('', [])
    model_for(state)
    assert warnings == [], 'this is the first frame that needs it'
    model_for(state, needed=False)
    model_for(state)
    assert len(warnings) == 1


def test_a_camera_info_ends_the_warning_that_there_is_none(state):
    for _ in range(2):
        model_for(state)
    assert state.problem
    state.update(camera_info(), rectified=False)
    assert state.problem == ''


def test_a_reset_forgets_the_camera_and_the_frames_without_one(state, warnings):
    state.update(camera_info(frame='left'), rectified=False)
    model_for(state)
    state.reset()
    assert (state.info, state.model, state.problem) == (None, None, '')
    warnings.clear()
    model_for(state)
    state.reset()
    model_for(state)
    assert warnings == [], 'the first frame after each reset'
