"""
``hydranet demo``: player and node as two processes over DDS, and what comes of it as pictures.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rich.console import Console
from rich.table import Table

from hydranet_ros.bags.storage import BagReader, remove_old
from hydranet_ros.errors import BagError, HydranetError
from hydranet_ros.images.encodings import decode_compressed
from hydranet_ros.images.files import GifWriter, VideoWriter, write_image
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.model_files.resolve import choose_model
from hydranet_ros.perception.contact_sheet import Moment, contact_sheet, video_frame
from hydranet_ros.resources import config_file
from hydranet_ros.ros.dds_profile import apply_dds_profile, keep_large_blocks
from hydranet_ros.ros.recorder import Recorder, Shot
from hydranet_ros.ros.signals import SIGNALS, begin_running, handle_signals

START_LIMIT = 60.0
QUIET = 3.0
STOP_LIMIT = 10.0
ROWS = 3
CLOCK = 250


class DemoError(HydranetError):
    """The demo did not receive what it should; the message holds the node's log."""


def run_demo(
    output: Path, *, frames: int, preset: str, model: str, bag: Path | None, rate: float
) -> None:
    """
    Play a bag through the node and write ``demo.png``, ``demo.mp4``, ``demo.gif``, ``results/``.

    :param frames: stop after so many results, 0 for the whole bag.
    :param bag: with a compressed image and camera info; default: the street that ships.
    :raises HydranetError: if nothing comes back.
    """
    handle_signals()
    begin_running(interrupting=SIGNALS)
    source = bag or config_file('demo_street')
    image_topic = _image_topic(source)
    info = _model_info(preset, model)
    output.mkdir(parents=True, exist_ok=True)
    remove_old(output / 'results')
    keep_large_blocks()
    said = apply_dds_profile()
    print(f'{source.name} -> node (preset {preset}) -> {output}; {said}')
    with ExitStack() as stack:
        domain = stack.enter_context(free_domain())
        environment = _environment(domain)
        log = output / 'node.log'
        node = stack.enter_context(
            _process(_node_command(preset, model, image_topic), log, environment)
        )
        recorder = stack.enter_context(_recorder(domain, image_topic, output / 'results'))
        _wait_for_node(recorder, node, log)
        player = stack.enter_context(
            _process(_play_command(source, rate), output / 'player.log', environment)
        )
        _listen(recorder, player, node, frames)
    _conclude(recorder, source, image_topic, output, info, log)


def _image_topic(source: Path) -> str:
    with BagReader(source) as reader:
        found = [item.topic for item in reader.connections
                 if item.msgtype == 'sensor_msgs/msg/CompressedImage'
                 and item.topic.endswith('/compressed')]  # fmt: skip
    if not found:
        raise BagError(f'{source} has no compressed image (a topic .../compressed).')
    return found[0]


def _model_info(preset: str, model: str) -> ModelInfo:
    """Read what the model says, and fail early where it cannot be loaded."""
    engine = Engine(
        choose_model(preset, model=model).path, EngineOptions(provider='cpu', threads=1)
    )
    engine.close()
    return engine.info


@contextmanager
def free_domain() -> Iterator[int]:
    """Hold a ROS domain that no other demo or test on this machine holds."""
    for domain in random.SystemRandom().sample(range(1, 101), 100):
        with socket.socket() as lock, suppress(OSError):
            lock.bind(('127.0.0.1', 32768 - 200 + domain))
            yield domain
            return
    raise DemoError('No free ROS domain between 1 and 100 on this machine.')


def _environment(domain: int) -> dict[str, str]:
    return {
        **os.environ, 'ROS_DOMAIN_ID': str(domain), 'PYTHONUNBUFFERED': '1',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }  # fmt: skip


def _node_command(preset: str, model: str, image_topic: str) -> list[str]:
    base = image_topic.removesuffix('/compressed')
    command = ['run', preset, '--ros-args', '-r', f'image:={base}', '-p',
               'image_transport:=compressed', '-p', 'use_sim_time:=true']  # fmt: skip
    if model:
        command += ['-p', f'model:={Path(model).resolve() if os.sep in model else model}']
    return [sys.executable, '-m', 'hydranet_ros', *command]


def _play_command(source: Path, rate: float) -> list[str]:
    command = ['play', str(source), '--rate', str(rate), '--wait', '20', '--subscribers', '2',
               '--delay', '1', '--clock', str(CLOCK)]  # fmt: skip
    return [sys.executable, '-m', 'hydranet_ros', *command]


