"""
From the start of the node's process to its first published mask, depth and cloud; what it
imports; what memory it holds.

A camera publishes 640x480 at 30 Hz the whole time and a subscriber listens, both in this
process; the node is ``hydranet run street``, a process of its own. *Warm* is a start like the one
before. *Cold* is a start whose files were taken out of the page cache first, as far as the
kernel lets them go (what other processes have mapped stays). *Uncompiled* is the first start
after an installation, when Python compiles every module that it imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.suites.import_times import import_times
from benchmarks.suites.result import BenchOptions, Figure, PartResult, Series, Table
from hydranet_ros.errors import MissingDependencyError

NAME = 'start'
WARM, COLD, UNCOMPILED = 'warm', 'cold', 'uncompiled'
_ROUNDS, _QUICK_ROUNDS = 5, 1
_TOP = 8
_NODE_IMPORTS = 'import hydranet_ros.ros.node, onnxruntime'
_LIST_FILES = f"""
{_NODE_IMPORTS}
import sys
for module in list(sys.modules.values()):
    for name in (getattr(module, '__file__', None), getattr(module, '__cached__', None)):
        if name:
            print(name)
for line in open('/proc/self/maps'):
    if '/' in line:
        print(line[line.index('/'):].strip())
"""


def run(options: BenchOptions, say: Callable[[str], None]) -> PartResult:
    """
    Start the node again and again.

    :raises MissingDependencyError: without rclpy
    :raises BenchError: if a node gives nothing or does not end
    """
    try:
        from benchmarks.suites.starter import Start, Starter
    except ImportError as err:
        raise MissingDependencyError(
            "The node needs rclpy, which is not installed: pip install 'hydranet_ros[ros]', or "
            'source a ROS 2 installation.'
        ) from err

    rounds = _QUICK_ROUNDS if options.quick else min(options.rounds, _ROUNDS)
    files = node_files()
    found: dict[str, list[Start]] = {}
    with Starter(options.model) as starter, tempfile.TemporaryDirectory() as empty:
        say('memory at rest')
        rest = starter.at_rest()
        for _ in range(rounds):
            say('warm')
            found.setdefault(WARM, []).append(starter.to_first_result())
            say('cold')
            forget(files)
            found.setdefault(COLD, []).append(starter.to_first_result())
        if not options.quick:
            say('uncompiled')
            with tempfile.TemporaryDirectory(dir=empty) as folder:
                changed = {'PYTHONPYCACHEPREFIX': folder}
                found[UNCOMPILED] = [starter.to_first_result(changed)]
    imports = import_times(_NODE_IMPORTS)
    figures: dict[str, Figure] = {
        'first_result_s': _median(found[WARM]),
        'first_result_cold_s': _median(found[COLD]),
        'first_result_uncompiled_s': _median(found.get(UNCOMPILED, [])),
        'first_result_processor_s': _median(found[WARM], 'processor'),
        'import_s': round(sum(imports.values()), 3),
        'rss_mb': round(rest, 1),
        'rss_at_work_mb': round(found[WARM][-1].rss, 1),
    }
    return PartResult(
        NAME, figures, [_table(found), _memory(figures), _imports(imports)], _notes(found),
        runs={'start': {
            name: Series(name, tuple(1e3 * start.first_result for start in starts))
            for name, starts in found.items()
        }},
    )  # fmt: skip


def node_files() -> tuple[Path, ...]:
    """Return the files that a node's process reads: modules, libraries, model."""
    from hydranet_ros.model_files.resolve import choose_model

    done = subprocess.run(
        [sys.executable, '-c', _LIST_FILES], capture_output=True, text=True, check=True
    )
    names = {Path(line) for line in done.stdout.splitlines()}
    return tuple(sorted({*filter(Path.is_file, names), choose_model('street').path}))


def forget(files: Sequence[Path]) -> None:
    """Take files out of the kernel's page cache; what another process has mapped stays."""
    for path in files:
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


def _median(starts: Sequence, value: str = 'first_result') -> float | None:
    if not starts:
        return None
    return round(Series('', tuple(getattr(start, value) for start in starts)).median, 3)


def _table(found: Mapping[str, Sequence]) -> Table:
    rows = []
    for name, starts in found.items():
        for number, start in enumerate(starts, 1):
            marks = (
                start.loaded,
                start.active,
                *start.first.values(),
                start.first_result,
                start.processor,
            )
            rows.append((
                f'{name} {number}', *(f'{value:.2f}' for value in marks), f'{start.read_mb:.0f}'
            ))  # fmt: skip
    header = ('seconds from the start of the process to', 'model loaded', 'listening', 'mask',
              'depth', 'cloud', 'all three', 'processor time', 'MB read from disk')  # fmt: skip
    return Table('The start', header, rows)


def _memory(figures: Mapping[str, Figure]) -> Table:
    rows = [
        ('at rest: active, no image yet', str(figures['rss_mb'])),
        ('at work: after 20 frames of 640x480', str(figures['rss_at_work_mb'])),
    ]
    return Table('Memory of the node (VmRSS)', ('', 'MB'), rows)


def _imports(imports: Mapping[str, float]) -> Table:
    most = sorted(imports.items(), key=lambda item: -item[1])[:_TOP]
    rows = [(name, f'{1e3 * seconds:.0f}') for name, seconds in most]
    rest = sum(imports.values()) - sum(seconds for _, seconds in most)
    rows += [('all others', f'{1e3 * rest:.0f}'), ('all', f'{1e3 * sum(imports.values()):.0f}')]
    return Table('What the node imports (python -X importtime)', ('package', 'own ms'), rows)


def _notes(found: Mapping[str, Sequence]) -> list[str]:
    read = max(start.read_mb for start in found[COLD])
    return [
        'From Popen of `python -m hydranet_ros run street` to the moment when mask, depth and '
        'cloud of 640x480 have all been heard in another process; a camera sends at 30 Hz.',
        f"Cold: the node's files were dropped from the page cache (posix_fadvise); {read:.0f} MB "
        'were then read from disk. Libraries that other processes have mapped stay cached.',
        'Uncompiled: PYTHONPYCACHEPREFIX is an empty folder.',
    ]
