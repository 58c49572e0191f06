"""
The lifecycle node: images in; mask, depth and point cloud out.

Each frame is processed in the callback of its image message, on one thread. The subscription
keeps only the newest message, so frames are never queued, and the node handles service calls and
transitions between two frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo

from hydranet_ros.errors import HydranetError, ParameterError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.model_files.preset import Preset
from hydranet_ros.model_files.resolve import choose_model
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.ros.allocator import release_memory
from hydranet_ros.ros.camera_info import CameraInfoState
from hydranet_ros.ros.diagnostics import health_status, timing_status
from hydranet_ros.ros.diagnostics_publisher import DiagnosticsPublisher
from hydranet_ros.ros.frame import FramePath
from hydranet_ros.ros.frame_statistics import FrameStatistics
from hydranet_ros.ros.log_throttle import LogThrottle
from hydranet_ros.ros.message_info import MessageNumber
from hydranet_ros.ros.parameters import (
    TABLE,
    NodeParameters,
    defaults,
    descriptor,
    engine_options,
    perception_settings,
    refusal,
)
from hydranet_ros.ros.publishers import Publishers
from hydranet_ros.ros.stamps import seconds
from hydranet_ros.ros.subscriptions import Subscriptions

_WARM_UP_SIZE = (64, 96)
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class HydranetNode(LifecycleNode):
    """
    The node ``hydranet``; see docs/topics.md and docs/parameters.md.

    :raises HydranetError: if the preset or a parameter is invalid.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('hydranet', **options)
        self._perception: Perception | None = None
        # rclpy's Node has attributes _publishers and _subscriptions.
        self._outputs: Publishers | None = None
        self._inputs: Subscriptions | None = None
        self._path: FramePath | None = None
        self._active = False
        self._statistics = FrameStatistics()
        self._throttle = LogThrottle()
        self._transition_error = ''
        self._camera = CameraInfoState(self.get_logger().warning)
        self.settings = self._declare_parameters()
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._diagnostics = DiagnosticsPublisher(
            self, self.settings.diagnostics_period, self._health
        )
        self._start_timer = None
        if self.settings.autostart:
            # Simulated time may stand still.
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self._start_timer = self.create_timer(0.0, self._autostart, clock=steady)

    def _declare_parameters(self) -> NodeParameters:
        try:
            preset: Any = self.declare_parameter(
                'preset', NodeParameters.preset, descriptor('preset')
            ).value
            values = defaults(Preset.load(str(preset)).node)
            for name in TABLE:
                if name != 'preset':
                    self.declare_parameter(name, values[name], descriptor(name))
        except ParameterException as err:
            raise ParameterError(f'{err} (write a float with a decimal point: 1.0)') from err
        return NodeParameters(**self._parameter_values())

    def _parameter_values(self) -> dict[str, Any]:
        return {name: self.get_parameter(name).value for name in TABLE}

    def _on_set_parameters(self, changes: list[Any]) -> SetParametersResult:
        values = self._parameter_values()
        reason = refusal(changes, values, configured=self._perception is not None)
        if reason:
            return SetParametersResult(successful=False, reason=reason)
        requested = {item.name: item.value for item in changes if item.name in TABLE}
        self.settings = NodeParameters(**{**values, **requested})
        if 'diagnostics_period' in requested:
            self._diagnostics.set_period(self.settings.diagnostics_period)
        if self._perception is not None:
            self._perception.settings = perception_settings(self.settings)
        return SetParametersResult(successful=True)

    def _autostart(self) -> None:
        assert self._start_timer is not None
        self.destroy_timer(self._start_timer)
        if self.trigger_configure() == _SUCCESS and self.trigger_activate() == _SUCCESS:
            return
        if self.context.ok():
            name = self.get_fully_qualified_name()
            self.get_logger().error(
                'The node did not start. Fix the error above, then run: '
                f'ros2 lifecycle set {name} configure && ros2 lifecycle set {name} activate'
            )

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the publishers."""
        return self._guarded('configure', self._configure, self._release)

    def _configure(self) -> None:
        self.settings = NodeParameters(**self._parameter_values())
        started = time.monotonic()
        logger = self.get_logger()
        choice = choose_model(
            self.settings.preset, domain=self.settings.domain, model=self.settings.model
        )
        for warning in choice.warnings:
            logger.warning(warning)
        engine = Engine(choice.path, engine_options(self.settings), report=logger.info)
        for warning in engine.warnings:
            logger.warning(warning)
        # A GPU is prepared for the expected size. On a CPU a small image shows that the network
        # runs; a large one would only allocate memory before it is needed.
        engine.warm_up(*(_WARM_UP_SIZE if engine.provider == 'cpu' else engine.info.native_size))
        self._perception = Perception(engine, perception_settings(self.settings))
        for warning in self._perception.warnings:
            logger.warning(warning)
        self._outputs = Publishers(self, engine.info, self._perception.available)
        self._path = FramePath(self._perception, self._outputs, self._camera)
        elapsed = time.monotonic() - started
        logger.info(f'{choice.path.name} loaded on {engine.provider} in {elapsed:.2f} s')
        release_memory()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the camera."""
        return self._guarded('activate', self._activate, self._stop, state)

    def _activate(self, state: LifecycleState) -> None:
        super().on_activate(state)
        self._statistics = FrameStatistics()
        self._camera.reset()
        assert self._outputs is not None
        self._outputs.publish_latched()
        self._inputs = Subscriptions(
            self, self.settings.image_transport, self._on_image, self._on_camera_info
        )
        self._active = True
        self.get_logger().info(
            f'active: {self._inputs.image_topic}, {self._inputs.camera_info_topic}'
        )

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe from the camera; the model stays loaded."""
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
        """Run a transition and log its exception, which rclpy would ignore."""
        try:
            work(*arguments)
        except Exception as err:
            self._transition_error = f'{name} failed: {_reason(err)}'
            undo()
        else:
            self._transition_error = ''
            return _SUCCESS
        if self.context.ok():
            self.get_logger().error(self._transition_error)
        return _FAILURE

    def _stop(self) -> None:
        self._active = False
        if self._inputs is not None:
            self._inputs.destroy()
            self._inputs = None

    def _release(self) -> None:
        self._stop()
        self._path = None
        if self._outputs is not None:
            self._outputs.destroy()
            self._outputs = None
        if self._perception is not None:
            self._perception.engine.close()
            self._perception = None
        self._camera.reset()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera.update(message, rectified=self.settings.rectified)

    def _on_image(self, message: Any, number: MessageNumber | None) -> None:
        if not self._active or self._outputs is None:
            return
        self._statistics.record_arrival(number, time.monotonic())
        wanted = self._outputs.wanted()
        if not wanted:
            self._statistics.counters.idle += 1
            return
        try:
            self._process(message, wanted)
        except Exception as err:
            # After a shutdown during inference, the outputs cannot be published.
            if self.context.ok():
                self._record_failure(_reason(err))

    def _record_failure(self, reason: str) -> None:
        self._statistics.counters.failed += 1
        self._statistics.last_error = reason
        if self._throttle.allows(reason, time.monotonic()):
            self.get_logger().error(f'frame failed: {reason}')

    def _process(self, message: Any, wanted: frozenset[Output]) -> None:
        assert self._path and self._inputs
        # Simulated time stands still during this callback: the age at publication is the age at
        # arrival plus the processing time.
        arrival_age = self.get_clock().now().nanoseconds * 1e-9 - seconds(message.header.stamp)
        stages = self._path.run(
            message, wanted, info_topic=self._inputs.camera_info_topic,
            depth_encoding=self.settings.depth_encoding, max_pixels=self.settings.max_pixels,
        )  # fmt: skip
        self._statistics.last_error = ''
        age = arrival_age + 1e-3 * stages['total']
        self._statistics.record_frame(age, time.monotonic())
        if self._diagnostics.timing_requested():
            name, counters = self.get_fully_qualified_name(), self._statistics.counters
            self._diagnostics.publish_timing(timing_status(name, stages, age, counters))

    def _health(self) -> DiagnosticStatus:
        facts = {'preset': self.settings.preset}
        if self._perception is not None:
            engine = self._perception.engine
            facts.update(provider=engine.provider, model=engine.path.name)
        return health_status(
            self.get_fully_qualified_name(), self._statistics, facts, active=self._active,
            now=time.monotonic(), max_age=self.settings.max_age,
            problem=self._transition_error, camera_problem=self._camera.problem,
        )  # fmt: skip

    def destroy_node(self) -> None:
        """Free everything and destroy the node."""
        self._release()
        super().destroy_node()


def _reason(err: Exception) -> str:
    """Return an error as one line, with the type of errors that are not the package's own."""
    text = str(err) if isinstance(err, HydranetError) else f'{type(err).__name__}: {err}'
    return ' '.join(text.split())
