"""A node under test, in this process, and the camera that publishes to it."""

from __future__ import annotations

from typing import Any

from conftest import Ros, wait_for
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_tools import camera_info
from sensor_msgs.msg import CameraInfo, Image

from hydranet_ros.ros.node import HydranetNode

TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
}
STATES = {1: 'unconfigured', 2: 'inactive', 3: 'active', 4: 'finalized'}


class Rig:
    """A node and the publishers of its camera."""

    def __init__(self, ros: Ros, **parameters: Any) -> None:
        self.ros = ros
        values = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = ros.add(HydranetNode(context=ros.context, parameter_overrides=values))
        self.images = ros.client.create_publisher(Image, 'image', 1)
        self.infos = ros.client.create_publisher(CameraInfo, 'camera_info', 1)

    @property
    def counters(self) -> Any:
        """Return the node's frame counters."""
        return self.node._statistics.counters

    def state(self) -> str:
        """Return the lifecycle state as the service reports it."""
        response = self.ros.call(GetState, '/hydranet/get_state', GetState.Request())
        return STATES[response.current_state.id]

    def change(self, name: str) -> bool:
        """Request a transition; return whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[name]))
        return self.ros.call(ChangeState, '/hydranet/change_state', request).success

    def set(self, name: str, value: Any) -> Any:
        """Set a parameter; return the result message."""
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return self.ros.call(SetParameters, '/hydranet/set_parameters', request).results[0]

    def wait_until_connected(self) -> None:
        """
        Wait until the node is active and has subscribed to the camera.

        The subscription alone may be that of the node of the test before.
        """
        wait_for(lambda: self.node._active, what='the active node')
        wait_for(lambda: self.images.get_subscription_count() == 1, what='the image subscription')
        wait_for(lambda: self.infos.get_subscription_count() == 1, what='the info subscription')

    def wait_for_subscribers(self, outputs: int = 1) -> None:
        """Wait until the node has found the subscribers of ``outputs`` outputs."""
        wait_for(
            lambda: len(self.node._outputs.wanted()) == outputs, what=f'{outputs} subscribers'
        )

    def send_info(self, message: CameraInfo | None = None) -> None:
        """Publish the camera info of another camera, and wait until the node uses it."""
        before = self.node._camera.info
        self.infos.publish(message or camera_info())
        wait_for(lambda: self.node._camera.info is not before, what='the camera info')
