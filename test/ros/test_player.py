"""The player publishes what a source contains, unchanged, in order and at its times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from bag_tools import write_words
from conftest import wait_for
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String
from steady_time import SteadyTime

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError, MediaError
from hydranet_ros.images.files import write_image
from hydranet_ros.resources import config_file
from hydranet_ros.ros import player as module
from hydranet_ros.ros.conversions import image_to_rgb
from hydranet_ros.ros.message_sources import TimedMessage, TopicType
from hydranet_ros.ros.play_options import PlayOptions
from hydranet_ros.ros.player import Player, play_source
from hydranet_ros.ros.stamps import nanoseconds

DEMO = config_file('demo_street')
WORD = TopicType(String)
SECOND = 10**9
BEGIN = 1_700_000_000 * SECOND


@pytest.fixture
def play(ros, monkeypatch):
    """Return a function that plays a source; its subscribers are in this process."""
    monkeypatch.setattr(module, '_LINGER', 0.05)
    node = ros.add(Node('player', context=ros.context))

    def play(source: Path, running: Callable[[], bool] = ros.context.ok, **options):
        defaults = {'wait': 60.0, 'rate': 0.0}
        return play_source(node, source, PlayOptions(**{**defaults, **options}), running)

    return play


def write_images(folder: Path, count: int = 4) -> Path:
    """Write ``count`` images f0.png, f1.png, ... with the values 0, 50, ..."""
    folder.mkdir()
    for index in range(count):
        write_image(folder / f'f{index}.png', np.full((6, 8, 3), 50 * index, np.uint8))
    return folder


def test_the_messages_of_a_bag_are_published_unchanged(ros, play):
    images = ros.collect(CompressedImage, '/camera/image/compressed', 100)
    infos = ros.collect(CameraInfo, '/camera/camera_info', 100)
    sent = play(DEMO, subscribers=1, delay=0.5)
    wait_for(lambda: len(images) == 60 and len(infos) == 60)
    assert sent['/camera/image/compressed'] == sent['/camera/camera_info'] == 60
    store = typestore()
    with BagReader(DEMO) as reader:
        for message, got in zip(reader.messages(['/camera/image/compressed']), images):
            original = store.deserialize_cdr(message.data, message.message_type)
            assert got.header.stamp.nanosec == original.header.stamp.nanosec
            assert bytes(got.data) == original.data.tobytes()


def test_images_are_published_in_order_with_their_camera(ros, play, tmp_path):
    images = ros.collect(Image, '/front/image', 100)
    infos = ros.collect(CameraInfo, '/front/camera_info', 100)
    camera = CameraModel(8, 6, 10.0, 10.0, 4.0, 3.0)
    sent = play(write_images(tmp_path / 'p'), topic='/front/image', camera=camera, delay=0.3)
    assert sent == {'/front/image': 4, '/front/camera_info': 4}
    wait_for(lambda: len(images) == 4 and len(infos) == 4)
    assert [int(image_to_rgb(item)[0, 0, 0]) for item in images] == [0, 50, 100, 150]
    assert [item.header for item in images] == [item.header for item in infos]


def test_skipped_types_are_a_warning_in_the_log(ros, play, tmp_path, log):
    with BagWriter(tmp_path / 'bag') as bag:
        types = bag.store.types
        bag.write_message('/words', types['std_msgs/msg/String'](data='x'), 1)
        bag.write('/odd', 'stereo_msgs/msg/DisparityImage', 2, bytes(64))
    words = ros.collect(String, '/words')
    assert play(tmp_path / 'bag') == {'/words': 1}
    wait_for(lambda: words)
    wait_for(lambda: log().count('not installed: stereo_msgs/msg/DisparityImage.') == 1)


def test_a_latched_topic_reaches_a_late_subscriber(ros, play, tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        word = bag.store.types['std_msgs/msg/String'](data='x')
        bag.write_message('/latched', word, 1, latched=True)
        bag.write_message('/volatile', word, 2)
    assert play(tmp_path / 'bag', wait=0.0) == {'/latched': 1, '/volatile': 1}
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    latched = ros.collect(String, '/latched', late)
    wait_for(lambda: latched)


def test_a_loop_of_images_continues_in_time_until_it_is_stopped(ros, play, tmp_path):
    images = ros.collect(Image, '/camera/image', 100)
    running = threading.Event()
    running.set()
    source = write_images(tmp_path / 'p', 2)
    thread = threading.Thread(
        target=play, args=(source, running.is_set),
        kwargs={'loop': True, 'fps': 100, 'rate': 1.0, 'delay': 0.3}, daemon=True,
    )  # fmt: skip
    thread.start()
    wait_for(lambda: len(images) > 5)
    running.clear()
    thread.join(60)
    assert not thread.is_alive()
    stamps = [nanoseconds(item.header.stamp) for item in images]
    assert set(np.diff(stamps)) == {10_000_000}


def test_a_loop_of_a_bag_starts_again_until_it_is_stopped(ros, play, tmp_path):
    words = ros.collect(String, '/words', 100)
    source = write_words(tmp_path / 'bag', 2)
    sent = play(source, lambda: len(words) < 5, loop=True, delay=0.3)
    assert sent['/words'] >= 5
    assert [item.data for item in words[:5]] == [
        'word 0', 'word 1', 'word 0', 'word 1', 'word 0',
    ]  # fmt: skip


def test_a_source_that_cannot_be_played_is_an_error(play, tmp_path):
    with pytest.raises(MediaError, match='none does not exist. Specify a rosbag2, a folder'):
        play(tmp_path / 'none')
    with pytest.raises(MediaError, match='has no image'):
        play(tmp_path, wait=0.0)
    with BagWriter(tmp_path / 'empty'):
        pass
    with pytest.raises(BagError, match='no message of an installed type'):
        play(tmp_path / 'empty')


def test_without_a_subscriber_in_time_nothing_is_played(ros, play, tmp_path):
    ros.collect(CameraInfo, '/camera/camera_info')
    camera = CameraModel(8, 6, 10.0, 10.0, 4.0, 3.0)
    with pytest.raises(MediaError, match=r'No subscriber within 0\.2 s\.'):
        play(write_images(tmp_path / 'p'), wait=0.2, camera=camera)


def test_a_shutdown_during_the_wait_is_no_error(play, tmp_path):
    answers = iter([True, False])
    source = write_images(tmp_path / 'p')
    assert play(source, lambda: next(answers, False), wait=60.0) == {}


def test_the_delay_follows_the_wait_for_a_subscriber(play, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(module, 'time', SimpleNamespace(
        sleep=pauses.append, monotonic=module.time.monotonic, time_ns=lambda: 0
    ))  # fmt: skip
    play(write_images(tmp_path / 'p', 1), wait=0.0, delay=0.75)
    assert pauses[0] == 0.75


def test_the_original_timing_is_kept_times_the_rate(ros, play, tmp_path):
    """A busy machine may only make it longer."""
    stamps: list[float] = []
    ros.client.create_subscription(
        String, '/words', lambda message: stamps.append(time.monotonic()), 10
    )
    with BagWriter(tmp_path / 'bag') as bag:
        word = bag.store.types['std_msgs/msg/String'](data='x')
        for moment in (0, 2 * SECOND):
            bag.write_message('/words', word, moment)
    play(tmp_path / 'bag', rate=4.0, delay=0.3)
    wait_for(lambda: len(stamps) == 2)
    assert stamps[1] - stamps[0] > 0.4


def test_the_clock_is_that_of_the_bag(ros, play):
    ticks = ros.collect(Clock, '/clock', 1000)
    ros.collect(CameraInfo, '/camera/camera_info', 100)
    play(DEMO, clock=10.0, rate=0.0, delay=0.5)
    wait_for(lambda: ticks and nanoseconds(ticks[-1].clock) > BEGIN + 5.8 * SECOND)
    moments = [nanoseconds(tick.clock) for tick in ticks]
    assert min(np.diff(moments)) >= SECOND // 10
    assert moments[0] >= BEGIN and moments[-1] <= BEGIN + 6 * SECOND


def words(*moments: int) -> list[TimedMessage]:
    data = serialize_message(String(data='x'))
    return [TimedMessage(moment, '/words', WORD, data) for moment in moments]


def player_of(ros, running=lambda: True, **options) -> Player:
    made = Player(ros.client, PlayOptions(**options), running)
    made.prepare({'/words': WORD})
    return made


def test_a_stop_ends_the_playback_before_the_next_message(ros):
    player = player_of(ros, lambda: not player.sent, rate=0.0)
    player.play(words(0, 1, 2))
    assert player.sent == {'/words': 1}


def test_the_numbers_of_several_playbacks_add_up(ros):
    player = player_of(ros, rate=0.0)
    for _ in range(2):
        player.play(words(0, 1))
    assert player.sent == {'/words': 4}


def test_a_second_playback_starts_its_clock_again(ros):
    ticks = ros.collect(Clock, '/clock', 1000)
    player = player_of(ros, rate=0.0, clock=10.0)
    wait_for(player._clock.get_subscription_count)
    for _ in range(2):
        player.play(words(BEGIN, BEGIN + SECOND))
    wait_for(lambda: len(ticks) == 4)
    assert [nanoseconds(tick.clock) - BEGIN for tick in ticks] == [0, SECOND] * 2


@pytest.fixture
def fake_time(monkeypatch) -> SteadyTime:
    made = SteadyTime()
    monkeypatch.setattr(module, 'time', made)
    return made


def test_the_wait_ends_when_one_topic_has_its_subscribers(ros, fake_time):
    player = player_of(ros, wait=10.0, subscribers=2)
    player.prepare({'/other': WORD})
    publisher = player._publishers['/words']
    ros.collect(String, '/words')
    wait_for(lambda: publisher.get_subscription_count() == 1)
    assert player.wait_for_subscribers(['/words', '/other']) is False
    assert fake_time.now == pytest.approx(60.0, abs=0.03)
    ros.collect(String, '/words')
    wait_for(lambda: publisher.get_subscription_count() == 2)
    pauses = len(fake_time.pauses)
    assert player.wait_for_subscribers(['/other', '/words']) is True
    assert len(fake_time.pauses) == pauses, 'there is nothing to wait for'
    assert player.wait_for_subscribers(['/other']) is False


def test_more_subscribers_than_requested_are_enough(ros, fake_time):
    player = player_of(ros, wait=10.0, subscribers=1)
    publisher = player._publishers['/words']
    for count in (1, 2):
        ros.collect(String, '/words')
        wait_for(lambda n=count: publisher.get_subscription_count() == n)
        assert player.wait_for_subscribers(['/words']) is True
    assert fake_time.pauses == []


def test_the_condition_of_a_wait_is_polled_until_it_holds_or_the_time_is_over(ros, fake_time):
    player = player_of(ros)
    answers = iter([False, False, True])
    assert player._wait(1.0, lambda: next(answers)) is True
    assert fake_time.pauses == [0.02, 0.02]
    assert player._wait(1.0, lambda: fake_time.now >= 51.04) is False, 'the time was over at 51.04'
    assert player._wait(0.0, lambda: True) is False


def test_a_stop_ends_the_wait(ros, fake_time):
    player = player_of(ros, lambda: False, wait=10.0)
    assert player.wait_for_subscribers(['/words']) is False
    assert fake_time.pauses == []


def test_without_topics_only_the_time_passes(ros, fake_time):
    assert player_of(ros, wait=0.5).wait_for_subscribers([]) is False
    assert fake_time.now == pytest.approx(50.5, abs=0.03)


def test_the_player_lingers_a_second(ros, fake_time):
    """Nothing is left to acknowledge, so this second is for best-effort subscribers."""
    player_of(ros).linger()
    assert fake_time.now == pytest.approx(51.0, abs=0.03)


def test_a_stop_ends_the_lingering(ros, fake_time):
    player_of(ros, lambda: False).linger()
    assert fake_time.pauses == []


def test_the_player_waits_five_seconds_for_acknowledgments():
    assert (module._ACKNOWLEDGE_TIMEOUT, module._LINGER) == (5.0, 1.0)


@pytest.mark.parametrize(
    ('latched', 'durability'),
    [(True, DurabilityPolicy.TRANSIENT_LOCAL), (False, DurabilityPolicy.VOLATILE)],
)
def test_a_publisher_is_reliable_and_made_once(ros, latched, durability):
    node = ros.add(Node('player', context=ros.context))
    player = Player(node, PlayOptions(clock=10.0), lambda: True)
    kind = TopicType(String, latched)
    player.prepare({'/words': kind})
    made = player._publishers['/words']
    profile = made.qos_profile
    assert (profile.reliability, profile.durability, profile.depth) == (
        ReliabilityPolicy.RELIABLE, durability, 5,
    )  # fmt: skip
    player.play([TimedMessage(1, '/words', kind, serialize_message(String(data='x')))])
    assert player._publishers == {'/words': made}
    assert player._clock.topic_name == '/clock'
    assert player._clock.qos_profile.depth == 10


def test_without_a_clock_rate_there_is_no_clock(ros):
    node = ros.add(Node('player', context=ros.context))
    assert Player(node, PlayOptions(), lambda: True)._clock is None
