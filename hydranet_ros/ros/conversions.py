"""
Convert between messages and arrays, without copies where possible.

A message uses the buffer of a result as its data (see :mod:`hydranet_ros.inference.buffers`). It
is published before the next frame overwrites the buffer.
"""

from __future__ import annotations

import importlib
from array import array
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import ImageError, MissingDependencyError
from hydranet_ros.images.encodings import SUPPORTED_ENCODINGS, to_rgb
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, check_pixels
from hydranet_ros.images.jpeg import decode_compressed
from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.perception.point_cloud import POINT_FIELDS, POINT_STEP, PointCloud

_POINT_FIELDS = tuple(
    PointField(name=item.name, offset=item.offset, datatype=item.datatype, count=1)
    for item in POINT_FIELDS
)


def image_to_rgb(
    message: Image | CompressedImage, out: NDArray[np.uint8] | None = None, *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> NDArray[np.uint8]:  # fmt: skip
    """
    Return an image message as (H, W, 3) uint8 RGB.

    Encodings that are not supported here are converted by cv_bridge if it is installed.

    :param out: array of the image's shape for the result, used if the image must be converted.
    :param max_pixels: largest accepted width times height.
    :raises ImageError: if the size, the encoding, the step or the data cannot be used.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message.data, max_pixels=max_pixels)
    check_pixels(message.width, message.height, max_pixels)
    if message.encoding not in SUPPORTED_ENCODINGS:
        return _convert_with_cv_bridge(message)
    return to_rgb(
        message.data, height=message.height, width=message.width, encoding=message.encoding,
        step=message.step, is_bigendian=bool(message.is_bigendian), out=out,
        max_pixels=max_pixels,
    )  # fmt: skip


def _convert_with_cv_bridge(message: Image) -> NDArray[np.uint8]:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError:
        raise ImageError(
            f'Image encoding {message.encoding!r} is not supported; supported: '
            f'{", ".join(SUPPORTED_ENCODINGS)}. Others need cv_bridge, which is not installed.'
        ) from None
    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, 'rgb8'))
    except (CvBridgeError, cv2.error, TypeError, ValueError) as err:
        raise ImageError(f'cv_bridge cannot convert {message.encoding!r} to rgb8: {err}') from err


def message_class(type_name: str) -> type | None:
    """
    Return the Python class of ``package/msg/Name``.

    :returns: ``None`` if the package is not installed or the name has another form.
    """
    package, _, name = type_name.partition('/msg/')
    if not (package.isidentifier() and name.isidentifier()):
        return None
    try:
        found = getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) else None


def require_message_class(type_name: str) -> Any:
    """
    Return the Python class of ``package/msg/Name``.

    :raises MissingDependencyError: if the package is not installed.
    """
    found = message_class(type_name)
    if found is None:
        package = type_name.partition('/')[0]
        raise MissingDependencyError(
            f'The message package {package} is not installed; install it with the extra ros, or '
            'source a ROS 2 installation.'
        )
    return found


def empty_message(kind: type) -> Any:
    """
    Return an empty message that keeps an array assigned to it instead of copying it.

    From Jazzy on, a message copies the array unless ``check_fields`` is set. Earlier releases
    always check and do not have this option.
    """
    try:
        return kind(check_fields=True)
    except (AssertionError, TypeError):
        return kind()


def message_data(values: NDArray) -> array:
    """Return an array's bytes as message data: its own memory if possible, else a copy."""
    shared = backing_array(values)
    if shared is not None:
        return shared
    data = array('B')
    data.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return data


def fill_image(message: Image, values: NDArray, encoding: str, header: Header) -> Image:
    """Fill a message with an (H, W) or (H, W, C) array, and return it."""
    message.header = header
    message.height, message.width = values.shape[:2]
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = values.nbytes // values.shape[0]
    message.data = message_data(values)
    return message


def fill_cloud(message: PointCloud2, cloud: PointCloud, header: Header) -> PointCloud2:
    """Fill a message with an organized cloud, and return it."""
    message.header = header
    message.height, message.width = cloud.data.shape
    if not message.fields:
        message.fields = list(_POINT_FIELDS)
    message.is_bigendian = False
    message.point_step = POINT_STEP
    message.row_step = POINT_STEP * cloud.data.shape[1]
    message.data = message_data(cloud.data)
    message.is_dense = False
    return message


def camera_info_message(camera: CameraModel, header: Header) -> CameraInfo:
    """Return the CameraInfo of a camera model."""
    return CameraInfo(
        header=header, height=camera.height, width=camera.width, k=list(camera.k),
        d=list(camera.distortion) or [0.0] * 5,
        distortion_model=camera.distortion_model or 'plumb_bob',
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[camera.fx, 0.0, camera.cx, 0.0, 0.0, camera.fy, camera.cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )  # fmt: skip


def scaled_camera_info(source: CameraInfo, height: int, width: int, header: Header) -> CameraInfo:
    """
    Return the camera info of an image of the source's camera resized to ``width`` x ``height``.

    The result describes a full image: K and P apply to its actual pixels, and binning and ROI are
    0. Readers that apply binning and ROI to K and P (image_geometry) and readers that ignore them
    therefore get the same camera.
    """
    roi = source.roi
    cropped = bool(roi.width and roi.height)
    left, top = (roi.x_offset, roi.y_offset) if cropped else (0, 0)
    full_width, full_height = (roi.width, roi.height) if cropped else (source.width, source.height)
    x = _axis_scale(full_width, source.binning_x, width)
    y = _axis_scale(full_height, source.binning_y, height)
    message = CameraInfo(
        header=header, height=height, width=width, distortion_model=source.distortion_model,
        d=list(source.d), r=list(source.r),
    )  # fmt: skip
    message.k = _projection(source.k, columns=3, offset=(left, top), scale=(x, y))
    message.p = _projection(source.p, columns=4, offset=(left, top), scale=(x, y))
    return message


def _axis_scale(full: int, binning: int, actual: int) -> float:
    """Return actual pixels per full-resolution pixel; binning drops an incomplete last bin."""
    bins = max(1, binning)
    return actual / max(1, full // bins) / bins


def _projection(
    values: Sequence[float], *, columns: int, offset: tuple[int, int], scale: tuple[float, float]
) -> list[float]:
    """Return K or P (by rows) of the image cropped at ``offset``, then scaled."""
    matrix = np.array(values, np.float64).reshape(3, columns)
    if matrix.any():  # The zeros of an uncalibrated camera are kept.
        matrix[:2, 2] -= offset
    matrix[:2] *= np.array(scale)[:, None]
    return matrix.ravel().tolist()


def label_info(info: ModelInfo, header: Header) -> Any | None:
    """Return a model's vision_msgs/LabelInfo, or ``None`` if vision_msgs is not installed."""
    try:
        from vision_msgs.msg import LabelInfo, VisionClass
    except ImportError:
        return None
    rows = [VisionClass(class_id=item.id, class_name=item.name) for item in info.classes]
    return LabelInfo(header=header, class_map=rows, threshold=0.0)
