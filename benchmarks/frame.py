"""
What a frame costs beside the network.

Runs the network alone (A) and the whole path of a frame (B: message bytes, decoding, network,
depth, cloud, filling and publishing mask, depth and cloud with rclpy to a subscriber in another
process) in turn, A B A B, in one process, and prints both::

    python benchmarks/frame.py
    python benchmarks/frame.py --sizes 640x480 --frames 30 --json frame.json

Without rclpy the messages are left out, and the output says so. Without a model file a network
with random weights is exported, which needs the extra ``train``; its time is that of any weights.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.encodings import to_rgb
from hydranet_ros.engine import Engine, EngineOptions
from hydranet_ros.errors import ModelNotFoundError
from hydranet_ros.geometry import CameraModel
from hydranet_ros.perception import Output, Perception, PerceptionResult
from hydranet_ros.resources import find_model

WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
OUTPUTS = frozenset({'labels', 'depth'})
LIMIT = 0.15
WARM_UP = 3
REST = 0.03
EXPORT = """
import sys, torch
from pathlib import Path
from hydranet_ros.model_info import ModelInfo
from hydranet_ros.network.export import DeployedNetwork, write_graph
from hydranet_ros.network.hydranet import build_hydranet
from hydranet_ros.preset import Preset
facts = Preset.load('street').model().export
torch.manual_seed(0)
info = ModelInfo('street', 'mobilenet_v2', facts.tasks, facts.classes, facts.depth_range,
                 facts.focal_length, facts.image_size, facts.native_size, 'none', 'none', '0' * 64)
deployed = DeployedNetwork(build_hydranet(init='kaiming').eval()).eval()
write_graph(deployed, Path(sys.argv[1]), facts.native_size, info)
"""


@dataclass
class Measurement:
    """Milliseconds of one image size; ``stages`` are of the whole path."""

    width: int
    height: int
    network: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Return what the frame costs beside the network, as a share of the network's time."""
        network = statistics.median(self.network)
        return (statistics.median(self.whole) - network) / network

    @property
    def beside(self) -> float:
        """Return the median of what was not spent in the network, within the same frames."""
        return statistics.median(
            whole - engine for whole, engine in zip(self.whole, self.stages['engine'])
        )

    @property
    def share(self) -> float:
        """Return :attr:`beside` as a share of the network's time; other load cancels."""
        return self.beside / statistics.median(self.network)


Publish = Callable[[PerceptionResult], None]


def main() -> int:
    """Measure and print; return 1 if ``--require`` is given and a size is above the limit."""
    options = _parse()
    with ExitStack() as stack:
        publish = None if options.no_ros else _publisher(stack)
        model = _model(options.model, stack)
        engine = Engine(model, EngineOptions(provider=options.provider, threads=options.threads))
        print(f'{model.name} on {engine.provider}, {options.frames} frames of each, in turn')
        found = [
            measure(engine, width, height, frames=options.frames, publish=publish)
            for width, height in options.sizes
        ]
    print(table(found))
    if publish is None:
        print('Without rclpy: messages and publishing are NOT in these numbers.')
    if options.json:
        rows = [{**asdict(item), 'ratio': item.ratio, 'share': item.share} for item in found]
        Path(options.json).write_text(json.dumps(rows, indent=1), encoding='utf-8')
    return int(options.require and any(item.share > LIMIT for item in found))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--model', default='', help='model file (default: street.onnx)')
    parser.add_argument(
        '--sizes', nargs='+', type=_size, default=[(640, 480), (1242, 375)], metavar='WxH'
    )
    parser.add_argument('--frames', type=int, default=30)
    parser.add_argument('--provider', default='auto')
    parser.add_argument('--threads', type=int, default=0)
    parser.add_argument('--json', default='', help='also write every sample to this file')
    parser.add_argument('--no-ros', action='store_true', help='leave messages out')
    parser.add_argument(
        '--require', action='store_true',
        help=f'exit 1 if more than {100 * LIMIT:.0f} %% of the network is spent beside it',
    )  # fmt: skip
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    width, height = text.lower().split('x')
    return int(width), int(height)


def _model(given: str, stack: ExitStack) -> Path:
    try:
        return find_model(given or 'street.onnx')
    except ModelNotFoundError:
        if given:
            raise
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    path = Path(folder) / 'random_mobilenet_v2.onnx'
    print('street.onnx is not there: exporting a network with random weights')
    subprocess.run([sys.executable, '-c', EXPORT, str(path)], check=True)
    return path


