"""
The node's own path with real publishers, and a process that listens: what the part frame times.
"""

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

from benchmarks.suites.result import assert_agree
from hydranet_ros.errors import BenchError, MissingDependencyError
from hydranet_ros.camera.model import CameraModel, depth_to_points, pixel_rays
from hydranet_ros.perception.pipeline import Output

if TYPE_CHECKING:
    from hydranet_ros.inference.engine import Engine
    from hydranet_ros.ros.frame import FramePath

WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
COLOURED = WANTED | {Output.COLOR, Output.OVERLAY, Output.DEPTH_COLOR}
NETWORK_OUTPUTS = frozenset({'labels', 'depth'})
_PATIENCE = 20.0
_SETTLED = 0.5
_NODE = 'bench_frame'


def camera_of(height: int, width: int) -> CameraModel:
    """Return a camera with a lens such as KITTI's."""
    return CameraModel(
        width, height, 721.5, 721.5, width / 2, height / 2, 'plumb_bob', (-0.1, 0.02, 0, 0, 0)
    )


@dataclass
class Rig:
    """
    The node's own path with real publishers, and the process that listens.

    :param sent: topics that have been published on
    """

    path: FramePath
    camera: Any
    listener: subprocess.Popen
    topics: dict[Output, str]
    sent: set[str] = field(default_factory=set)

    def look_through(self, camera: CameraModel) -> float:
        """Take another camera; return the milliseconds that its rays cost."""
        from std_msgs.msg import Header

        from hydranet_ros.perception.point_cloud import CloudBuilder
        from hydranet_ros.ros.player import camera_info_message

        self.camera.forget()
        self.camera.hear(camera_info_message(camera, Header(frame_id='camera')), rectified=False)
        started = time.perf_counter()
        CloudBuilder().prepare(camera)
        return 1e3 * (time.perf_counter() - started)

    def message(self, image: NDArray[np.uint8]) -> Any:
        """Return an image message, as a camera with bgr8 sends it."""
        from sensor_msgs.msg import Image
        from std_msgs.msg import Header

        from hydranet_ros.ros.messages import fill_image

        bgr = np.ascontiguousarray(image[..., ::-1])
        return fill_image(Image(), bgr, 'bgr8', Header(frame_id='camera'))

    def frame(self, message: Any, wanted: frozenset[Output]) -> dict[str, float]:
        """Run one frame as the node does; return the milliseconds of each stage."""
        started = time.perf_counter()
        heard = self.path.outputs.wanted() & wanted
        stages = self.path.run(message, heard, info_topic='', depth_encoding='32FC1')
        self.sent.update(self.topics[output] for output in heard)
        stages['total'] = 1e3 * (time.perf_counter() - started)
        return stages

    def check(self, message: Any, image: NDArray[np.uint8]) -> None:
        """
        Hold the last frame that arrived against the network's answer and plain arithmetic.

        :raises BenchError: if it does not come, or holds anything else
        """
        before = self._quiet()
        self.frame(message, WANTED)
        expected = reference(self.path.perception.engine, self.camera.model, image)
        report = self._after(before)
        for output in sorted(WANTED):
            heard = report[self.topics[output]]
            if heard['sha256'] != hashlib.sha256(expected[output]).hexdigest():
                raise BenchError(
                    f'The subscriber heard another {output.value} than the network gave.'
                )

    def _ask(self) -> dict[str, Any]:
        assert self.listener.stdin is not None and self.listener.stdout is not None
        self.listener.stdin.write('\n')
        self.listener.stdin.flush()
        return json.loads(self.listener.stdout.readline())

    def _quiet(self) -> dict[str, Any]:
        """
        Wait until nothing more arrives: a queue may lose some of many frames, never a lone one.

        :raises BenchError: if a topic was never heard
        """
        until = time.monotonic() + _PATIENCE
        report, since = self._ask(), time.monotonic()
        while time.monotonic() - since < _SETTLED:
            time.sleep(0.05)
            now = self._ask()
            if now != report:
                report, since = now, time.monotonic()
            if time.monotonic() > until:
                break
        silent = [topic for topic in sorted(self.sent) if not report[topic]['count']]
        if silent:
            raise BenchError(f'Nothing was heard of {", ".join(silent)} in {_PATIENCE:.0f} s.')
        return report

    def _after(self, before: dict[str, Any]) -> dict[str, Any]:
        """Wait until the frame sent since ``before`` has been heard whole."""
        until = time.monotonic() + _PATIENCE
        topics = [self.topics[output] for output in sorted(WANTED)]
        while time.monotonic() < until:
            report = self._ask()
            if all(report[topic]['count'] > before[topic]['count'] for topic in topics):
                return report
            time.sleep(0.05)
        raise BenchError(f'A frame sent by itself was not heard within {_PATIENCE:.0f} s.')


