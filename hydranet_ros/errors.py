"""
Every exception that hydranet_ros raises on purpose.

::

    HydranetError
    ├── PresetError          a file of config/, or a preset name
    ├── ModelError           a model file (.onnx): missing, truncated, without metadata
    │   └── ModelNotFoundError
    ├── ProviderError        a demanded execution provider cannot be had
    ├── CheckpointError      a PyTorch checkpoint that fits no known network
    ├── ExportError          an exported graph that disagrees with its network
    ├── DownloadError        weights that could not be fetched whole
    ├── ImageError           an image: encoding, step, size, file
    ├── CameraError          a camera's intrinsics or distortion model
    ├── MediaError           a picture, folder or video to read or write
    ├── BagError             a rosbag to read or write
    ├── ParameterError       a parameter of the node
    ├── DomainError          no free ROS domain on this machine
    ├── DemoError            a demo that received no results
    ├── DatasetError         a data set on disk
    ├── TrainingError        a training run
    ├── SceneError           a procedural scene or its renderer
    ├── BenchError           competitors of a benchmark that disagree, figures out of bounds
    │   └── NotMeasuredError     hardware or a program that a part needs is not here
    └── MissingDependencyError   an optional package that this call needs

A message says what was got, what is allowed and how to mend it.
"""

from __future__ import annotations


class HydranetError(Exception):
    """Root of the tree: catch it to catch every deliberate error of the package."""


class PresetError(HydranetError):
    """A preset or class table that cannot be read, or holds unknown or missing keys."""


class ModelError(HydranetError):
    """A model file that cannot be used."""


class ModelNotFoundError(ModelError):
    """A model file that is not where the preset or the user says."""


class ProviderError(HydranetError):
    """An execution provider was demanded and cannot be had."""


class CheckpointError(HydranetError):
    """A checkpoint that cannot be read, or whose keys fit no known network."""


class ExportError(HydranetError):
    """An export whose graph disagrees with the network it came from."""


class DownloadError(HydranetError):
    """A download that did not arrive whole."""


class ImageError(HydranetError):
    """An image whose encoding, step, size or bytes cannot be used."""


class CameraError(HydranetError):
    """Camera intrinsics or a distortion model that cannot be used."""


class MediaError(HydranetError):
    """A picture, folder or video that cannot be read or written."""


class BagError(HydranetError):
    """A rosbag that cannot be read or written."""


class ParameterError(HydranetError):
    """A node parameter outside what is allowed."""


class DomainError(HydranetError):
    """No ROS domain is free on this machine."""


class DemoError(HydranetError):
    """The demo received no results; the message contains the node's log."""


class DatasetError(HydranetError):
    """A data set on disk that is not as its loader needs it."""


class TrainingError(HydranetError):
    """A training run that cannot start or go on."""


class SceneError(HydranetError):
    """A procedural scene that cannot be built or rendered."""


class BenchError(HydranetError):
    """A benchmark that cannot run, or whose competitors do not give the same result."""


class NotMeasuredError(BenchError):
    """A part of the benchmark cannot run here: hardware or a program is missing."""


class MissingDependencyError(HydranetError):
    """An optional package is not installed; the message names the extra that brings it."""


_EXTRAS = {
    'rclpy': 'ros', 'sensor_msgs': 'ros', 'std_msgs': 'ros', 'diagnostic_msgs': 'ros',
    'rosgraph_msgs': 'ros', 'lifecycle_msgs': 'ros', 'torch': 'train', 'onnx': 'train',
    'mujoco': 'scenes', 'onnxruntime': 'cpu', 'tensorrt': 'gpu',
    'matplotlib': 'bench', 'openvino': 'bench', 'threadpoolctl': 'bench',
}  # fmt: skip


def missing_package(err: ImportError) -> str:
    """Return the line that cures a package which is not installed; empty for one of no extra."""
    name = (err.name or '').split('.')[0]
    if name == 'hydranet_scenes':
        return f'{name} is not installed; from a checkout: pip install ./{name}'
    extra = _EXTRAS.get(name)
    return f"{name} is not installed; pip install 'hydranet_ros[{extra}]'" if extra else ''
