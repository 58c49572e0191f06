"""``hydranet demo``: play a bag through the node over DDS and show the results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import rclpy
from rclpy.node import Node

from hydranet_ros.bags.messages import COMPRESSED_IMAGE
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import remove_bag
from hydranet_ros.errors import BagError, DemoError
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.model_files.resolve import choose_model
from hydranet_ros.resources import config_file
from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.demo_results import camera_images, print_tables, write_sheet, write_videos
from hydranet_ros.ros.domains import free_domain
from hydranet_ros.ros.recorder import Recorder
from hydranet_ros.ros.signals import SIGNALS, begin_running, handle_signals

_START_TIMEOUT = 60.0
_QUIET_TIME = 3.0
_STOP_TIMEOUT = 10.0
_CLOCK_RATE = 250
_LOG_LINES = 20


def run_demo(
    output: Path, *, frames: int, preset: str, model: str, bag: Path | None, rate: float
) -> None:
    """
    Play a bag through the node and write ``demo.png``, ``demo.mp4``, ``demo.gif``, ``results/``.

    :param frames: stop after this number of results; 0 for the whole bag.
    :param bag: bag with compressed images and camera infos; by default the included street.
    :param rate: factor on the original speed.
    :raises HydranetError: if the bag or the model cannot be used, or there are no results.
    """
    handle_signals()
    begin_running(interrupting=SIGNALS)
    source = bag or config_file('demo_street')
    image_topic = _image_topic(source)
    info = _model_info(preset, model)
    output.mkdir(parents=True, exist_ok=True)
    remove_bag(output / 'results')
    keep_freed_memory()
    dds_profile = apply_dds_profile()
    print(f'{source.name} -> node (preset {preset}) -> {output}; {dds_profile}')
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
        _record(recorder, player, node, frames)
    _write_results(recorder, source, output, info, log)


def _image_topic(source: Path) -> str:
    with BagReader(source) as reader:
        topics = [item.topic for item in reader.connections
                  if item.msgtype == COMPRESSED_IMAGE
                  and item.topic.endswith('/compressed')]  # fmt: skip
    if not topics:
        raise BagError(f'{source} has no compressed images (a topic .../compressed).')
    return topics[0]


def _model_info(preset: str, model: str) -> ModelInfo:
    """Return the metadata of the model; loading it here reports a bad file early."""
    engine = Engine(
        choose_model(preset, model=model).path, EngineOptions(provider='cpu', threads=1)
    )
    engine.close()
    return engine.info


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
    # The subscribers to wait for are the node and the recorder.
    command = ['play', str(source), '--rate', str(rate), '--wait', '20', '--subscribers', '2',
               '--delay', '1', '--clock', str(_CLOCK_RATE)]  # fmt: skip
    return [sys.executable, '-m', 'hydranet_ros', *command]


@contextmanager
def _process(
    command: list[str], log: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen]:
    """Run a process that writes its output to ``log``; end it with SIGINT, like a user."""
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
                process.wait(_STOP_TIMEOUT)
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
    try:
        yield recorder
    finally:
        recorder.close()
        node.destroy_node()
        rclpy.shutdown(context=context)


def _wait_for_node(recorder: Recorder, node: subprocess.Popen, log: Path) -> None:
    """Wait until the node has subscribed to the images, beside the recorder."""
    until = time.monotonic() + _START_TIMEOUT
    while recorder.node.count_subscribers(recorder.image_topic) < 2:
        if node.poll() is not None or time.monotonic() > until:
            raise DemoError(f'The node did not start. Its log:\n{_last_lines(log)}')
        recorder.spin(0.1)


def _record(
    recorder: Recorder, player: subprocess.Popen, node: subprocess.Popen, frames: int
) -> None:
    """Record until there are enough frames, or no more results arrive after the bag's end."""
    ended = 0.0
    while node.poll() is None:
        recorder.spin(0.1)
        if frames and recorder.complete >= frames:
            return
        if player.poll() is not None:
            ended = ended or time.monotonic()
            if time.monotonic() - max(ended, recorder.last_received) > _QUIET_TIME:
                return


def _write_results(
    recorder: Recorder, source: Path, output: Path, info: ModelInfo, log: Path
) -> None:
    frames = {stamp: frame for stamp, frame in sorted(recorder.frames.items()) if frame.complete}
    if not frames:
        raise DemoError(f'The node published no results. Its log:\n{_last_lines(log)}')
    images = camera_images(source, recorder.image_topic, set(frames))
    write_sheet(frames, images, output / 'demo.png', info)
    write_videos(frames, images, output)
    print_tables(recorder, len(frames))
    print(f'{output}/: demo.png, demo.mp4, demo.gif, results/ (opens in Foxglove), node.log')


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join(lines[-_LOG_LINES:])
