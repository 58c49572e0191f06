"""Read which other libraries a library of Linux needs."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

_MAGIC_64_LITTLE = b'\x7fELF\x02\x01'
_PROGRAM_HEADERS = struct.Struct('<Q')  # at byte 32: offset of the program headers
_COUNTS = struct.Struct('<HH')  # at byte 54: size and number of the program headers
_HEADER = struct.Struct('<IIQQQQ')  # type, flags, offset, address, physical address, size
_ENTRY = struct.Struct('<qQ')
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _STRING_TABLE = 0, 1, 5


def needed_libraries(path: Path) -> tuple[str, ...]:
    """
    Return the names of the libraries that a 64-bit library needs, in its order.

    :returns: empty if the file is missing or is no such library.
    """
    try:
        with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return tuple(_needed(data)) if data[:6] == _MAGIC_64_LITTLE else ()
    except (OSError, ValueError, struct.error):
        return ()


def _needed(data: mmap.mmap) -> Iterator[str]:
    (start,) = _PROGRAM_HEADERS.unpack_from(data, 32)
    size, count = _COUNTS.unpack_from(data, 54)
    headers = [_HEADER.unpack_from(data, start + size * index) for index in range(count)]
    loads = [(offset, address, length) for kind, _, offset, address, _, length in headers
             if kind == _LOAD]  # fmt: skip
    entries = [
        _ENTRY.unpack_from(data, place)
        for kind, _, offset, _, _, length in headers if kind == _DYNAMIC
        for place in range(offset, offset + length, _ENTRY.size)
    ]  # fmt: skip
    strings = next((value for tag, value in entries if tag == _STRING_TABLE), 0)
    table = next(
        (offset + strings - address for offset, address, length in loads
         if address <= strings < address + length), 0,
    )  # fmt: skip
    for tag, value in entries:
        if tag == _END:
            return
        if tag == _NEEDED:
            first = table + value
            yield data[first : data.find(b'\0', first)].decode(errors='replace')
