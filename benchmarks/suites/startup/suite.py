"""
Start of the node to its first mask, depth and cloud; its imports; its memory.

A camera publishes 640x480 images at 30 Hz and a subscriber listens, both in this process; the node
is ``hydranet run street`` in a process of its own. *Warm*: its files are in the page cache.
*Cold*: its files were dropped from the page cache, except those that other processes have mapped.
*Uncompiled*: the first start after an installation, when Python compiles every module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Chart, Metric, Series, SuiteResult, Table
from benchmarks.suites.startup.import_times import import_times
from hydranet_ros.errors import MissingDependencyError

if TYPE_CHECKING:
    from benchmarks.suites.startup.node_start import NodeStarter, Start

WARM, COLD, UNCOMPILED = 'warm', 'cold', 'uncompiled'
RUN = 'start to first result'
_ROUNDS, _QUICK_ROUNDS = 5, 1
_TOP = 8
_NODE_IMPORTS = 'import hydranet_ros.ros.run, onnxruntime'
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


def run(options: BenchOptions, progress: Callable[[str], None]) -> SuiteResult:
    """
    Start the node several times.

    :raises MissingDependencyError: without rclpy.
    :raises BenchError: if a node publishes nothing or does not end.
    """
    try:
        from benchmarks.suites.startup.node_start import NodeStarter
    except ImportError as err:
        raise MissingDependencyError(
            "rclpy is not installed; pip install 'hydranet_ros[ros]', or source a ROS 2 "
            'installation.'
        ) from err

    with NodeStarter(options.model) as starter:
        progress('memory at rest')
        at_rest = starter.memory_at_rest()
        found = _starts(starter, options, progress)
    imports = import_times(_NODE_IMPORTS)
    metrics: dict[str, Metric] = {
        'first_result_s': _median(found[WARM]),
        'first_result_cold_s': _median(found[COLD]),
        'first_result_uncompiled_s': _median(found.get(UNCOMPILED, [])),
        'first_result_cpu_s': _median(found[WARM], 'cpu'),
        'import_s': round(sum(imports.values()), 3),
        'memory_at_rest_mb': round(at_rest, 1),
        'memory_at_work_mb': round(found[WARM][-1].memory, 1),
    }
    series = {
        name: Series(name, tuple(1e3 * start.first_result for start in starts))
        for name, starts in found.items()
    }
    return SuiteResult(
        'startup', metrics, [_table(found), _memory(metrics), _imports(imports)], _notes(found),
        runs={RUN: series},
        chart=Chart('Start of the node', (RUN,), (WARM, COLD, UNCOMPILED), tuple(series)),
    )  # fmt: skip


def _starts(
    starter: NodeStarter, options: BenchOptions, progress: Callable[[str], None]
) -> dict[str, list[Start]]:
    rounds = _QUICK_ROUNDS if options.quick else min(options.rounds, _ROUNDS)
    files = node_files()
    found: dict[str, list[Start]] = {WARM: [], COLD: []}
    for number in range(1, rounds + 1):
        progress(f'{WARM}, {number} of {rounds}')
        found[WARM].append(starter.first_result())
        progress(f'{COLD}, {number} of {rounds}')
        drop_from_page_cache(files)
        found[COLD].append(starter.first_result())
    if not options.quick:
        progress(UNCOMPILED)
        with tempfile.TemporaryDirectory() as folder:
            found[UNCOMPILED] = [starter.first_result({'PYTHONPYCACHEPREFIX': folder})]
    return found


def node_files() -> tuple[Path, ...]:
    """Return the files that the node's process reads: modules, libraries and the model."""
    from hydranet_ros.model_files.resolve import choose_model

    done = subprocess.run(
        [sys.executable, '-c', _LIST_FILES], capture_output=True, text=True, check=True
    )
    names = {Path(line) for line in done.stdout.splitlines()}
    return tuple(sorted({*filter(Path.is_file, names), choose_model('street').path}))


def drop_from_page_cache(files: Sequence[Path]) -> None:
    """Drop files from the page cache of the kernel; mapped files of other processes stay."""
    for path in files:
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


def _median(starts: Sequence[Start], value: str = 'first_result') -> float | None:
    if not starts:
        return None
    return round(Series('', tuple(getattr(start, value) for start in starts)).median, 3)


def _table(found: Mapping[str, Sequence[Start]]) -> Table:
    rows = []
    for name, starts in found.items():
        for number, start in enumerate(starts, 1):
            seconds = (
                start.loaded, start.active, *start.first.values(), start.first_result, start.cpu,
            )  # fmt: skip
            rows.append((
                f'{name} {number}', *(f'{value:.2f}' for value in seconds), f'{start.read:.0f}'
            ))  # fmt: skip
    header = ('start', 'model loaded s', 'active s', 'mask s', 'depth s', 'cloud s',
              'first result s', 'CPU time s', 'read from disk MB')  # fmt: skip
    return Table('Seconds since the start of the process', header, rows)


def _memory(metrics: Mapping[str, Metric]) -> Table:
    rows = [
        ('at rest: active, no image yet', str(metrics['memory_at_rest_mb'])),
        ('at work: after 20 frames of 640x480', str(metrics['memory_at_work_mb'])),
    ]
    return Table('Memory of the node (VmRSS)', ('', 'MB'), rows)


def _imports(imports: Mapping[str, float]) -> Table:
    most = sorted(imports.items(), key=lambda item: -item[1])[:_TOP]
    rows = [(name, f'{1e3 * seconds:.0f}') for name, seconds in most]
    others = sum(imports.values()) - sum(seconds for _, seconds in most)
    rows += [('others', f'{1e3 * others:.0f}'), ('total', f'{1e3 * sum(imports.values()):.0f}')]
    return Table('Import time of the node (python -X importtime)', ('package', 'own ms'), rows)


def _notes(found: Mapping[str, Sequence[Start]]) -> list[str]:
    read = max(start.read for start in found[COLD])
    return [
        'Time from the start of `python -m hydranet_ros run street` until another process has '
        'received mask, depth and cloud of 640x480; the camera publishes at 30 Hz.',
        f'{COLD}: the files of the node were dropped from the page cache; {read:.0f} MB were read '
        'from disk. Libraries that other processes have mapped stay cached.',
        f'{UNCOMPILED}: PYTHONPYCACHEPREFIX is an empty folder.',
    ]
