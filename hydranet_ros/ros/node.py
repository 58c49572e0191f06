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
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo

from hydranet_ros.errors import HydranetError, ParameterError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.model_files.preset import Preset
from hydranet_ros.model_files.resolve import choose_model
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.ros import parameters as declared
from hydranet_ros.ros.camera_info import Camera
from hydranet_ros.ros.conversions import seconds
from hydranet_ros.ros.dds_profile import apply_dds_profile, give_back_memory, keep_large_blocks
from hydranet_ros.ros.diagnostics import Timing, health_status, timing_status
from hydranet_ros.ros.frame import FramePath
from hydranet_ros.ros.log_throttle import LogLimit
from hydranet_ros.ros.parameters import NodeParameters, engine_options, perception_settings
from hydranet_ros.ros.publishers import Publishers
from hydranet_ros.ros.shutdown import begin_teardown, spin, until_told_to_end
from hydranet_ros.ros.signals import begin_running, handle_signals, shutdown_requested
from hydranet_ros.ros.subscriptions import Inputs

_TRIAL_SIZE = (64, 96)
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class HydranetNode(LifecycleNode):
    """
    The node ``hydranet``; topics in docs/topics.md, parameters in docs/parameters.md.

    :raises HydranetError: if the preset or a parameter cannot be used.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('hydranet', **options)
        self._perception: Perception | None = None
        self._outputs: Publishers | None = None
        self._path: FramePath | None = None
        self._inputs: Inputs | None = None
        self._active = False
        self._timing = Timing()
        self._log_limit = LogLimit()
        self._problem = ''
        self._camera = Camera(self.get_logger().warning)
        self.settings = self._declare()
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._timing_publisher = self.create_publisher(DiagnosticStatus, '~/timing', 5)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 5)
        # Simulated time may stand still or not run at all: what the node does by itself goes by
        # a clock that always runs.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics_timer = self.create_timer(
            self.settings.diagnostics_period, self._publish_diagnostics, clock=steady
        )
        self._start_timer = None
        if self.settings.autostart:
            self._start_timer = self.create_timer(0.0, self._autostart, clock=steady)

    def _declare(self) -> NodeParameters:
        try:
            preset: Any = self.declare_parameter(
                'preset', NodeParameters.preset, declared.descriptor('preset')
            ).value
            values = declared.defaults(Preset.load(str(preset)).node)
            for name in declared.names():
                if name != 'preset':
                    self.declare_parameter(name, values[name], declared.descriptor(name))
        except ParameterException as err:
            raise ParameterError(
                f'{err} (a number with a fraction is written with a point: 1.0)'
            ) from err
        return self._read()

    def _read(self) -> NodeParameters:
        return NodeParameters(**self._values())

    def _values(self) -> dict[str, Any]:
        return {name: self.get_parameter(name).value for name in declared.names()}

    def _on_set_parameters(self, changes: list[Any]) -> SetParametersResult:
        reason = declared.refusal(changes, self._values(), configured=self._perception is not None)
        if reason:
            return SetParametersResult(successful=False, reason=reason)
        wanted = {item.name: item.value for item in changes if item.name in declared.TABLE}
        self.settings = NodeParameters(**{**self._values(), **wanted})
        if 'diagnostics_period' in wanted:
            self._diagnostics_timer.timer_period_ns = int(1e9 * self.settings.diagnostics_period)
            self._diagnostics_timer.reset()
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
                'not started; when it is mended: '
                f'ros2 lifecycle set {name} configure && ros2 lifecycle set {name} activate'
            )

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
            choice.path, engine_options(self.settings),
            report=self._say,
        )  # fmt: skip
        for warning in engine.warnings:
            self.get_logger().warning(warning)
        # A GPU is made ready for the size that will come. On the CPU a small image shows that the
        # network runs; a large one would hold memory that the first frame takes anyway.
        trial = _TRIAL_SIZE if engine.provider == 'cpu' else engine.info.native_size
        engine.warm_up(*trial)
        self._perception = Perception(engine, perception_settings(self.settings))
        for warning in self._perception.warnings:
            self.get_logger().warning(warning)
        self._outputs = Publishers(self, engine.info, self._perception.available)
        self._path = FramePath(self._perception, self._outputs, self._camera)
        self.get_logger().info(
            f'{choice.path.name} loaded on {engine.provider} in {time.monotonic() - started:.2f} s'
        )
        give_back_memory()

    def _say(self, line: str) -> None:
        self.get_logger().info(line)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen."""
        return self._guarded('activate', self._activate, self._stop, state)

    def _activate(self, state: LifecycleState) -> None:
        super().on_activate(state)
        self._timing = Timing()
        self._camera.forget()
        assert self._outputs is not None
        self._outputs.publish_latched()
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
        except Exception as err:
            self._problem = f'{name} failed: {_reason(err)}'
            undo()
        else:
            self._problem = ''
            return _SUCCESS
        if self.context.ok():
            self.get_logger().error(self._problem)
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
        self._camera.forget()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera.hear(message, rectified=self.settings.rectified)

    def _on_image(self, message: Any, number: tuple[tuple, int] | None) -> None:
        if not self._active or self._outputs is None:
            return
        self._timing.arrival(number, time.monotonic())
        wanted = self._outputs.wanted()
        if not wanted:
            self._timing.counters.idle += 1
            return
        try:
            self._process(message, wanted)
        except Exception as err:
            # Told to end while the network ran: what cannot be published is no fault.
            if self.context.ok():
                self._fail(_reason(err))

    def _fail(self, reason: str) -> None:
        self._timing.counters.failed += 1
        self._timing.last_error = reason
        if self._log_limit.allows(reason, time.monotonic()):
            self.get_logger().error(f'frame given up: {reason}')

    def _process(self, message: Any, wanted: frozenset[Output]) -> None:
        assert self._path and self._inputs
        # Simulated time stands still while this callback runs, so the age at publication is the
        # age at arrival and what was spent here.
        arrival_age = self.get_clock().now().nanoseconds * 1e-9 - seconds(message.header.stamp)
        stages = self._path.run(
            message, wanted, info_topic=self._inputs.camera_info_topic,
            depth_encoding=self.settings.depth_encoding, max_pixels=self.settings.max_pixels,
        )  # fmt: skip
        self._timing.last_error = ''
        self._report(stages, arrival_age + 1e-3 * stages['total'])

    def _report(self, stages: dict[str, float], age: float) -> None:
        self._timing.frame(age, time.monotonic())
        if self._timing_publisher.get_subscription_count():
            status = timing_status(
                self.get_fully_qualified_name(), stages, age, self._timing.counters
            )
            self._timing_publisher.publish(status)

    def _publish_diagnostics(self) -> None:
        if not self.context.ok():
            return
        facts = {'preset': self.settings.preset}
        if self._perception is not None:
            engine = self._perception.engine
            facts.update(provider=engine.provider, model=engine.path.name)
        status = health_status(
            self.get_fully_qualified_name(), self._timing, facts, active=self._active,
            now=time.monotonic(), max_age=self.settings.max_age,
            problem=self._problem, camera_problem=self._camera.problem,
        )  # fmt: skip
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def destroy_node(self) -> None:
        """Free everything and destroy the node."""
        self._release()
        super().destroy_node()


def _reason(err: Exception) -> str:
    """Return an error as one line; our own messages say all, others need their kind."""
    text = str(err) if isinstance(err, HydranetError) else f'{type(err).__name__}: {err}'
    return ' '.join(text.split())


def _init(args: list[str] | None) -> None:
    try:
        rclpy.init(args=args)
    except RuntimeError as err:
        raise ParameterError(f'The ROS arguments cannot be used: {err}') from err


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; return the exit status."""
    handle_signals()
    keep_large_blocks()
    said = apply_dds_profile(asynchronous=True)
    node = None
    begin_running()
    try:
        with until_told_to_end():
            _init(args)
            if shutdown_requested():  # before rclpy handled signals
                return 0
            node = HydranetNode()
            node.get_logger().info(said)
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            spin(executor, node.get_logger())
    except HydranetError as err:
        print(f'hydranet: {err}', file=sys.stderr)
        return 2
    finally:
        begin_teardown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
