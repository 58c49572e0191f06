"""
The lifecycle node: images in; mask, depth and cloud out.

Everything happens in the image's callback on one thread. The subscription keeps one message, so
the newest frame wins without a queue of our own, and a service or a transition is answered
between two frames.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from hydranet_ros.engine import Engine, EngineOptions
from hydranet_ros.errors import CameraError, HydranetError
from hydranet_ros.geometry import CameraModel
from hydranet_ros.model_choice import choose_model
from hydranet_ros.perception import Output, Perception, PerceptionSettings
from hydranet_ros.preset import Preset
from hydranet_ros.ros import parameters as declared
from hydranet_ros.ros.inputs import Inputs
from hydranet_ros.ros.messages import camera_from_info, image_to_rgb, seconds
from hydranet_ros.ros.outputs import Outputs
from hydranet_ros.ros.parameters import NodeParameters
from hydranet_ros.ros.profile import apply_dds_profile, keep_large_blocks
from hydranet_ros.ros.timing import Timing, health_status, timing_status

THROTTLE = 5.0
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class HydranetNode(LifecycleNode):
    """
    The node ``hydranet``; topics in docs/topics.md, parameters in docs/parameters.md.

    :raises HydranetError: if the preset or a parameter cannot be used.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('hydranet', **options)
        self._perception: Perception | None = None
        self._outputs: Outputs | None = None
        self._inputs: Inputs | None = None
        self._active = False
        self._timing = Timing()
        self._camera: CameraModel | None = None
        self._camera_info: CameraInfo | None = None
        self._declare()
        self.settings = self._read()
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._timing_publisher = self.create_publisher(DiagnosticStatus, '~/timing', 5)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 5)
        # Simulated time may stand still or not run at all: what the node does by itself goes by
        # a clock that always runs.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        period = self.settings.diagnostics_period
        self.create_timer(period, self._publish_diagnostics, clock=steady)
        self._start_timer = None
        if self.settings.autostart:
            self._start_timer = self.create_timer(0.0, self._autostart, clock=steady)

    def _declare(self) -> None:
        preset = self.declare_parameter(
            'preset', NodeParameters.preset, declared.descriptor('preset')
        ).value
        values = declared.defaults(Preset.load(str(preset)).node)
        for name in declared.names():
            if name != 'preset':
                self.declare_parameter(name, values[name], declared.descriptor(name))

    def _read(self) -> NodeParameters:
        return NodeParameters(**self._values())

    def _values(self) -> dict[str, Any]:
        return {name: self.get_parameter(name).value for name in declared.names()}

    def _on_set_parameters(self, changes: list[Any]) -> SetParametersResult:
        reason = declared.refusal(
            changes, self._values(), configured=self._perception is not None
        )
        if reason:
            return SetParametersResult(successful=False, reason=reason)
        wanted = {item.name: item.value for item in changes if item.name in declared.TABLE}
        self.settings = NodeParameters(**{**self._values(), **wanted})
        if self._perception is not None:
            self._perception.settings = perception_settings(self.settings)
        return SetParametersResult(successful=True)

    def _autostart(self) -> None:
        assert self._start_timer is not None
        self.destroy_timer(self._start_timer)
        if self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and make the publishers."""
        return self._guarded('configure', self._configure, self._release)

    def _configure(self) -> None:
        self.settings = self._read()
        started = time.monotonic()
        choice = choose_model(
            self.settings.preset, domain=self.settings.domain, model=self.settings.model
        )
        for warning in choice.warnings:
            self.get_logger().warning(warning)
        engine = Engine(
            choice.path, engine_options(self.settings), report=self.get_logger().info
        )
        for warning in engine.warnings:
            self.get_logger().warning(warning)
        engine.warm_up(*engine.info.native_size)
        self._perception = Perception(engine, perception_settings(self.settings))
        self._outputs = Outputs(self, engine.info, self._perception.available)
        self.get_logger().info(
            f'{choice.path.name} loaded on {engine.provider} in '
            f'{time.monotonic() - started:.2f} s'
        )

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen."""
        return self._guarded('activate', self._activate, self._stop, state)

    def _activate(self, state: LifecycleState) -> None:
        super().on_activate(state)
        self._timing = Timing()
        assert self._outputs is not None
        self._outputs.announce()
        self._inputs = Inputs(
            self, self.settings.image_transport, self._on_image, self._on_camera_info
        )
        self._active = True
        self.get_logger().info(
            f'active: {self._inputs.image_topic}, {self._inputs.camera_info_topic}'
        )

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening; the model stays loaded."""
        return self._guarded('deactivate', self._deactivate, self._stop, state)

    def _deactivate(self, state: LifecycleState) -> None:
        self._stop()
        super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free model, publishers and buffers."""
        return self._guarded('cleanup', self._release, self._release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        return self._guarded('shutdown', self._release, self._release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, so that the node can be configured again."""
        return self._guarded('error', self._release, self._release)

    def _guarded(
        self, name: str, work: Callable[..., None], undo: Callable[[], None], *arguments: Any
    ) -> TransitionCallbackReturn:
        """Run a transition; rclpy would swallow an exception of it without a word."""
        try:
            work(*arguments)
        except HydranetError as err:
            self.get_logger().error(f'{name} failed: {err}')
        except Exception as err:
            self.get_logger().error(f'{name} failed: {type(err).__name__}: {err}')
        else:
            return _SUCCESS
        undo()
        return _FAILURE

    def _stop(self) -> None:
        self._active = False
        if self._inputs is not None:
            self._inputs.destroy()
            self._inputs = None

    def _release(self) -> None:
        self._stop()
        if self._outputs is not None:
            self._outputs.destroy()
            self._outputs = None
        if self._perception is not None:
            self._perception.engine.close()
            self._perception = None
        self._camera = self._camera_info = None

    def _on_camera_info(self, message: CameraInfo) -> None:
        if self._camera_info is not None and _same_camera(message, self._camera_info):
            return
        self._camera_info = message
        try:
            self._camera = camera_from_info(message, rectified=self.settings.rectified)
        except CameraError as err:
            self._camera = None
            self.get_logger().error(f'camera_info cannot be used, no cloud: {err}')

    def _on_image(self, message: Any, number: tuple[tuple, int] | None) -> None:
        if not self._active or self._outputs is None:
            return
        counters = self._timing.counters
        counters.received += 1
        if number is not None:
            self._timing.count_gap(*number)
        wanted = self._outputs.wanted()
        if not wanted:
            counters.idle += 1
            return
        try:
            self._process(message, wanted)
        except HydranetError as err:
            self._fail(str(err))
        except Exception as err:
            self._fail(f'{type(err).__name__}: {err}')

    def _fail(self, reason: str) -> None:
        self._timing.counters.failed += 1
        self._timing.last_error = reason
        self.get_logger().error(
            f'frame given up: {reason}', throttle_duration_sec=THROTTLE
        )

    def _process(self, message: Any, wanted: frozenset[Output]) -> None:
        assert self._perception is not None and self._outputs is not None
        # Simulated time stands still while this callback runs, so the age at publication is the
        # age at arrival and what was spent here.
        arrival_age = self.get_clock().now().nanoseconds * 1e-9 - seconds(message.header.stamp)
        started = time.perf_counter()
        image = image_to_rgb(message)
        decoded = time.perf_counter()
        camera = self._camera_of(image.shape[0], image.shape[1], message.header, wanted)
        result = self._perception.process(image, camera, wanted=wanted)
        computed = time.perf_counter()
        self._outputs.publish(
            result, wanted, message.header, self._camera_info if camera else None,
            depth_encoding=self.settings.depth_encoding,
        )  # fmt: skip
        now = time.perf_counter()
        stages = {
            'decode': 1e3 * (decoded - started),
            **result.timing,
            'publish': 1e3 * (now - computed),
            'total': 1e3 * (now - started),
        }
        self._timing.last_error = ''
        self._report(stages, arrival_age + now - started)

    def _report(self, stages: dict[str, float], age: float) -> None:
        self._timing.frame(age, time.monotonic())
        if self._timing_publisher.get_subscription_count():
            status = timing_status(
                self.get_fully_qualified_name(), stages, age, self._timing.counters
            )
            self._timing_publisher.publish(status)

    def _camera_of(
        self, height: int, width: int, header: Header, wanted: frozenset[Output]
    ) -> CameraModel | None:
        """Return the camera of an image, or ``None`` with one warning where it is not known."""
        if self._camera is None:
            if Output.POINTS in wanted and self._camera_info is None:
                assert self._inputs is not None
                self.get_logger().warning(
                    f'No camera info on {self._inputs.camera_info_topic}: no cloud, and depth is '
                    'not corrected for the focal length.', once=True,
                )  # fmt: skip
            return None
        assert self._camera_info is not None
        if self._camera_info.header.frame_id != header.frame_id:
            self.get_logger().warning(
                f'camera_info is of frame {self._camera_info.header.frame_id!r}, the image of '
                f'{header.frame_id!r}: not used.', throttle_duration_sec=THROTTLE,
            )  # fmt: skip
            return None
        if (self._camera.height, self._camera.width) != (height, width):
            self.get_logger().warning(
                f'camera_info is of {self._camera.width}x{self._camera.height} pixels, the image '
                f'of {width}x{height}: not used.', throttle_duration_sec=THROTTLE,
            )  # fmt: skip
            return None
        return self._camera

    def _publish_diagnostics(self) -> None:
        facts = {'preset': self.settings.preset}
        if self._perception is not None:
            engine = self._perception.engine
            facts.update(provider=engine.provider, model=engine.path.name)
        status = health_status(
            self.get_fully_qualified_name(), self._timing, facts, active=self._active,
            now=time.monotonic(), max_age=self.settings.max_age,
        )  # fmt: skip
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def destroy_node(self) -> None:
        """Free everything and destroy the node."""
        self._release()
        super().destroy_node()


def _same_camera(a: CameraInfo, b: CameraInfo) -> bool:
    return (
        a.width == b.width and a.height == b.height and a.header.frame_id == b.header.frame_id
        and a.distortion_model == b.distortion_model and a.binning_x == b.binning_x
        and a.binning_y == b.binning_y and a.roi == b.roi
        and list(a.k) == list(b.k) and list(a.d) == list(b.d) and list(a.p) == list(b.p)
    )  # fmt: skip


def perception_settings(settings: NodeParameters) -> PerceptionSettings:
    """Return the part of the parameters that perception needs."""
    return PerceptionSettings(
        overlay_alpha=settings.overlay_alpha,
        cloud_stride=settings.cloud_stride,
        scale_by_focal_length=settings.scale_by_focal_length,
        max_depth=settings.max_depth,
    )


def engine_options(settings: NodeParameters) -> EngineOptions:
    """Return the part of the parameters that the engine needs."""
    return EngineOptions(
        provider=settings.provider,
        threads=settings.threads,
        fp16=settings.fp16,
        cache_directory=Path(settings.engine_cache) if settings.engine_cache else None,
    )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; return the exit status."""
    keep_large_blocks()
    said = apply_dds_profile()
    rclpy.init(args=args)
    node = None
    try:
        node = HydranetNode()
        node.get_logger().info(said)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except HydranetError as err:
        print(f'hydranet: {err}', file=sys.stderr)
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
