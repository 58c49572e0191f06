"""
The table of the node's outputs.

The node, the bag writer, the recorder and the documentation read topics, message types and
encodings from here. A new output is one member of :class:`Output` and one row in
:data:`OUTPUTS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

IMAGE = 'sensor_msgs/msg/Image'
POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
NODE_NAME = 'hydranet'


class Output(str, Enum):
    """A result of one frame."""

    MASK = 'mask'
    COLOR = 'color'
    OVERLAY = 'overlay'
    CONFIDENCE = 'confidence'
    DEPTH = 'depth'
    DEPTH_COLOR = 'depth_color'
    NORMALS = 'normals'
    POINTS = 'points'


@dataclass(frozen=True)
class Topic:
    """
    One topic of the node.

    :param name: relative to the node, without the leading ``~/``.
    :param message_type: as rosbag2 stores it, ``package/msg/Name``.
    :param description: one line for the documentation.
    :param latched: transient local; all others are published only while subscribed to.
    """

    name: str
    message_type: str
    description: str
    latched: bool = False

    @property
    def private_name(self) -> str:
        """Return the name as rclpy takes it, ``~/...``."""
        return f'~/{self.name}'

    @property
    def full_name(self) -> str:
        """Return the name under a node with the default name."""
        return f'/{NODE_NAME}/{self.name}'


@dataclass(frozen=True)
class OutputSpec(Topic):
    """
    One row of :data:`OUTPUTS`.

    :param source: the post-processed array that the output is, or is drawn from: ``labels``,
        ``confidence``, ``depth``, ``normals`` or ``cloud``.
    :param requires: outputs of the network without which there is no such result.
    :param uses: outputs of the network that change the result where the model has them.
    :param encoding: of ``sensor_msgs/Image``.
    :param drawn: whether it is a colored image that
        :class:`~hydranet_ros.perception.renderer.Renderer` draws.
    :param in_bag: whether ``hydranet bag`` writes it.
    """

    source: str = ''
    requires: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    encoding: str = ''
    drawn: bool = False
    in_bag: bool = False


_LABELS = frozenset({'labels'})
_DEPTH = frozenset({'depth'})

OUTPUTS: Mapping[Output, OutputSpec] = {
    Output.MASK: OutputSpec(
        'segmentation/mask', IMAGE, 'Class id of each pixel, 255 unlabeled.',
        source='labels', requires=_LABELS, encoding='mono8', in_bag=True,
    ),
    Output.COLOR: OutputSpec(
        'segmentation/color', IMAGE, 'Class colors.',
        source='labels', requires=_LABELS, encoding='rgb8', drawn=True,
    ),
    Output.OVERLAY: OutputSpec(
        'segmentation/overlay', IMAGE, 'Class colors blended over the image.',
        source='labels', requires=_LABELS, encoding='rgb8', drawn=True,
    ),
    Output.CONFIDENCE: OutputSpec(
        'segmentation/confidence', IMAGE, 'Probability of the class, 0 to 255.',
        source='confidence', requires=frozenset({'confidence'}), encoding='mono8',
    ),
    Output.DEPTH: OutputSpec(
        'depth/image', IMAGE, 'Depth along the optical axis in meters, NaN unknown (REP 118).',
        source='depth', requires=_DEPTH, uses=_LABELS, encoding='32FC1', in_bag=True,
    ),
    Output.DEPTH_COLOR: OutputSpec(
        'depth/color', IMAGE, 'Depth as color, over a fixed range.',
        source='depth', requires=_DEPTH, uses=_LABELS, encoding='rgb8', drawn=True,
    ),
    Output.NORMALS: OutputSpec(
        'normals/image', IMAGE, 'Unit surface normals in the optical frame.',
        source='normals', requires=frozenset({'normals'}), encoding='32FC3',
    ),
    Output.POINTS: OutputSpec(
        'points', POINT_CLOUD, 'Organized cloud: x, y, z, rgb, label.',
        source='cloud', requires=_DEPTH, uses=_LABELS, in_bag=True,
    ),
}  # fmt: skip
"""In the order of publication: the small mask does not wait for the large cloud."""

LABEL_INFO = Topic(
    'segmentation/label_info', 'vision_msgs/msg/LabelInfo', 'Class names by id.', latched=True
)
DEPTH_CAMERA_INFO = Topic('depth/camera_info', CAMERA_INFO, 'Camera info of the depth image.')
TIMING = Topic('timing', 'diagnostic_msgs/msg/DiagnosticStatus', 'Milliseconds of each stage.')
TOPICS: tuple[Topic, ...] = (*OUTPUTS.values(), LABEL_INFO, DEPTH_CAMERA_INFO, TIMING)
"""Every topic below the node's own name."""


def available(network_outputs: frozenset[str]) -> frozenset[Output]:
    """Return the outputs that a model with these network outputs can produce."""
    return frozenset(out for out, spec in OUTPUTS.items() if spec.requires <= network_outputs)


def network_needs(wanted: Iterable[Output], network_outputs: frozenset[str]) -> frozenset[str]:
    """Return the network outputs to compute for the wanted results."""
    needed: set[str] = set()
    for output in wanted:
        spec = OUTPUTS[output]
        if spec.requires <= network_outputs:
            needed |= spec.requires | spec.uses
    return frozenset(needed & network_outputs)


def sources(wanted: Iterable[Output]) -> frozenset[str]:
    """Return the post-processed arrays that the wanted results are made from."""
    return frozenset(OUTPUTS[output].source for output in wanted)
