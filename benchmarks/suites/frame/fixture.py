"""Frame path of the node with real publishers, and a subscriber in another process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.agreement import assert_agree
from hydranet_ros.camera.model import CameraModel, depth_to_points, pixel_rays
from hydranet_ros.errors import BenchError, MissingDependencyError
from hydranet_ros.perception.outputs import OUTPUTS as OUTPUT_SPECS
from hydranet_ros.perception.outputs import Output

if TYPE_CHECKING:
    from hydranet_ros.inference.engine import Engine
    from hydranet_ros.ros.frame import FramePath

OUTPUTS = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
ALL_OUTPUTS = OUTPUTS | {Output.COLOR, Output.OVERLAY, Output.DEPTH_COLOR}
NETWORK_OUTPUTS = frozenset({'labels', 'depth'})
_TIMEOUT = 120.0
_QUIET_TIME = 0.5
_POLL = 0.05
_NODE = 'bench_frame'
_FRAME_ID = 'camera'


def make_camera(height: int, width: int) -> CameraModel:
    """Return a camera with a focal length and distortion similar to KITTI."""
    return CameraModel(
        width, height, 721.5, 721.5, width / 2, height / 2, 'plumb_bob', (-0.1, 0.02, 0, 0, 0)
    )


@dataclass
class FrameFixture:
    """
    Frame path of the node with real publishers, and the process that subscribes to them.

    :param camera: camera info tracker of the frame path.
    :param topics: resolved topic of each output.
    :param published: topics that have been published on so far.
    """

    path: FramePath
    camera: Any
    subscriber: subprocess.Popen
    topics: dict[Output, str]
    published: set[str] = field(default_factory=set)

    def set_camera(self, camera: CameraModel) -> float:
        """Use another camera; return the milliseconds to compute its rays."""
        from std_msgs.msg import Header

        from hydranet_ros.perception.point_cloud import PointCloudBuilder
        from hydranet_ros.ros.conversions import camera_info_message

        self.camera.reset()
        info = camera_info_message(camera, Header(frame_id=_FRAME_ID))
        self.camera.update(info, rectified=False)
        started = time.perf_counter()
        PointCloudBuilder().prepare(camera)
        return 1e3 * (time.perf_counter() - started)

    def message(self, image: NDArray[np.uint8]) -> Any:
        """Return an image message as a bgr8 camera publishes it."""
        from sensor_msgs.msg import Image
        from std_msgs.msg import Header

        from hydranet_ros.ros.conversions import fill_image

        bgr = np.ascontiguousarray(image[..., ::-1])
        return fill_image(Image(), bgr, 'bgr8', Header(frame_id=_FRAME_ID))

    def run(self, message: Any, outputs: frozenset[Output]) -> dict[str, float]:
        """Process one frame as the node does; return the milliseconds of each stage."""
        started = time.perf_counter()
        wanted = self.path.publishers.wanted() & outputs
        stages = self.path.run(message, wanted, info_topic='', depth_encoding='32FC1')
        self.published.update(self.topics[output] for output in wanted)
        stages['total'] = 1e3 * (time.perf_counter() - started)
        return stages

    def check(self, message: Any, image: NDArray[np.uint8]) -> None:
        """
        Publish one more frame and compare what the subscriber received with the expected bytes.

        :raises BenchError: if it does not arrive, or differs.
        """
        before = self._wait_until_quiet()
        self.run(message, OUTPUTS)
        expected = expected_results(self.path.perception.engine, self.camera.model, image)
        report = self._wait_for_frame(before)
        for output in sorted(OUTPUTS):
            received = report[self.topics[output]]['sha256']
            if received != hashlib.sha256(expected[output]).hexdigest():
                raise BenchError(
                    f'The subscriber received a {output.value} that differs from the expected one.'
                )

    def _report(self) -> dict[str, Any]:
        """Return message count and checksum of the last message, by topic."""
        assert self.subscriber.stdin is not None and self.subscriber.stdout is not None
        self.subscriber.stdin.write('\n')
        self.subscriber.stdin.flush()
        return json.loads(self.subscriber.stdout.readline())

    def _wait_until_quiet(self) -> dict[str, Any]:
        """
        Wait until no more messages arrive; return the last report.

        A queue may drop messages of a burst, but never a single one after a pause.

        :raises BenchError: if nothing arrived on a topic.
        """
        until = time.monotonic() + _TIMEOUT
        report, since = self._report(), time.monotonic()
        while time.monotonic() - since < _QUIET_TIME and time.monotonic() < until:
            time.sleep(_POLL)
            now = self._report()
            if now != report:
                report, since = now, time.monotonic()
        silent = [topic for topic in sorted(self.published) if not report[topic]['count']]
        if silent:
            raise BenchError(f'Nothing was received on {", ".join(silent)}.')
        return report

    def _wait_for_frame(self, before: dict[str, Any]) -> dict[str, Any]:
        """Wait until all outputs published since ``before`` have arrived; return the report."""
        until = time.monotonic() + _TIMEOUT
        topics = [self.topics[output] for output in sorted(OUTPUTS)]
        while time.monotonic() < until:
            report = self._report()
            if all(report[topic]['count'] > before[topic]['count'] for topic in topics):
                return report
            time.sleep(_POLL)
        raise BenchError(f'A frame did not arrive within {_TIMEOUT:.0f} s.')


def expected_results(
    engine: Engine, camera: CameraModel, image: NDArray[np.uint8]
) -> dict[Output, bytes]:
    """
    Return the expected bytes of mask, depth and cloud.

    :raises BenchError: if the post-processing differs from plain arithmetic on the raw outputs.
    """
    from hydranet_ros.perception.pipeline import Perception

    raw = engine.infer(image, NETWORK_OUTPUTS)
    assert raw.labels is not None and raw.depth is not None
    labels, meters = raw.labels.copy(), raw.depth.copy()
    result = Perception(engine).process(image, camera, wanted=OUTPUTS)
    assert result.labels is not None and result.depth is not None and result.cloud is not None
    surface = np.array(engine.info.surface_lookup)[labels]
    depth = meters * np.float32(camera.fx / engine.info.training_focal_length)
    known = np.isfinite(result.depth)
    assert_agree('labels', result.labels, labels, 0)
    assert_agree('known depth', known, surface & (depth > 1e-6), 0)
    if not known.any():
        raise BenchError('The network predicts no depth for the image: nothing can be compared.')
    assert_agree('depth', result.depth[known], depth[known])
    points = depth_to_points(result.depth, pixel_rays(camera))
    cloud = np.stack([result.cloud.data[axis] for axis in 'xyz'], -1)
    valid = np.isfinite(points)
    assert_agree('known points', np.isfinite(cloud), valid, 0)
    assert_agree('cloud', cloud[valid], points[valid])
    return {
        Output.MASK: result.labels.tobytes(), Output.DEPTH: result.depth.tobytes(),
        Output.POINTS: result.cloud.data.tobytes(),
    }  # fmt: skip


@contextmanager
def open_fixture(engine: Engine) -> Iterator[FrameFixture]:
    """
    Start publishers and the subscriber process in a free ROS domain.

    :raises MissingDependencyError: without rclpy.
    :raises BenchError: if the subscriber does not connect.
    """
    try:
        import rclpy
        from rclpy.lifecycle import LifecycleNode
    except ImportError as err:
        raise MissingDependencyError(
            "rclpy is not installed; pip install 'hydranet_ros[ros]', or source a ROS 2 "
            'installation.'
        ) from err
    from hydranet_ros.perception.pipeline import Perception
    from hydranet_ros.ros.allocator import keep_freed_memory
    from hydranet_ros.ros.camera_info import CameraInfoState
    from hydranet_ros.ros.dds_profile import apply_dds_profile
    from hydranet_ros.ros.domains import free_domain
    from hydranet_ros.ros.frame import FramePath
    from hydranet_ros.ros.publishers import Publishers

    keep_freed_memory()
    apply_dds_profile(asynchronous=True)
    with ExitStack() as stack:
        domain = stack.enter_context(free_domain())
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain)
        stack.callback(context.try_shutdown)
        node = LifecycleNode(_NODE, context=context)
        stack.callback(node.destroy_node)
        perception = Perception(engine)
        node.trigger_configure()
        publishers = Publishers(node, engine.info, perception.available)
        node.trigger_activate()
        topics = {
            output: node.resolve_topic_name(OUTPUT_SPECS[output].private_name)
            for output in OUTPUT_SPECS if output in ALL_OUTPUTS
        }  # fmt: skip
        kinds = [f'{topic}={OUTPUT_SPECS[output].message_type.rpartition("/")[2]}'
                 for output, topic in topics.items()]  # fmt: skip
        subscriber = stack.enter_context(_subscriber(kinds, domain))
        _wait(lambda: publishers.wanted() >= ALL_OUTPUTS & perception.available, subscriber)
        camera = CameraInfoState(node.get_logger().warning)
        yield FrameFixture(FramePath(perception, publishers, camera), camera, subscriber, topics)


@contextmanager
def _subscriber(topics: list[str], domain: int) -> Iterator[subprocess.Popen]:
    environment = {
        **os.environ, 'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.suites.frame.subscriber', *topics], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _wait(condition: Callable[[], bool], subscriber: subprocess.Popen) -> None:
    until = time.monotonic() + _TIMEOUT
    while not condition():
        if subscriber.poll() is not None or time.monotonic() > until:
            raise BenchError(
                f'The subscriber process did not connect within {_TIMEOUT:.0f} s. Check that '
                'multicast on the loopback interface is not blocked.'
            )
        time.sleep(0.02)
