"""
Bags without a ROS graph: rosbag2 in (mcap or sqlite3), rosbag2 out (mcap), every frame.

Reading and writing is rosbags'; nothing here needs rclpy.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
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
from rosbags.rosbag2 import CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

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


@dataclass(frozen=True)
class BagMessage:
    """
    A message as it lies in the bag.

    :param time: nanoseconds at which it was recorded.
    :param data: its CDR bytes.
    """

    connection: Connection
    time: int
    data: bytes

    @property
    def topic(self) -> str:
        """Return the topic it was recorded on."""
        return self.connection.topic

    @property
    def kind(self) -> str:
        """Return its type, for example ``sensor_msgs/msg/Image``."""
        return self.connection.msgtype


def typestore() -> Typestore:
    """Return the message definitions that bags are read and written with."""
    return get_typestore(Stores.ROS2_HUMBLE)


def is_latched(connection: Connection) -> bool:
    """Return whether a topic was published for late joiners too (transient local)."""
    profiles = getattr(connection.ext, 'offered_qos_profiles', ())
    return any(item.durability is QosDurability.TRANSIENT_LOCAL for item in profiles)


class BagReader:
    """
    A rosbag2 folder, open to read.

    :raises BagError: if it is no rosbag2, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.parent if path.suffix in ('.mcap', '.db3') and path.is_file() else path
        if not (self.path / 'metadata.yaml').is_file():
            raise BagError(
                f'{path} is no rosbag2: {self.path / "metadata.yaml"} is missing. A bag whose '
                'recording was killed can be mended with: ros2 bag reindex.'
            )
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        except Exception as err:
            raise BagError(f'{self.path} cannot be opened: {err}') from err

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def connections(self) -> list[Connection]:
        """Return topics and types of the bag."""
        return self._reader.connections

    @property
    def duration(self) -> float:
        """Return seconds from the first message to the last."""
        return self._reader.duration * 1e-9

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """
        Yield messages in the order of recording.

        :param topics: those to read; all by default.
        :raises BagError: where the bag is damaged; what came before has been yielded.
        """
        chosen = [item for item in self.connections if not topics or item.topic in topics]
        count = 0
        try:
            for connection, moment, data in self._reader.messages(chosen):
                yield BagMessage(connection, moment, bytes(data))
                count += 1
        except (BagError, GeneratorExit):
            raise
        except Exception as err:
            raise BagError(f'{self.path} is damaged after message {count}: {err}') from err


class BagWriter:
    """
    A new rosbag2 folder: mcap with compressed chunks, for ROS 2 Humble and later and Foxglove.

    The bag is ended while there is still room for its index, so that a full disk leaves a bag
    that can be read up to there.

    :raises BagError: if the folder exists or cannot be made.
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
            self._writer.set_compression(CompressionMode.STORAGE, _zstd())
            self._writer.open()
        except Exception as err:
            raise BagError(f'{path} cannot be made: {err} Choose a folder that does not exist.'
                           ) from err  # fmt: skip
        self._open = True
        free = shutil.disk_usage(path).free
        self._margin = _MARGIN if free > 4 * _MARGIN else _SMALL_MARGIN

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def write(
        self, topic: str, kind: str, moment: int, data: bytes, *, latched: bool = False
    ) -> None:
        """
        Append a message.

        :param kind: its type, for example ``sensor_msgs/msg/Image``.
        :param moment: nanoseconds.
        :param data: its CDR bytes.
        :raises BagError: if the disk is full; the bag is ended and whole.
        """
        if not self._open:
            raise BagError(f'{self.path} is ended already.')
        if shutil.disk_usage(self.path).free < self._margin + 2 * len(data):
            self.close()
            raise BagError(
                f'The disk is full: {self.path} is ended here and can be read up to here. Free '
                'some room or choose another folder.'
            )
        try:
            if topic not in self._connections:
                profiles: Sequence[Qos] = (_LATCHED,) if latched else ()
                self._connections[topic] = self._writer.add_connection(
                    topic, kind, typestore=self.store, offered_qos_profiles=profiles
                )
            self._writer.write(self._connections[topic], moment, data)
        except OSError as err:
            raise BagError(f'{self.path} cannot be written: {err.strerror or err}.') from err

    def write_message(
        self, topic: str, message: Any, moment: int, *, latched: bool = False
    ) -> None:
        """Append a message of :attr:`store`'s own types."""
        kind = message.__msgtype__
        data = bytes(self.store.serialize_cdr(message, kind))
        self.write(topic, kind, moment, data, latched=latched)

    def close(self) -> None:
        """
        Write the index and end the bag.

        :raises BagError: if that fails.
        """
        if not self._open:
            return
        self._open = False
        try:
            self._writer.close()
        except OSError as err:
            raise BagError(f'{self.path} could not be ended: {err.strerror or err}.') from err


def _zstd() -> Any:
    from rosbags.rosbag2 import CompressionFormat

    return CompressionFormat.ZSTD


def remove_old(path: Path) -> None:
    """Remove a bag written before at the same place; anything else there is left alone."""
    if (path / 'metadata.yaml').is_file() or not any(path.glob('*')):
        shutil.rmtree(path, ignore_errors=True)


def now_ns() -> int:
    """Return the wall clock in nanoseconds."""
    return time.time_ns()
