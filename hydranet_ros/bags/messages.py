"""Convert between the messages of a bag and arrays, without ROS."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from hydranet_ros.bags.reader import BagMessage
from hydranet_ros.errors import BagError
from hydranet_ros.images.encodings import to_rgb
from hydranet_ros.images.jpeg import decode_compressed
from hydranet_ros.perception.outputs import IMAGE, POINT_CLOUD
from hydranet_ros.perception.point_cloud import POINT_FIELDS, POINT_STEP

COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)


def typestore() -> Typestore:
    """Return the message definitions that bags are read and written with."""
    return get_typestore(Stores.ROS2_HUMBLE)


def deserialize(store: Typestore, message: BagMessage, allowed: Collection[str]) -> Any:
    """
    Deserialize a message.

    :param allowed: the types that the message may have.
    :raises BagError: if it has another type, or the data do not match the type.
    """
    if message.message_type not in allowed:
        raise BagError(
            f'{message.topic} has the type {message.message_type}; allowed: {", ".join(allowed)}.'
        )
    try:
        return store.deserialize_cdr(message.data, message.message_type)
    except Exception as err:  # Damaged bytes cause all types of exceptions.
        raise BagError(
            f'{len(message.data)} bytes cannot be decoded as {message.message_type} '
            f'({type(err).__name__}: {err}).'
        ) from err


def stamp_of(value: Any) -> tuple[int, int]:
    """Return the stamp of a message with a header: seconds and nanoseconds."""
    return value.header.stamp.sec, value.header.stamp.nanosec


def image_to_rgb(image: Any, *, max_pixels: int) -> NDArray[np.uint8]:
    """
    Return an Image or CompressedImage as RGB, (H, W, 3) uint8.

    :param max_pixels: the largest width times height that is accepted.
    :raises ImageError: if the image cannot be decoded or is too large.
    """
    if image.__msgtype__ == COMPRESSED_IMAGE:
        return decode_compressed(image.data, max_pixels=max_pixels)
    return to_rgb(
        image.data, height=image.height, width=image.width, encoding=image.encoding,
        step=image.step, is_bigendian=bool(image.is_bigendian), max_pixels=max_pixels,
    )  # fmt: skip


def image_message(store: Typestore, values: NDArray, encoding: str, header: Any) -> Any:
    """Return an Image of an (H, W) or (H, W, C) array."""
    height, width = values.shape[:2]
    return store.types[IMAGE](
        header=header, height=height, width=width, encoding=encoding, is_bigendian=0,
        step=values.nbytes // height, data=values.view(np.uint8).ravel(),
    )  # fmt: skip


def cloud_message(store: Typestore, points: NDArray, header: Any) -> Any:
    """
    Return a PointCloud2 of an organized cloud.

    :param points: (H, W) of :data:`~hydranet_ros.perception.point_cloud.POINT_DTYPE`.
    """
    field = store.types['sensor_msgs/msg/PointField']
    height, width = points.shape
    return store.types[POINT_CLOUD](
        header=header, height=height, width=width,
        fields=[field(name=item.name, offset=item.offset, datatype=item.datatype, count=1)
                for item in POINT_FIELDS],
        is_bigendian=False, point_step=POINT_STEP, row_step=POINT_STEP * width,
        data=points.view(np.uint8).ravel(), is_dense=False,
    )  # fmt: skip