@contextmanager
def _process(
    command: list[str], log: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen]:
    """Run a process whose output goes to ``log``; end it as a user would, with SIGINT."""
    with log.open('w', encoding='utf-8') as handle:
        process = subprocess.Popen(
            command, stdout=handle, stderr=subprocess.STDOUT, env=environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _recorder(domain: int, image_topic: str, bag: Path) -> Iterator[Recorder]:
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node('hydranet_demo', context=context)
    recorder = Recorder(node, image_topic, bag)
    recorder.executor = SingleThreadedExecutor(context=context)  # type: ignore[attr-defined]
    recorder.executor.add_node(node)  # type: ignore[attr-defined]
    try:
        yield recorder
    finally:
        recorder.close()
        node.destroy_node()
        rclpy.shutdown(context=context)


def _spin(recorder: Recorder, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        recorder.executor.spin_once(timeout_sec=0.05)  # type: ignore[attr-defined]


def _wait_for_node(recorder: Recorder, node: subprocess.Popen, log: Path) -> None:
    """Wait until the node listens to the camera."""
    until = time.monotonic() + START_LIMIT
    while recorder.node.count_subscribers(recorder.image_topic) < 2:
        if node.poll() is not None or time.monotonic() > until:
            raise DemoError(f'The node did not come up. Its log:\n{_tail(log)}')
        _spin(recorder, 0.1)


def _listen(
    recorder: Recorder, player: subprocess.Popen, node: subprocess.Popen, frames: int
) -> None:
    """Take results until the bag has ended and nothing more comes, or there are enough."""
    ended = 0.0
    while node.poll() is None:
        _spin(recorder, 0.1)
        if frames and recorder.complete >= frames:
            return
        if player.poll() is not None:
            ended = ended or time.monotonic()
            if time.monotonic() - max(ended, recorder.last_heard) > QUIET:
                return


def _conclude(
    recorder: Recorder, source: Path, image_topic: str, output: Path, info: ModelInfo, log: Path
) -> None:
    shots = {moment: shot for moment, shot in sorted(recorder.shots.items())
             if shot.overlay is not None and shot.depth is not None}  # fmt: skip
    if not shots:
        raise DemoError(f'Nothing came back from the node. Its log:\n{_tail(log)}')
    images = _images(source, image_topic, set(shots))
    _write_sheet(shots, images, output / 'demo.png', info)
    _write_videos(shots, images, output)
    _print_table(recorder, len(shots))
    print(f'{output}/: demo.png, demo.mp4, demo.gif, results/ (opens in Foxglove), node.log')


def _images(source: Path, topic: str, moments: set[int]) -> dict[int, np.ndarray]:
    """Return the camera's images by stamp."""
    found = {}
    with BagReader(source) as reader:
        for message in reader.messages([topic]):
            sec, nanosec = np.frombuffer(message.data, '<i4', 2, 4)
            moment = int(sec) * 10**9 + int(nanosec)
            if moment in moments:
                found[moment] = decode_compressed(_payload(message.data))
    return found


def _payload(data: bytes) -> bytes:
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import CompressedImage

    return bytes(deserialize_message(data, CompressedImage).data)


def _write_sheet(
    shots: dict[int, Shot], images: dict[int, np.ndarray], path: Path, info: ModelInfo
) -> None:
    chosen = [(m, s) for m, s in shots.items() if s.cloud is not None and m in images]
    if not chosen:
        return
    picks = np.linspace(0, len(chosen) - 1, min(ROWS, len(chosen))).round().astype(int)
    first = next(iter(shots))
    moments = [
        Moment(f't = {(chosen[i][0] - first) * 1e-9:.1f} s', images[chosen[i][0]],
               chosen[i][1].overlay, chosen[i][1].depth, chosen[i][1].cloud)  # type: ignore[arg-type]
        for i in picks
    ]  # fmt: skip
    write_image(path, contact_sheet(moments, info.classes, info.depth_range))


def _write_videos(shots: dict[int, Shot], images: dict[int, np.ndarray], output: Path) -> None:
    moments = [moment for moment in shots if moment in images]
    gaps = np.diff(moments)
    fps = float(1e9 / np.median(gaps)) if gaps.size else 5.0
    with (
        VideoWriter(output / 'demo.mp4', fps) as movie,
        GifWriter(output / 'demo.gif', fps) as gif,
    ):
        for moment in moments:
            shot = shots[moment]
            assert shot.overlay is not None and shot.depth is not None
            picture = video_frame(images[moment], shot.overlay, shot.depth)
            movie.write(picture)
            gif.write(picture)


def _print_table(recorder: Recorder, heard: int) -> None:
    counts = recorder.counts
    console = Console()
    table = Table(title='frames')
    for name in ('in', 'out', 'dropped', 'failed', 'received here'):
        table.add_column(name, justify='right')
    table.add_row(*(str(counts.get(f'frames_{key}', '?')) for key in
                    ('in', 'out', 'dropped', 'failed')), str(heard))  # fmt: skip
    console.print(table)
    table = Table(title='milliseconds a frame')
    for name in ('stage', 'median', 'p95'):
        table.add_column(name, justify='left' if name == 'stage' else 'right')
    for name, values in recorder.stages.items():
        if values:
            table.add_row(name, f'{np.median(values):.1f}', f'{np.percentile(values, 95):.1f}')
    console.print(table)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join(lines[-20:])
