"""Read publisher, number and arrival time of a received message from rclpy's message info."""

from __future__ import annotations

from typing import Any, TypeAlias

MessageNumber: TypeAlias = tuple[tuple[int, ...], int]
"""
Publisher and sequence number of a message.

The publisher is its GID; it is empty where the middleware does not report it.
"""


def message_number(info: Any) -> MessageNumber | None:
    """
    Return the number of a received message, or ``None`` if the middleware does not report it.

    :param info: message info as rclpy passes it to a callback; a dict before Kilted.
    """
    number = _field(info, 'publication_sequence_number')
    if not isinstance(number, int) or not 0 < number < 2**63:
        return None
    gid = _field(info, 'publisher_gid')
    values = gid.get('data', ()) if isinstance(gid, dict) else getattr(gid, 'data', gid)
    return tuple(values or ()), number


def received_at(info: Any) -> float:
    """Return the arrival time of a message in seconds of the system clock, 0 if unknown."""
    return 1e-9 * (_field(info, 'received_timestamp') or 0)


def _field(info: Any, name: str) -> Any:
    return info.get(name) if isinstance(info, dict) else getattr(info, name, None)
