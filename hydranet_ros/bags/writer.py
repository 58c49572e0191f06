"""Write rosbag2 recordings (mcap) without ROS."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from hydranet_ros.bags.messages import typestore
from hydranet_ros.errors import BagError

# The newest metadata that Humble and Iron read as well as Jazzy and later: from version 9 on, the
# QoS profiles of a topic are a YAML list, and their parser throws "bad conversion".
_METADATA_VERSION: Final = 8
_MARGIN = 16 * 1024 * 1024
_SMALL_MARGIN = 1024 * 1024
_LATCHED = Qos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
    QosTime(0, 0), QosTime(0, 0), QosLiveliness.SYSTEM_DEFAULT, QosTime(0, 0), False,
)  # fmt: skip


class BagWriter:
    """
    A new rosbag2 folder: mcap with compressed chunks, for ROS 2 Humble and later and Foxglove.

    The bag is closed while the disk still has room for its index. A full disk therefore leaves a
    bag that is readable up to that point.

    :raises BagError: if the folder exists or cannot be created.
    """

    def __init__(self, path: Path, store: Typestore | None = None) -> None:
        self.path = path
        self.store = store or typestore()
        self._connections: dict[str, Connection] = {}
        self._open = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = Writer(
                path, version=_METADATA_VERSION, storage_plugin=StoragePlugin.MCAP
            )
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except Exception as err:  # rosbags raises many types.
            raise BagError(
                f'{path} cannot be created: {err} Choose a folder that does not exist.'
            ) from err
        self._open = True
        self._margin = margin(shutil.disk_usage(path).free)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def write(
        self, topic: str, message_type: str, timestamp: int, data: bytes, *, latched: bool = False
    ) -> None:
        """
        Append a serialized message.

        :param message_type: its type, for example ``sensor_msgs/msg/Image``.
        :param timestamp: time of recording, nanoseconds.
        :param data: the serialized message (CDR).
        :param latched: record the topic as transient local.
        :raises BagError: if the disk is full; the bag is closed and readable.
        """
        if not self._open:
            raise BagError(f'{self.path} is closed already.')
        if shutil.disk_usage(self.path).free < self._margin + 2 * len(data):
            self.close()
            raise BagError(
                f'The disk is full: {self.path} is closed and readable up to here. Free some '
                'space, or choose another folder.'
            )
        try:
            if topic not in self._connections:
                profiles: Sequence[Qos] = (_LATCHED,) if latched else ()
                self._connections[topic] = self._writer.add_connection(
                    topic, message_type, typestore=self.store, offered_qos_profiles=profiles
                )
            self._writer.write(self._connections[topic], timestamp, data)
        except OSError as err:
            raise BagError(f'{self.path} cannot be written: {err.strerror or err}.') from err

    def write_message(
        self, topic: str, message: Any, timestamp: int, *, latched: bool = False
    ) -> None:
        """
        Append a message of one of the types of :attr:`store`.

        :raises BagError: as :meth:`write`.
        """
        message_type = message.__msgtype__
        data = bytes(self.store.serialize_cdr(message, message_type))
        self.write(topic, message_type, timestamp, data, latched=latched)

    def close(self) -> None:
        """
        Write the index and close the bag.

        :raises BagError: if that fails.
        """
        if not self._open:
            return
        self._open = False
        try:
            self._writer.close()
        except OSError as err:
            raise BagError(f'{self.path} cannot be completed: {err.strerror or err}.') from err


def margin(free: int) -> int:
    """Return the bytes of ``free`` disk space to keep for the index of a bag."""
    return _MARGIN if free > 4 * _MARGIN else _SMALL_MARGIN


def remove_bag(path: Path) -> None:
    """Remove an existing bag or empty folder; anything else at the path stays."""
    if (path / 'metadata.yaml').is_file() or not any(path.glob('*')):
        shutil.rmtree(path, ignore_errors=True)
