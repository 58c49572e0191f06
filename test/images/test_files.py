"""Image files: list, read and write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import (
    IMAGE_SUFFIXES,
    list_images,
    natural_order,
    read_image,
    write_file,
    write_image,
)

IMAGE = np.random.default_rng(1).integers(0, 256, (7, 9, 3), np.uint8)


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.tiff', '.ppm'])
def test_an_image_that_is_written_is_read_unchanged(tmp_path: Path, suffix: str):
    write_image(tmp_path / f'a{suffix}', IMAGE)
    np.testing.assert_array_equal(read_image(tmp_path / f'a{suffix}'), IMAGE)


def test_images_are_written_as_rgb(tmp_path: Path):
    write_image(tmp_path / 'a.png', IMAGE)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'a.png'))[..., ::-1], IMAGE)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_a_single_channel_keeps_its_type(tmp_path: Path, dtype):
    values = np.arange(63).reshape(7, 9).astype(dtype) * dtype(4)
    write_image(tmp_path / 'a.png', values)
    found = cv2.imread(str(tmp_path / 'a.png'), cv2.IMREAD_UNCHANGED)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize('kind', ['gray', 'alpha', '16 bit'])
def test_gray_alpha_and_16_bit_images_become_rgb(tmp_path: Path, kind: str):
    arrays = {
        'gray': np.full((4, 5), 77, np.uint8),
        'alpha': np.full((4, 5, 4), (10, 20, 30, 255), np.uint8),
        '16 bit': np.full((4, 5), 77 * 257, np.uint16),
    }
    cv2.imwrite(str(tmp_path / 'a.png'), arrays[kind])
    image = read_image(tmp_path / 'a.png')
    assert image.shape == (4, 5, 3) and image.dtype == np.uint8
    assert tuple(image[0, 0]) == ((30, 20, 10) if kind == 'alpha' else (77, 77, 77))


def test_images_are_listed_in_natural_order(tmp_path: Path):
    for name in ('f10.png', 'f2.png', 'f1.PNG', 'notes.txt', 'png', 'f.mp4'):
        (tmp_path / name).touch()
    assert [p.name for p in list_images(tmp_path)] == ['f1.PNG', 'f2.png', 'f10.png']
    assert [p.name for p in list_images(tmp_path, 'f2*')] == ['f2.png']


def test_a_folder_without_images_is_an_error_with_the_suffixes(tmp_path: Path):
    (tmp_path / 'a.png').touch()
    with pytest.raises(MediaError, match=r"no image that matches '\*\.jpg'.*\.png, \.jpg"):
        list_images(tmp_path, '*.jpg')


def test_natural_order_compares_numbers_as_numbers():
    names = ['a', 'b2c1', 'b2c3', 'b2c10', 'b10c1']
    assert sorted(map(Path, reversed(names)), key=natural_order) == [Path(n) for n in names]
    assert natural_order(Path('9/b02c3.png')) == ['b', 2, 'c', 3, '.png']


@pytest.mark.parametrize('suffix', [s for s in IMAGE_SUFFIXES if s != '.pgm'])
def test_the_limit_of_pixels_holds_for_every_format(tmp_path: Path, suffix: str):
    path = tmp_path / f'a{suffix}'
    cv2.imwrite(str(path), np.full((48, 64, 3), 90, np.uint8))
    assert read_image(path, max_pixels=3072).shape == (48, 64, 3)
    with pytest.raises(
        MediaError, match=f'a{suffix}: .*64x48 = 3072 pixels; max_pixels allows 3071'
    ):
        read_image(path, max_pixels=3071)


def test_an_image_above_the_limit_is_not_decoded(tmp_path: Path, monkeypatch):
    write_image(tmp_path / 'a.png', IMAGE)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('the image was decoded'))
    with pytest.raises(MediaError, match='9x7 = 63 pixels'):
        read_image(tmp_path / 'a.png', max_pixels=62)


@pytest.mark.parametrize('content', [b'', b'not an image', b'\x89PNG\r\n'])
def test_a_file_that_is_not_an_image_is_an_error(tmp_path: Path, content: bytes):
    (tmp_path / 'bad.png').write_bytes(content)
    with pytest.raises(MediaError, match=rf'bad\.png \({len(content)} bytes\) is not an image'):
        read_image(tmp_path / 'bad.png')


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(MediaError, match=r'none\.png cannot be read: No such file'):
        read_image(tmp_path / 'none.png')


READ = """
import sys
from pathlib import Path
from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import read_image
try:
    read_image(Path(sys.argv[1]))
except MediaError as err:
    print(err)
"""


def declaring_bmp(width: int, height: int) -> bytes:
    """Return a small BMP whose header declares another size."""
    data = bytearray(cv2.imencode('.bmp', IMAGE)[1].tobytes())
    data[18:22] = width.to_bytes(4, 'little')
    data[22:26] = height.to_bytes(4, 'little')
    return bytes(data)


def test_a_file_above_the_limit_of_opencv_is_an_error_of_one_line(tmp_path: Path):
    """Run in a process of its own: OpenCV reads its limit when it is loaded."""
    (tmp_path / 'a.bmp').write_bytes(declaring_bmp(16000, 16000))
    environment = {k: v for k, v in os.environ.items() if k != 'OPENCV_IO_MAX_IMAGE_PIXELS'}
    done = subprocess.run(
        [sys.executable, '-c', READ, str(tmp_path / 'a.bmp')],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    (line,) = done.stdout.splitlines()
    assert f"a.bmp exceeds OpenCV's limit of {2**27} pixels" in line
    assert 'OPENCV_IO_MAX_IMAGE_PIXELS' in line


@pytest.mark.parametrize(('name', 'rows'), [('a.png', 0), ('a.txt', 4)])
def test_an_image_that_cannot_be_encoded_is_an_error(tmp_path: Path, name: str, rows: int):
    with pytest.raises(MediaError, match=rf'{name}: an image of shape \({rows}, 5\) and type'):
        write_image(tmp_path / name, np.zeros((rows, 5), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    with pytest.raises(MediaError, match=r'a\.bin cannot be written: No such file'):
        write_file(tmp_path / 'none' / 'a.bin', b'x')
    (tmp_path / 'a.bin').mkdir()
    with pytest.raises(MediaError, match=r'a\.bin cannot be written: Is a directory'):
        write_file(tmp_path / 'a.bin', b'x')
    assert [p.name for p in tmp_path.iterdir()] == ['a.bin']


def test_a_file_is_replaced(tmp_path: Path):
    for data in (b'old content', b'new'):
        write_file(tmp_path / 'a.bin', data)
        assert (tmp_path / 'a.bin').read_bytes() == data
