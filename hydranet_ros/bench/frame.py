"""
A whole frame, from the image message that was taken to mask, depth and cloud published, against
the network alone; and each stage by itself.

What runs is what the node runs, :class:`~hydranet_ros.ros.frame.FramePath`, with rclpy's
publishers and a subscriber in another process. *Network alone* is one call of the same engine on
the same pixels: the pruned graph from uint8 pixels to labels and depth at the image's size, so
upsampling and argmax count as network. The network *to stride 4* ends before them, at the heads.
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

from hydranet_ros.bench.material import SIZES, digest, picture, size_name
from hydranet_ros.bench.plain import cut_at_heads
from hydranet_ros.bench.result import (
    BenchOptions,
    Figure,
    PartResult,
    Series,
    Table,
    assert_agree,
    interleaved,
    pair_ratio,
)
from hydranet_ros.errors import BenchError, MissingDependencyError
from hydranet_ros.geometry import CameraModel, depth_to_points, pixel_rays
from hydranet_ros.perception import Output

if TYPE_CHECKING:
    from hydranet_ros.engine import Engine
    from hydranet_ros.ros.frame import FramePath

NAME = 'frame'
NETWORK, STRIDE4, FRAME, PICTURES = 'network', 'network to stride 4', 'frame', 'with pictures'
WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
COLOURED = WANTED | {Output.COLOR, Output.OVERLAY, Output.DEPTH_COLOR}
STAGES = ('decode', 'engine', 'labels', 'depth', 'rays', 'cloud', 'colour', 'message', 'publish')
_OUTPUTS = frozenset({'labels', 'depth'})
_QUICK_ROUNDS = 4
_WARM_UP = 4
_PATIENCE = 20.0
_SETTLED = 0.5
_NODE = 'bench_frame'


def run(options: BenchOptions, say: Callable[[str], None]) -> PartResult:
    """
    Measure frames of both sizes.

    :raises MissingDependencyError: without rclpy
    :raises BenchError: if what arrives is not what was computed
    """
    from hydranet_ros.engine import Engine, EngineOptions
    from hydranet_ros.model_choice import choose_model

    model = options.model or choose_model('street').path
    rounds = min(options.rounds, _QUICK_ROUNDS) if options.quick else options.rounds
    figures: dict[str, Figure] = {}
    tables, inputs, runs = [], {model.name: digest(model)}, {}
    engine = Engine(model, EngineOptions(provider='cpu', threads=options.threads))
    try:
        to_stride4, notes = _stride4(engine), _notes(engine)
    except (BenchError, ImportError) as err:
        to_stride4, notes = None, [*_notes(engine), f'{STRIDE4} was not measured: {err}']
    with _rig(engine) as rig:
        for size in SIZES:
            say(f'{size_name(size)}, {rounds} rounds')
            image = picture(*size)
            inputs[f'picture {size_name(size)}'] = digest(image)
            found = _measure(rig, image, to_stride4, rounds)
            runs[size_name(size)] = found.times
            figures |= {f'{key}_{size_name(size)}': value for key, value in found.figures()}
            tables.append(found.table(size_name(size)))
    engine.close()
    return PartResult(NAME, figures, tables, notes, inputs, runs)


def _notes(engine: Engine) -> list[str]:
    return [
        f'{NETWORK}: {engine.path.name} on {engine.provider}, from uint8 pixels to labels and '
        'depth at full resolution (upsampling and argmax are in it); nothing else of the file '
        'runs.',
        f'{STRIDE4}: the same file cut at the heads, before upsampling and argmax.',
        f'{FRAME}: from a bgr8 Image that was taken to mask, depth and cloud published with '
        f'rclpy to a process that hears them; {PICTURES}: coloured mask, overlay and coloured '
        'depth too.',
    ]


@dataclass
class Measurement:
    """
    One size's times.

    :param stages: milliseconds by competitor and stage, a value a round
    :param rays_once: milliseconds for the rays of a camera that was not seen before
    """

    times: dict[str, Series]
    stages: dict[str, list[dict[str, float]]]
    rays_once: float

    def stage(self, competitor: str, name: str) -> Series:
        """Return a stage's times; 0 where it did not take place."""
        return Series(name, tuple(lap.get(name, 0.0) for lap in self.stages[competitor]))

    @property
    def beside(self) -> Series:
        """Return what frames spent outside the engine."""
        laps = self.stages[FRAME]
        return Series('beside', tuple(lap['total'] - lap['engine'] for lap in laps))

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield the figures of this size, without the size in their names."""
        frame, network = self.times[FRAME], self.times[NETWORK]
        to_stride4 = self.times.get(STRIDE4)
        yield 'ratio', round(pair_ratio(frame, network).median, 4)
        yield (
            'ratio_stride4',
            (None if to_stride4 is None else round(pair_ratio(frame, to_stride4).median, 4)),
        )
        yield 'ratio_with_pictures', round(pair_ratio(self.times[PICTURES], network).median, 4)
        yield 'share_beside', round(self.beside.median / network.median, 4)
        for series in (network, frame, self.beside):
            yield f'{series.name}_ms', round(series.median, 3)
            yield f'{series.name}_p95_ms', round(series.p95, 3)
        for name in STAGES:
            yield f'stage_{name}_ms', round(self.stage(_shown_in(name), name).median, 3)
        yield 'rays_once_ms', round(self.rays_once, 3)

    def table(self, size: str) -> Table:
        """Return the competitors and the stages, in milliseconds."""
        network = self.times[NETWORK]
        rows = [
            _row(name, series, str(pair_ratio(series, network)))
            for name, series in self.times.items()
        ]
        for name in STAGES:
            where = f'  ({PICTURES})' if _shown_in(name) == PICTURES else ''
            rows.append(_row(f'  {name}{where}', self.stage(_shown_in(name), name), ''))
        share = f'{self.beside.median / network.median:.1%} of the network'
        rows.append(_row(f'{FRAME}, outside the engine', self.beside, share))
        rows.append(('rays of a new camera, once', f'{self.rays_once:.1f}', '', ''))
        return Table(f'A frame, {size}', ('', 'median ms', 'p95 ms', 'over network'), rows)


def _shown_in(stage: str) -> str:
    return PICTURES if stage == 'colour' else FRAME


def _row(name: str, series: Series, more: str) -> tuple[str, ...]:
    return (name, f'{series.median:.2f}', f'{series.p95:.2f}', more)


def _stride4(engine: Engine) -> Callable[[NDArray], None]:
    """Return a call that runs the network to the heads."""
    from hydranet_ros.providers import open_session

    model, heads = cut_at_heads(engine.path.read_bytes())
    session = open_session(model, engine.path, engine.options).session

    def call(image: NDArray) -> None:
        quarter = tuple(-(-side // 4) for side in image.shape[:2])
        for head in session.run(heads, {'image': image[None]}):
            if quarter not in (head.shape[1:3], head.shape[2:]):
                raise BenchError(f'A head gives {head.shape}; expected H/4 x W/4 = {quarter}.')

    return call


def _measure(
    rig: Rig, image: NDArray[np.uint8], to_stride4: Callable[[NDArray], None] | None, rounds: int
) -> Measurement:
    height, width = image.shape[:2]
    rays_once = rig.look_through(camera_of(height, width))
    message = rig.message(image)
    stages: dict[str, list[dict[str, float]]] = {FRAME: [], PICTURES: []}
    competitors: dict[str, Callable[[], object]] = {
        NETWORK: lambda: rig.path.perception.engine.infer(image, _OUTPUTS),
        FRAME: lambda: stages[FRAME].append(rig.frame(message, WANTED)),
        PICTURES: lambda: stages[PICTURES].append(rig.frame(message, COLOURED)),
    }
    if to_stride4 is not None:
        competitors[STRIDE4] = lambda: to_stride4(image)
    times = interleaved(competitors, rounds, _WARM_UP, helpers=(rig.listener.pid,))
    rig.check(message, image)
    return Measurement(times, {name: laps[-rounds:] for name, laps in stages.items()}, rays_once)


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

        from hydranet_ros.cloud import CloudBuilder
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
    from hydranet_ros.perception import Perception

    found = engine.infer(image, _OUTPUTS)
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
def _rig(engine: Engine) -> Iterator[Rig]:
    """Start publishers and listener on a domain of their own."""
    try:
        import rclpy
        from rclpy.lifecycle import LifecycleNode
    except ImportError as err:
        raise MissingDependencyError(
            "A frame is published with rclpy, which is not installed: pip install 'hydranet_ros"
            "[ros]', or source a ROS 2 installation."
        ) from err
    from hydranet_ros.perception import Perception
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
        [sys.executable, '-m', 'hydranet_ros.bench.listener', *topics], env=environment,
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
