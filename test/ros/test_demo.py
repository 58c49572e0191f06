"""The parts of the demo: topics, commands, processes; test/system/test_demo.py runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from bag_tools import image, write_bag, write_words
from conftest import ROOT, wait_for
from model_factory import model_info
from steady_time import SteadyTime

from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.errors import BagError, DemoError, ModelError
from hydranet_ros.resources import config_file
from hydranet_ros.ros import demo as module
from hydranet_ros.ros.recorder import FrameImages

PREFIX = [sys.executable, '-m', 'hydranet_ros']


def test_the_topic_is_the_first_compressed_image():
    assert module._image_topic(config_file('demo_street')) == '/camera/image/compressed'


def test_a_bag_without_compressed_images_is_an_error(tmp_path):
    raw = write_bag(tmp_path / 'raw', [image(1)])
    with pytest.raises(BagError, match='raw has no compressed images'):
        module._image_topic(raw)
    with BagWriter(tmp_path / 'other') as bag:
        bag.write('/jpeg', 'sensor_msgs/msg/CompressedImage', 1, bytes(64))
        bag.write('/odd/compressed', 'std_msgs/msg/String', 2, bytes(64))
    with pytest.raises(BagError, match='other has no compressed images'):
        module._image_topic(tmp_path / 'other')


def test_the_metadata_of_the_model_is_read_before_anything_starts(tiny_model, tmp_path):
    found = module._model_info('street', str(tiny_model))
    assert replace(found, self_test=None) == model_info()
    (tmp_path / 'bad.onnx').write_text('no model')
    with pytest.raises(ModelError):
        module._model_info('street', str(tmp_path / 'bad.onnx'))


def test_the_node_gets_preset_topic_and_simulated_time():
    assert module._node_command('kitti', '', '/cam/rgb/compressed') == [
        *PREFIX, 'run', 'kitti', '--ros-args', '-r', 'image:=/cam/rgb', '-p',
        'image_transport:=compressed', '-p', 'use_sim_time:=true',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('model', 'expected'),
    [('small.onnx', 'small.onnx'), ('here/small.onnx', str(Path('here/small.onnx').resolve()))],
)
def test_a_path_of_a_model_is_made_absolute_and_a_name_is_kept(model, expected):
    command = module._node_command('street', model, '/image/compressed')
    assert command[-2:] == ['-p', f'model:={expected}']


def test_the_player_waits_for_node_and_recorder():
    assert module._play_command(Path('/bags/drive'), 2.5) == [
        *PREFIX, 'play', '/bags/drive', '--rate', '2.5', '--wait', '20', '--subscribers', '2',
        '--delay', '1', '--clock', '250',
    ]  # fmt: skip


def test_the_processes_share_a_domain_of_this_machine():
    environment = module._environment(42)
    assert {**os.environ, **environment} == environment
    assert environment['ROS_DOMAIN_ID'] == '42'
    assert environment['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert environment['PYTHONUNBUFFERED'] == '1'


def python(code: str) -> list[str]:
    return [sys.executable, '-c', code]


def test_a_process_writes_its_log_and_ends_with_sigint(tmp_path):
    code = (
        'import os, sys, time\n'
        'print(os.environ["WORD"], sys.stdin.read() == "", flush=True)\n'
        'try: time.sleep(120)\n'
        'except KeyboardInterrupt: print("interrupted", file=sys.stderr)'
    )
    log = tmp_path / 'log'
    environment = {**os.environ, 'WORD': 'hello'}
    with module._process(python(code), log, environment) as process:
        wait_for(lambda: 'hello True' in log.read_text())
    assert process.returncode == 0
    assert log.read_text() == 'hello True\ninterrupted\n'


def test_a_process_that_has_ended_is_not_signaled(tmp_path):
    with module._process(python('print(1)'), tmp_path / 'log', dict(os.environ)) as process:
        process.wait(60)
    assert process.returncode == 0


def test_a_process_that_ignores_sigint_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, '_STOP_TIMEOUT', 0.2)
    code = (
        'import signal, time\n'
        'signal.signal(signal.SIGINT, signal.SIG_IGN)\n'
        'print("ready", flush=True)\n'
        'time.sleep(120)'
    )
    log = tmp_path / 'log'
    with module._process(python(code), log, dict(os.environ)) as process:
        wait_for(lambda: 'ready' in log.read_text())
    assert process.returncode == -signal.SIGKILL


class Recorder:
    """The state of a recorder that a test sets; spinning takes no time."""

    def __init__(self, **state) -> None:
        self.image_topic = '/image/compressed'
        self.complete, self.last_received, self.spins = 0, 0.0, 0
        self.frames: dict[int, FrameImages] = {}
        self.on_spin = lambda: None
        self.__dict__.update(state)

    def spin(self, seconds: float) -> None:
        self.spins += 1
        self.on_spin()


def ended(code: int | None) -> SimpleNamespace:
    return SimpleNamespace(poll=lambda: code)


RUNNING = ended(None)


def test_the_node_has_started_when_it_subscribes_beside_the_recorder(tmp_path):
    counts = iter([1, 1, 2])
    node = SimpleNamespace(
        count_subscribers=lambda topic: {'/image/compressed': next(counts)}[topic]
    )
    recorder = Recorder(node=node)
    module._wait_for_node(recorder, RUNNING, tmp_path / 'log')
    assert recorder.spins == 2


def test_a_node_that_ends_is_an_error_with_its_log(tmp_path):
    log = tmp_path / 'log'
    log.write_text('\n'.join(f'line {index}' for index in range(30)))
    recorder = Recorder(node=SimpleNamespace(count_subscribers=lambda topic: 1))
    with pytest.raises(DemoError) as caught:
        module._wait_for_node(recorder, ended(1), log)
    assert str(caught.value).splitlines() == [
        'The node did not start. Its log:',
        *(f'line {index}' for index in range(10, 30)),
    ]


def test_a_node_that_does_not_subscribe_within_60_s_is_an_error(tmp_path, monkeypatch):
    clock = SteadyTime()
    monkeypatch.setattr(module, 'time', clock)
    (tmp_path / 'log').touch()
    recorder = Recorder(node=SimpleNamespace(count_subscribers=lambda topic: 1))
    recorder.on_spin = lambda: setattr(clock, 'now', clock.now + 1.0)
    with pytest.raises(DemoError, match='The node did not start'):
        module._wait_for_node(recorder, RUNNING, tmp_path / 'log')
    assert clock.now == 50.0 + 61.0


def test_the_recording_ends_with_enough_frames():
    recorder = Recorder()
    recorder.on_spin = lambda: setattr(recorder, 'complete', recorder.spins)
    module._record(recorder, RUNNING, RUNNING, 3)
    assert recorder.spins == 3


def test_the_recording_ends_when_the_node_ends():
    recorder = Recorder()
    module._record(recorder, RUNNING, ended(1), 0)
    assert recorder.spins == 0


def test_the_recording_ends_three_seconds_after_the_last_result(monkeypatch):
    clock = SteadyTime()
    monkeypatch.setattr(module, 'time', clock)
    recorder = Recorder()

    def spin() -> None:
        clock.now += 1.0
        if clock.now == 53.0:
            recorder.last_received = clock.now

    recorder.on_spin = spin
    player = SimpleNamespace(poll=lambda: 0 if clock.now >= 52.0 else None)
    module._record(recorder, player, RUNNING, 0)
    assert clock.now == 57.0, 'more than three seconds after 53'


def test_the_recording_waits_three_seconds_after_the_end_of_the_bag(monkeypatch):
    clock = SteadyTime()
    monkeypatch.setattr(module, 'time', clock)
    recorder = Recorder(last_received=40.0)
    recorder.on_spin = lambda: setattr(clock, 'now', clock.now + 1.0)
    player = SimpleNamespace(poll=lambda: 0 if clock.now >= 52.0 else None)
    module._record(recorder, player, RUNNING, 100)
    assert clock.now == 56.0, 'more than three seconds after 52'


def test_without_results_the_error_has_the_log_of_the_node(tmp_path):
    log = tmp_path / 'log'
    log.write_text('out of memory\n')
    recorder = Recorder(frames={1: FrameImages()})
    with pytest.raises(DemoError, match='The node published no results. Its log:\nout of memory'):
        module._write_results(recorder, tmp_path, tmp_path, model_info(), log)


def test_an_end_of_the_log_can_be_read_whatever_its_bytes(tmp_path):
    log = tmp_path / 'log'
    log.write_bytes(b'\xff\xfe broken\nlast')
    assert module._last_lines(log).endswith('broken\nlast')


def test_a_process_of_the_demo_is_a_popen(tmp_path):
    with module._process(python('pass'), tmp_path / 'log', dict(os.environ)) as process:
        assert isinstance(process, subprocess.Popen)


def test_the_demo_writes_its_results_into_a_new_folder_and_replaces_an_older_bag(
    tmp_path, tiny_model
):
    """In a process of its own, which then ignores signals."""
    output = tmp_path / 'new' / 'demo'
    write_words(output / 'results')
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from hydranet_ros.ros.demo import run_demo\n'
        'run_demo(Path(sys.argv[1]), frames=2, preset="street", model=sys.argv[2], bag=None, '
        'rate=1.0)'
    )
    done = subprocess.run(
        [*python(code), str(output), str(tiny_model)], capture_output=True, text=True,
        timeout=240, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in output.iterdir()} == {
        'demo.png', 'demo.mp4', 'demo.gif', 'results', 'node.log', 'player.log',
    }  # fmt: skip
    first, last = done.stdout.splitlines()[0], ' '.join(done.stdout.splitlines()[-3:])
    assert first.startswith(f'demo_street -> node (preset street) -> {output}; DDS profile: ')
    assert 'demo.png, demo.mp4, demo.gif, results/ (opens in Foxglove), node.log' in last
    with BagReader(output / 'results') as reader:
        topics = {item.topic for item in reader.connections}
    assert {'/hydranet/points', '/camera/image/compressed'} <= topics
    assert '/words' not in topics
