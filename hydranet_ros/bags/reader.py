"""Read rosbag2 recordings, mcap or sqlite3, without ROS."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection, QosDurability
from rosbags.rosbag2 import Reader

from hydranet_ros.errors import BagError


@dataclass(frozen=True)
class BagMessage:
    """
    A message as it is stored in a bag.

    :param timestamp: time of recording, nanoseconds.
    :param data: the serialized message (CDR).
    """

    connection: Connection
    timestamp: int
    data: bytes

    @property
    def topic(self) -> str:
        """Return the topic on which it was recorded."""
        return self.connection.topic

    @property
    def message_type(self) -> str:
        """Return its type, for example ``sensor_msgs/msg/Image``."""
        return self.connection.msgtype


def is_latched(connection: Connection) -> bool:
    """Return whether a publisher of the topic was transient local."""
    profiles = getattr(connection.ext, 'offered_qos_profiles', ())
    return any(item.durability is QosDurability.TRANSIENT_LOCAL for item in profiles)


class BagReader:
    """
    A rosbag2 folder, open for reading.

    :param path: the folder, or a ``.mcap`` or ``.db3`` file in it.
    :raises BagError: if it is not a rosbag2, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.parent if path.suffix in ('.mcap', '.db3') and path.is_file() else path
        if not (self.path / 'metadata.yaml').is_file():
            raise BagError(
                f'{path} is not a rosbag2: {self.path / "metadata.yaml"} is missing. If the '
                'recording was killed, restore the file with: ros2 bag reindex.'
            )
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        except Exception as err:  # rosbags raises many types.
            raise BagError(f'{self.path} cannot be opened: {err}') from err

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def connections(self) -> list[Connection]:
        """Return the topics of the bag and their types."""
        return self._reader.connections

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """
        Yield messages in the order of recording.

        :param topics: the topics to read; all by default.
        :raises BagError: if the bag is damaged; the messages before the damage are yielded.
        """
        chosen = [item for item in self.connections if not topics or item.topic in topics]
        if not chosen:  # rosbags would read all topics.
            return
        count = 0
        try:
            for connection, timestamp, data in self._reader.messages(chosen):
                yield BagMessage(connection, timestamp, bytes(data))
                count += 1
        except (BagError, GeneratorExit):
            raise
        except Exception as err:  # The decoders of the storage raise many types.
            raise BagError(f'{self.path} is damaged after message {count}: {err}') from err
