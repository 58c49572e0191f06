"""Images, folders and videos are processed; what fails costs only itself."""

from __future__ import annotations

import struct
import zlib
from dataclasses import FrozenInstanceError
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import MediaError, ModelNotFoundError
from hydranet_ros.images.video import GifWriter, VideoReader, VideoWriter
from hydranet_ros.inference.engine import EngineOptions
from hydranet_ros.perception.pipeline import PerceptionSettings
from hydranet_ros.perception.predict import PredictOptions, predict_all

IMAGE = np.full((48, 64, 3), 90, np.uint8)


@pytest.fixture
def predict(tmp_path: Path, tiny_model):
    """Return a function that processes inputs into ``out`` and returns the number of failures."""

    def predict(*inputs: Path, **options) -> int:
        values = {'model': str(tiny_model), 'engine': EngineOptions('cpu'), **options}
        return predict_all(inputs, tmp_path / 'out', PredictOptions(**values))

    return predict


def results(tmp_path: Path) -> set[str]:
    out = tmp_path / 'out'
    return {p.relative_to(out).as_posix() for p in out.rglob('*') if p.is_file()}


def write_png(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), IMAGE)
    return path


def write_video(path: Path, frames: int = 6, fps: float = 12) -> Path:
    with VideoWriter(path, fps) as writer:
        for index in range(frames):
            writer.write(np.full((48, 64, 3), 40 * index, np.uint8))
    return path


def errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith('hydranet: ')]


def test_an_image_without_intrinsics_has_no_cloud(tmp_path: Path, predict, capsys):
    assert predict(write_png(tmp_path / 'a.png')) == 0
    assert results(tmp_path) == {
        'a_mask.png', 'a_depth.png', 'a_depth.npy', 'a_overlay.png', 'a_side.png',
    }  # fmt: skip
    out = capsys.readouterr().out
    assert out == (
        f'Processed 1 of 1 inputs with tiny.onnx on cpu; results are in {tmp_path / "out"}.\n'
    )


def test_the_intrinsics_give_a_cloud_and_scale_depth(tmp_path: Path, predict):
    image = write_png(tmp_path / 'a.png')
    assert predict(image) == 0
    plain = np.load(tmp_path / 'out' / 'a_depth.npy')
    assert predict(image, intrinsics=(300.0, 300.0, 32.0, 24.0)) == 0
    assert 'a.ply' in results(tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / 'out' / 'a_depth.npy'), 3 * plain, rtol=1e-6)


def test_the_camera_has_the_size_of_the_image_and_the_intrinsics():
    camera = PredictOptions(intrinsics=(1.0, 2.0, 3.0, 4.0)).camera(IMAGE)
    assert (camera.width, camera.height) == (64, 48)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (1, 2, 3, 4)
    assert PredictOptions().camera(IMAGE) is None


def test_options_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        PredictOptions().preset = 'room'


def test_the_settings_of_perception_apply(tmp_path: Path, predict):
    settings = PerceptionSettings(min_confidence=0.5)  # the confidence is 90 / 255
    assert predict(write_png(tmp_path / 'a.png'), settings=settings) == 0
    mask = cv2.imread(str(tmp_path / 'out' / 'a_mask.png'), cv2.IMREAD_UNCHANGED)
    assert (mask == 255).all()


def test_results_keep_the_folders_of_the_inputs(tmp_path: Path, predict):
    for name in ('day/left', 'day/right', 'night'):
        write_png(tmp_path / name / '1.png')
    inputs = (tmp_path / 'day/left', tmp_path / 'day/right', tmp_path / 'night/1.png')
    assert predict(*inputs) == 0
    masks = {name for name in results(tmp_path) if name.endswith('_mask.png')}
    assert masks == {'day/left/1_mask.png', 'day/right/1_mask.png', 'night/1_mask.png'}


def test_a_file_that_is_given_twice_is_processed_once(tmp_path: Path, predict, capsys):
    for name in ('1.png', '2.png'):
        write_png(tmp_path / 'in' / name)
    assert predict(tmp_path / 'in', tmp_path / 'in' / '2.png') == 0
    assert 'Processed 2 of 2 inputs' in capsys.readouterr().out


