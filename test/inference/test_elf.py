"""Names of the libraries that a library needs."""

from __future__ import annotations

import _ctypes
from pathlib import Path

from hydranet_ros.inference.elf import needed_libraries


def test_a_library_of_this_python_needs_the_c_library():
    names = needed_libraries(Path(_ctypes.__file__))
    assert any(name.startswith('libc.') for name in names)
    assert all(name.isprintable() and '.so' in name for name in names)


def test_a_file_that_is_no_library_needs_nothing(tmp_path):
    assert needed_libraries(tmp_path / 'missing') == ()
    for content in (b'', b'text', b'\x7fELF\x02\x01', b'\x7fELF\x02\x01' + bytes(80)):
        (tmp_path / 'file').write_bytes(content)
        assert needed_libraries(tmp_path / 'file') == ()
