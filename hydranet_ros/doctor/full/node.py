"""
Step 8: start the node as a process beside a camera, until its first cloud.

``hidden``: without a visible GPU it must fall back and report it. ``damaged``: with a damaged
cache of compiled models it must compile again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydranet_ros.doctor.full.outcome import failed, not_run, passed

_STOP_TIMEOUT = 20.0
_FALLBACK = ('cannot be used', 'is not used')


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Yield what happened until the first cloud.

    :param arguments: ``case``: ``start``, ``hidden`` or ``damaged``; ``provider``; ``seconds``
        for each start.
    """
    # Before anything else: rclpy's wheels restart the interpreter when it is imported.
    from hydranet_ros.doctor.full.camera_node import CameraNode

    case, seconds = arguments['case'], float(arguments['seconds'])
    with ExitStack() as stack:
        cache = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        camera = stack.enter_context(CameraNode())
        parameters = [f'provider:={arguments["provider"]}', f'engine_cache:={cache}']
        hidden = {'CUDA_VISIBLE_DEVICES': ''} if case == 'hidden' else {}
        first = start(camera, parameters, hidden, seconds)
        yield {'first': first}
        if case == 'hidden' and not any(text in first['log'] for text in _FALLBACK):
            yield failed('the node did not report that the GPU is not used')
            return
        if case == 'damaged':
            files = damage(cache)
            yield {'damaged': files}
            if not files:
                yield not_run('the provider keeps no compiled models')
                return
            yield {'second': start(camera, parameters, {}, seconds)}
    yield passed(f'first cloud after {first["seconds"]:.1f} s')


def start(
    camera: Any, parameters: Sequence[str], variables: Mapping[str, str], seconds: float
) -> dict[str, Any]:
    """
    Start the node and return the seconds until its first cloud, and its log.

    :param camera: :class:`hydranet_ros.doctor.full.camera_node.CameraNode`.
    :raises RuntimeError: with its log, if there is no cloud.
    """
    options = [item for text in parameters for item in ('-p', text)]
    command = [sys.executable, '-m', 'hydranet_ros', 'run', 'street', '--ros-args', *options]
    environment = {
        **os.environ, 'ROS_DOMAIN_ID': str(camera.domain), 'PYTHONUNBUFFERED': '1',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', **variables,
    }  # fmt: skip
    with TemporaryDirectory() as folder:
        log = Path(folder, 'node.log')
        camera.forget()
        begin = time.monotonic()
        with log.open('wb') as handle:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT,
                env=environment,
            )  # fmt: skip
        try:
            points = camera.wait_for_cloud(begin + seconds, process)
        finally:
            status = _stop(process)
            text = log.read_text(encoding='utf-8', errors='replace')
            print(text, flush=True)
        return {'seconds': camera.received - begin, 'points': points, 'status': status,
                'log': text}  # fmt: skip


def damage(folder: Path) -> list[str]:
    """Overwrite the middle of every file below a folder; return their names."""
    files = [path for path in sorted(folder.rglob('*')) if path.is_file()]
    for path in files:
        content = bytearray(path.read_bytes())
        half = len(content) // 2
        content[half : half + len(content) // 4] = b'\xa5' * (len(content) // 4)
        path.write_bytes(content[: max(1, 7 * len(content) // 8)])
    return [str(path.relative_to(folder)) for path in files]


def _stop(process: subprocess.Popen) -> int:
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
