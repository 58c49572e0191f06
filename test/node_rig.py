"""A node under test, in process, and the camera that publishes to it."""

from __future__ import annotations

from conftest import wait_for
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_tools import camera
from sensor_msgs.msg import CameraInfo, Image

from hydranet_ros.ros.node import HydranetNode

CHANGES = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
}
STATES = {1: 'unconfigured', 2: 'inactive', 3: 'active', 4: 'finalized'}


class Rig:
    """A node and the publishers of its camera."""

    def __init__(self, ros, **parameters) -> None:
        self.ros = ros
        values = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = ros.add(HydranetNode(context=ros.context, parameter_overrides=values))
        self.images = ros.client.create_publisher(Image, 'image', 1)
        self.infos = ros.client.create_publisher(CameraInfo, 'camera_info', 1)

    def state(self) -> str:
        answer = self.ros.call(GetState, '/hydranet/get_state', GetState.Request())
        return STATES[answer.current_state.id]

    def change(self, name: str) -> bool:
        request = ChangeState.Request(transition=Transition(id=CHANGES[name]))
        return self.ros.call(ChangeState, '/hydranet/change_state', request).success

    def set(self, name: str, value):
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return self.ros.call(SetParameters, '/hydranet/set_parameters', request).results[0]

    def ready(self) -> None:
        wait_for(lambda: self.images.get_subscription_count() == 1, what='the node listens')
        wait_for(lambda: self.infos.get_subscription_count() == 1, what='the node listens')

    def send_camera(self, message=None) -> None:
        self.infos.publish(message or camera())
        wait_for(lambda: self.node._camera.info is not None, what='camera info heard')
