"""Atomic file writing: real processes, real limits, real permissions."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hydranet_ros.files import (
    atomic_path,
    atomic_paths,
    remove_leftovers,
    sha256_of,
    write_atomically,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    header = (
        'import os, resource, signal\nfrom pathlib import Path\nfrom hydranet_ros.files import *\n'
    )
    return subprocess.run(
        [sys.executable, '-c', header + code], cwd=folder, capture_output=True, text=True,
        timeout=60, env={**os.environ, 'PYTHONPATH': str(Path(__file__).resolve().parent.parent)},
    )  # fmt: skip


def refuse_link(*_: object) -> None:
    """Fail as on a file system without hard links."""
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / 'a.bin'
    for data in (b'old', b'', b'new content'):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == ['a.bin']


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_bytes(b'half of the n')
        raise KeyboardInterrupt
    assert path.read_bytes() == b'old'
    assert names(tmp_path) == ['a.bin']


def test_the_old_file_is_whole_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')
    with atomic_path(path) as temporary:
        temporary.write_bytes(b'new')
        assert path.read_bytes() == b'old'
        assert temporary.parent == path.parent, 'a rename across file systems is not atomic'
    assert path.read_bytes() == b'new'


def test_a_killed_process_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')
    done = run_python(
        "with atomic_path(Path('a.bin')) as temporary:\n"
        "    temporary.write_bytes(b'half of the n')\n"
        '    os.kill(os.getpid(), signal.SIGKILL)\n',
        tmp_path,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_bytes() == b'old'
    assert len(names(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ['a.bin']


def test_only_temporary_files_are_leftovers(tmp_path: Path) -> None:
    keep = ['.a.part', 'a.0123abcd.part', '.a.0123abcd', 'b.png']
    (tmp_path / 'sub').mkdir()
    for name in [*keep, '.a.0123abcd.part', 'sub/.b.png.89abcdef.part']:
        (tmp_path / name).write_bytes(b'')
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted([*keep, 'sub'])
    assert names(tmp_path / 'sub') == []


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')
    done = run_python(
        'signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n'
        "write_atomically(Path('a.bin'), bytes(5000))\n",
        tmp_path,
    )
    assert 'OSError: [Errno 27] File too large' in done.stderr
    assert path.read_bytes() == b'old'
    assert names(tmp_path) == ['a.bin']


def test_a_folder_without_write_permission_is_a_permission_error(tmp_path: Path) -> None:
    folder = tmp_path / 'locked'
    folder.mkdir()
    (folder / 'a.bin').write_bytes(b'old')
    folder.chmod(0o555)
    # root may write everywhere, so that the process becomes another user first.
    done = run_python(
        'os.geteuid() or os.setuid(65534)\n'
        'try:\n'
        "    write_atomically(Path('a.bin'), b'new')\n"
        'except PermissionError:\n'
        "    print('refused')\n",
        folder,
    )
    folder.chmod(0o755)
    assert done.stdout.strip() == 'refused', done.stderr
    assert (folder / 'a.bin').read_bytes() == b'old'
    assert names(folder) == ['a.bin']


@pytest.mark.parametrize('hard_links', [True, False])
def test_several_files_are_replaced_together_or_not_at_all(tmp_path, monkeypatch, hard_links):
    if not hard_links:
        monkeypatch.setattr(os, 'link', refuse_link)
    old, new, folder = tmp_path / 'old.bin', tmp_path / 'new.bin', tmp_path / 'folder'
    old.write_bytes(b'old')
    folder.mkdir()
    with pytest.raises(OSError), atomic_paths([old, new, folder]) as temporaries:
        for temporary in temporaries:
            temporary.write_bytes(b'new')
    assert old.read_bytes() == b'old'
    assert names(tmp_path) == ['folder', 'old.bin']
    with atomic_paths([old, new]) as temporaries:
        for temporary in temporaries:
            temporary.write_bytes(b'new')
        assert old.read_bytes() == b'old'
    assert [path.read_bytes() for path in (old, new)] == [b'new', b'new']
    assert names(tmp_path) == ['folder', 'new.bin', 'old.bin']


def test_an_error_while_writing_several_files_leaves_the_old_ones(tmp_path):
    old = tmp_path / 'old.bin'
    old.write_bytes(b'old')
    with pytest.raises(KeyboardInterrupt), atomic_paths([old, tmp_path / 'b']) as temporaries:
        temporaries[0].write_bytes(b'new')
        raise KeyboardInterrupt
    assert old.read_bytes() == b'old'
    assert names(tmp_path) == ['old.bin']


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / 'missing' / 'a.bin', b'new')


def test_a_new_file_has_the_permissions_that_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / 'a.bin', b'')
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'a.bin').stat().st_mode) == 0o640


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / 'a.bin'
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_bytes(b'first')
        second.write_bytes(b'second, longer')
    assert path.read_bytes() == b'first', 'the outer block ends last'
    assert names(tmp_path) == ['a.bin']


def test_the_longest_file_name_can_be_written(tmp_path: Path) -> None:
    for name in ('n' * 255, 'ä' * 127):
        write_atomically(tmp_path / name, b'new')
        assert (tmp_path / name).read_bytes() == b'new'


def test_a_hard_link_can_replace_another_link_of_the_same_file(tmp_path: Path) -> None:
    original, path = tmp_path / 'original', tmp_path / 'link'
    original.write_bytes(b'data')
    for _ in range(2):
        with atomic_path(path) as temporary:
            os.link(original, temporary)
    assert path.samefile(original)
    assert names(tmp_path) == ['link', 'original']


@pytest.mark.parametrize('size', [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_sha256_covers_the_whole_file(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / 'a.bin').write_bytes(data)
    assert sha256_of(tmp_path / 'a.bin') == hashlib.sha256(data).hexdigest()


def test_sha256_of_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / 'a.bin')