def reference(
    engine: Engine, camera: CameraModel, image: NDArray[np.uint8]
) -> dict[Output, bytes]:
    """
    Return the bytes that mask, depth and cloud must have.

    :raises BenchError: if they are not plain arithmetic on what the network gives
    """
    from hydranet_ros.perception.pipeline import Perception

    found = engine.infer(image, NETWORK_OUTPUTS)
    assert found.labels is not None and found.depth is not None
    labels, metres = found.labels.copy(), found.depth.copy()
    result = Perception(engine).process(image, camera, wanted=WANTED)
    assert result.labels is not None and result.depth is not None and result.cloud is not None
    surface = np.array(engine.info.surface_lookup)[labels]
    expected = metres * np.float32(camera.fx / engine.info.training_focal_length)
    known = np.isfinite(result.depth)
    assert_agree('labels', result.labels, labels, 0)
    assert_agree('known depth', known, surface & (expected > 1e-6), 0)
    if not known.any():
        raise BenchError('The network knows no depth of the picture: nothing can be compared.')
    assert_agree('depth', result.depth[known], expected[known])
    points = depth_to_points(result.depth, pixel_rays(camera))
    cloud = np.stack([result.cloud.data[axis] for axis in 'xyz'], -1)
    there = np.isfinite(points)
    assert_agree('known points', np.isfinite(cloud), there, 0)
    assert_agree('cloud', cloud[there], points[there])
    return {
        Output.MASK: result.labels.tobytes(), Output.DEPTH: result.depth.tobytes(),
        Output.POINTS: result.cloud.data.tobytes(),
    }  # fmt: skip


@contextmanager
def open_rig(engine: Engine) -> Iterator[Rig]:
    """Start publishers and listener on a domain of their own."""
    try:
        import rclpy
        from rclpy.lifecycle import LifecycleNode
    except ImportError as err:
        raise MissingDependencyError(
            "A frame is published with rclpy, which is not installed: pip install 'hydranet_ros"
            "[ros]', or source a ROS 2 installation."
        ) from err
    from hydranet_ros.perception.pipeline import Perception
    from hydranet_ros.ros.cameras import Camera
    from hydranet_ros.ros.demo import free_domain
    from hydranet_ros.ros.frame import FramePath
    from hydranet_ros.ros.outputs import TOPICS, Outputs
    from hydranet_ros.ros.profile import apply_dds_profile, keep_large_blocks

    keep_large_blocks()
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
        outputs = Outputs(node, engine.info, perception.available)
        node.trigger_activate()
        topics = {
            output: node.resolve_topic_name(topic.name)
            for output, topic in TOPICS.items() if output in COLOURED
        }  # fmt: skip
        kinds = [f'{topics[output]}={TOPICS[output].kind.__name__}' for output in topics]
        listener = stack.enter_context(_listener(kinds, domain))
        _wait(lambda: outputs.wanted() >= COLOURED & perception.available, listener)
        camera = Camera(node.get_logger().warning)
        yield Rig(FramePath(perception, outputs, camera), camera, listener, topics)


@contextmanager
def _listener(topics: list[str], domain: int) -> Iterator[subprocess.Popen]:
    environment = {
        **os.environ, 'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.suites.listener', *topics], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _wait(condition: Callable[[], bool], listener: subprocess.Popen) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if listener.poll() is not None or time.monotonic() > until:
            raise BenchError(
                f'The listening process did not connect within {_PATIENCE:.0f} s: is multicast '
                'on the loopback interface blocked?'
            )
        time.sleep(0.02)
