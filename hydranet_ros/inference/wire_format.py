"""
The wire format of protocol buffers, as far as it is needed to edit ONNX files.

The package ``onnx`` would add half a second to the start of the node and 30 MB to its memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}


class Field(NamedTuple):
    """One field: its number, its bytes with the tag, and its payload if it has a length."""

    number: int
    whole: memoryview
    payload: memoryview


def texts(message: memoryview, number: int) -> list[str]:
    """Return the strings of every field with this number."""
    found = (item.payload for item in fields(message) if item.number == number)
    return [bytes(payload).decode('utf-8', 'surrogateescape') for payload in found]


def text(message: memoryview, number: int) -> str:
    """Return the first string with this field number; empty if there is none."""
    return next(iter(texts(message, number)), '')


def fields(message: memoryview) -> Iterator[Field]:
    """
    Yield the fields of a message in their order.

    :raises ValueError: if the bytes are not a complete message.
    """
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        kind, payload = tag & 7, message[:0]
        if kind == _VARINT:
            _, position = _varint(message, position)
        elif kind == _BYTES:
            length, position = _varint(message, position)
            payload, position = message[position : position + length], position + length
        elif kind in _FIXED_SIZES:
            position += _FIXED_SIZES[kind]
        else:
            raise ValueError(f'byte {start} is not the start of a protocol buffer field')
        if position > len(message):
            raise ValueError('the file is truncated')
        yield Field(tag >> 3, message[start:position], payload)


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    raise ValueError('the file is truncated')


def with_length(number: int, payload: bytes) -> bytes:
    """Return a field of bytes: its tag, length and payload."""
    return encoded(number << 3 | _BYTES) + encoded(len(payload)) + payload


def encoded(value: int) -> bytes:
    """Return a number as a varint."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
