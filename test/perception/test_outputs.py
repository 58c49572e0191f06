"""The table of outputs."""

from __future__ import annotations

import pytest

from hydranet_ros.perception.outputs import (
    DEPTH_CAMERA_INFO,
    LABEL_INFO,
    OUTPUTS,
    TIMING,
    TOPICS,
    Output,
    available,
    network_needs,
    sources,
)

EVERYTHING = frozenset({'labels', 'confidence', 'depth', 'normals'})
EXPECTED = {
    Output.MASK: ('~/segmentation/mask', 'Image', 'mono8', 'labels'),
    Output.COLOR: ('~/segmentation/color', 'Image', 'rgb8', 'labels'),
    Output.OVERLAY: ('~/segmentation/overlay', 'Image', 'rgb8', 'labels'),
    Output.CONFIDENCE: ('~/segmentation/confidence', 'Image', 'mono8', 'confidence'),
    Output.DEPTH: ('~/depth/image', 'Image', '32FC1', 'depth'),
    Output.DEPTH_COLOR: ('~/depth/color', 'Image', 'rgb8', 'depth'),
    Output.NORMALS: ('~/normals/image', 'Image', '32FC3', 'normals'),
    Output.POINTS: ('~/points', 'PointCloud2', '', 'cloud'),
}


def test_every_output_has_its_topic_type_and_encoding():
    found = {
        output: (spec.private_name, spec.message_type.removeprefix('sensor_msgs/msg/'),
                 spec.encoding, spec.source)
        for output, spec in OUTPUTS.items()
    }  # fmt: skip
    assert found == EXPECTED


def test_small_outputs_are_published_before_the_cloud():
    assert list(OUTPUTS)[0] is Output.MASK and list(OUTPUTS)[-1] is Output.POINTS


def test_only_the_label_info_is_latched():
    assert [topic.name for topic in TOPICS if topic.latched] == [LABEL_INFO.name]
    assert {DEPTH_CAMERA_INFO, LABEL_INFO, TIMING, *OUTPUTS.values()} == set(TOPICS)
    assert DEPTH_CAMERA_INFO.private_name == '~/depth/camera_info'
    assert DEPTH_CAMERA_INFO.full_name == '/hydranet/depth/camera_info'


def test_names_are_unique_and_described():
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    assert all(len(topic.description) > 10 for topic in TOPICS)


def test_a_bag_gets_mask_depth_and_cloud():
    assert {out for out, spec in OUTPUTS.items() if spec.in_bag} == {
        Output.MASK, Output.DEPTH, Output.POINTS,
    }  # fmt: skip


def test_color_overlay_and_colored_depth_are_drawn():
    assert {out for out, spec in OUTPUTS.items() if spec.drawn} == {
        Output.COLOR, Output.OVERLAY, Output.DEPTH_COLOR,
    }  # fmt: skip


@pytest.mark.parametrize(
    ('network', 'missing'),
    [
        (EVERYTHING, set()),
        (frozenset({'depth'}), {Output.MASK, Output.COLOR, Output.OVERLAY, Output.CONFIDENCE,
                                Output.NORMALS}),
        (frozenset({'labels', 'confidence'}), {Output.DEPTH, Output.DEPTH_COLOR, Output.POINTS,
                                               Output.NORMALS}),
        (frozenset(), set(Output)),
    ],
)  # fmt: skip
def test_available_outputs_follow_from_the_network(network, missing):
    assert available(network) == set(Output) - missing


@pytest.mark.parametrize(
    ('wanted', 'network', 'needed'),
    [
        ({Output.MASK}, EVERYTHING, {'labels'}),
        ({Output.DEPTH}, EVERYTHING, {'labels', 'depth'}),
        ({Output.POINTS}, frozenset({'depth'}), {'depth'}),
        ({Output.CONFIDENCE}, EVERYTHING, {'confidence'}),
        ({Output.NORMALS, Output.MASK}, EVERYTHING, {'normals', 'labels'}),
        ({Output.DEPTH}, frozenset({'labels'}), set()),
        (set(), EVERYTHING, set()),
    ],
)
def test_the_network_computes_only_what_wanted_outputs_need(wanted, network, needed):
    assert network_needs(wanted, network) == needed


def test_sources_are_the_arrays_that_outputs_are_made_from():
    assert sources({Output.OVERLAY, Output.POINTS, Output.MASK}) == {'labels', 'cloud'}
    assert sources(()) == frozenset()