def measure(
    engine: Engine, width: int, height: int, *, frames: int, publish: Publish | None
) -> Measurement:
    """Return the times of the network alone and of whole frames, taken in turn."""
    perception = Perception(engine)
    data = np.random.default_rng(0).integers(0, 256, height * width * 3, np.uint8).tobytes()
    camera = CameraModel(
        width, height, 721.5, 721.5, width / 2, height / 2, 'plumb_bob', (-0.1, 0.02, 0, 0, 0)
    )
    rgb = np.empty((height, width, 3), np.uint8)
    found = Measurement(width, height)
    for index in range(WARM_UP + frames):
        network = _network_alone(engine, rgb)
        time.sleep(REST)
        whole, stages = _whole_frame(perception, data, rgb, camera, publish)
        time.sleep(REST)
        if index >= WARM_UP:
            found.network.append(network)
            found.whole.append(whole)
            for name, value in stages.items():
                found.stages.setdefault(name, []).append(value)
    return found


def _network_alone(engine: Engine, image: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    engine.infer(image, OUTPUTS)
    return 1e3 * (time.perf_counter() - started)


def _whole_frame(
    perception: Perception, data: bytes, rgb: NDArray, camera: CameraModel,
    publish: Publish | None,
) -> tuple[float, dict[str, float]]:  # fmt: skip
    height, width = rgb.shape[:2]
    started = time.perf_counter()
    image = to_rgb(data, height=height, width=width, encoding='bgr8', step=3 * width, out=rgb)
    decoded = time.perf_counter()
    result = perception.process(image, camera, wanted=WANTED)
    computed = time.perf_counter()
    if publish is not None:
        publish(result)
    ended = time.perf_counter()
    stages = {'decode': 1e3 * (decoded - started), **result.timing,
              'publish': 1e3 * (ended - computed)}  # fmt: skip
    return 1e3 * (ended - started), stages


def _publisher(stack: ExitStack) -> Publish | None:
    """Return what publishes a result to a subscriber in another process; ``None`` without ROS."""
    os.environ.setdefault('ROS_DOMAIN_ID', str(100 + os.getpid() % 100))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    try:
        import rclpy
        from sensor_msgs.msg import Image, PointCloud2
        from std_msgs.msg import Header

        from hydranet_ros.ros.messages import fill_cloud, fill_image
        from hydranet_ros.ros.profile import apply_dds_profile, keep_large_blocks
    except ImportError:
        return None
    keep_large_blocks()
    print(apply_dds_profile())
    rclpy.init()
    stack.callback(rclpy.try_shutdown)
    node = rclpy.create_node('frame_benchmark')
    stack.callback(node.destroy_node)
    publishers = [
        node.create_publisher(kind, f'benchmark/{name}', 2)
        for name, kind in (('mask', Image), ('depth', Image), ('points', PointCloud2))
    ]
    listener = subprocess.Popen([sys.executable, '-c', LISTEN])
    stack.callback(listener.wait)
    stack.callback(listener.terminate)
    _wait_for_subscribers(publishers)
    mask, depth, points, header = Image(), Image(), PointCloud2(), Header(frame_id='camera')

    def publish(result: PerceptionResult) -> None:
        assert result.labels is not None and result.depth is not None and result.cloud is not None
        publishers[0].publish(fill_image(mask, result.labels, 'mono8', header))
        publishers[1].publish(fill_image(depth, result.depth, '32FC1', header))
        publishers[2].publish(fill_cloud(points, result.cloud, header))

    return publish


LISTEN = """
import signal
signal.signal(signal.SIGTERM, lambda *_: exit())
import rclpy
from sensor_msgs.msg import Image, PointCloud2
from hydranet_ros.ros.profile import keep_large_blocks
keep_large_blocks()
rclpy.init()
node = rclpy.create_node('frame_benchmark_listener')
for name, kind in (('mask', Image), ('depth', Image), ('points', PointCloud2)):
    node.create_subscription(kind, f'benchmark/{name}', lambda message: None, 2)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, SystemExit, rclpy.executors.ExternalShutdownException):
    pass
"""


def _wait_for_subscribers(publishers: list, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not all(item.get_subscription_count() for item in publishers):
        if time.monotonic() > end:
            raise SystemExit('The subscriber did not connect within 20 s: is the network up?')
        time.sleep(0.05)


def table(found: list[Measurement]) -> str:
    """Return the medians and 95th percentiles in milliseconds, a row for each size and stage."""
    lines = [f'{"size":>10}  {"what":<12} {"median ms":>10} {"p95 ms":>10}']
    for item in found:
        size = f'{item.width}x{item.height}'
        rows = {'network': item.network, 'whole frame': item.whole}
        rows.update({f'  {name}': values for name, values in item.stages.items()})
        for name, values in rows.items():
            p95 = sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]
            lines.append(f'{size:>10}  {name:<12} {statistics.median(values):10.2f} {p95:10.2f}')
        lines.append(
            f'{size:>10}  (whole - network) / network = {item.ratio:.1%}; not in the network, in '
            f'the same frames: {item.beside:.1f} ms = {item.share:.1%}'
        )
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