def test_files_that_fail_are_reported_and_counted(tmp_path: Path, predict, capsys):
    write_png(tmp_path / 'in' / 'b.png')
    (tmp_path / 'in' / 'a.png').write_bytes(b'not an image')
    (tmp_path / 'empty').mkdir()
    missing = tmp_path / 'in' / 'none.png'
    assert predict(tmp_path / 'empty', tmp_path / 'in', missing) == 3
    captured = capsys.readouterr()
    assert 'Processed 1 of 4 inputs' in captured.out
    lines = [line for line in captured.err.splitlines() if line.startswith('hydranet: ')]
    assert [path in line for path, line in zip(('empty has no image', 'a.png', 'none.png'),
                                               lines)] == [True] * 3  # fmt: skip
    assert 'in/b_mask.png' in results(tmp_path)


def declaring_png(width: int, height: int) -> bytes:
    """Return a small PNG whose header declares another size."""
    data = bytearray(cv2.imencode('.png', IMAGE)[1].tobytes())
    data[16:24] = struct.pack('>II', width, height)
    data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    return bytes(data)


def test_a_small_file_that_declares_a_large_image_costs_only_itself(tmp_path, predict, capsys):
    write_png(tmp_path / 'in' / 'b.png')
    (tmp_path / 'in' / 'a.png').write_bytes(declaring_png(4000, 4000))
    assert predict(tmp_path / 'in') == 1
    (line,) = errors(capsys)
    assert 'a.png' in line and '4000x4000 = 16000000 pixels; max_pixels allows 14000000' in line
    assert 'b_mask.png' in results(tmp_path)


@pytest.mark.parametrize(('max_pixels', 'failed'), [(3072, 0), (3071, 1)])
def test_the_limit_of_pixels_holds_for_images_and_videos(
    tmp_path, predict, capsys, max_pixels, failed
):
    inputs = (write_png(tmp_path / 'a.png'), write_video(tmp_path / 'film.mp4', 1))
    assert predict(*inputs, max_pixels=max_pixels) == 2 * failed
    lines = errors(capsys)
    assert [f'{path}: The image is too large: 64x48' in line
            for path, line in zip(inputs, lines)] == [True, True] * failed  # fmt: skip
    assert bool(results(tmp_path)) == (not failed)


def test_a_video_becomes_mp4_and_gif_at_its_frame_rate(tmp_path: Path, predict):
    assert predict(write_video(tmp_path / 'film.MP4')) == 0
    assert results(tmp_path) == {'film.mp4', 'film.gif'}
    for name in ('film.mp4', 'film.gif'):
        with VideoReader(tmp_path / 'out' / name) as reader:
            assert reader.fps == pytest.approx(12, rel=0.05)
            frames = list(reader)
        assert len(frames) == 6
        assert frames[0].image.shape == (48, 3 * 64, 3)
    for index, frame in enumerate(frames):
        assert np.abs(frame.image[:, :64].astype(int) - 40 * index).mean() < 6


@pytest.mark.parametrize('writer', [VideoWriter, GifWriter])
def test_a_result_never_overwrites_its_source(tmp_path: Path, tiny_model, capsys, writer):
    path = tmp_path / f'film{".mp4" if writer is VideoWriter else ".gif"}'
    with writer(path, 12) as video:
        video.write(IMAGE)
    before = path.read_bytes()
    assert predict_all([path], tmp_path, PredictOptions(model=str(tiny_model))) == 1
    assert 'would be overwritten by its result' in capsys.readouterr().err
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path, tiny_model):
    (tmp_path / 'file').touch()
    options = PredictOptions(model=str(tiny_model))
    with pytest.raises(MediaError, match='file/out cannot be created'):
        predict_all([write_png(tmp_path / 'a.png')], tmp_path / 'file' / 'out', options)


def test_a_missing_model_is_an_error_before_anything_is_written(tmp_path: Path):
    with pytest.raises(ModelNotFoundError):
        predict_all([tmp_path], tmp_path / 'out', PredictOptions(model='none.onnx'))
    assert not (tmp_path / 'out').exists()
