"""
The exceptions of hydranet_ros.

::

    HydranetError
    ├── PresetError            a preset, class table or other file of config/
    ├── ModelError             a model file (.onnx)
    │   └── ModelNotFoundError
    ├── ProviderError          a requested execution provider
    ├── CheckpointError        a PyTorch checkpoint
    ├── ExportError            the export of a checkpoint
    ├── DownloadError          a download
    ├── ImageError             the encoding, size or data of an image
    ├── CameraError            the intrinsics or distortion model of a camera
    ├── MediaError             an image file, folder or video
    ├── BagError               a rosbag
    ├── ParameterError         a node parameter
    ├── DomainError            the reservation of a ROS domain
    ├── DemoError              the results of the demo
    ├── DoctorError            the results of hydranet doctor
    ├── DatasetError           a data set
    ├── TrainingError          a training run
    ├── SceneError             a procedural scene or its renderer
    ├── BenchError             a benchmark
    │   └── NotMeasuredError   a benchmark that needs other hardware or software
    └── MissingDependencyError an optional package

A message states what was found, what is allowed, and how to fix it.
"""

from __future__ import annotations


class HydranetError(Exception):
    """The base class: catch it to catch every expected error of the package."""


class PresetError(HydranetError):
    """A preset or class table is missing, cannot be read, or has wrong keys or values."""


class ModelError(HydranetError):
    """A model file is damaged, has no metadata, or cannot run."""


class ModelNotFoundError(ModelError):
    """A model file does not exist."""


class ProviderError(HydranetError):
    """A requested execution provider is unknown or not available."""


class CheckpointError(HydranetError):
    """A checkpoint cannot be read, or does not fit a network or a preset."""


class ExportError(HydranetError):
    """An export failed, or its graph differs from the network."""


class DownloadError(HydranetError):
    """A download failed, or its checksum is wrong."""


class ImageError(HydranetError):
    """The encoding, step, size or data of an image cannot be used."""


class CameraError(HydranetError):
    """The intrinsics or the distortion model of a camera cannot be used."""


class MediaError(HydranetError):
    """An image file, folder or video cannot be read or written."""


class BagError(HydranetError):
    """A rosbag cannot be read or written."""


class ParameterError(HydranetError):
    """A node parameter has a value that is not allowed."""


class DomainError(HydranetError):
    """No ROS domain is free on this machine."""


class DemoError(HydranetError):
    """The demo received no results; the message contains the log of the node."""


class DoctorError(HydranetError):
    """The results of ``hydranet doctor`` cannot be written, or a step does not exist."""


class DatasetError(HydranetError):
    """A data set does not have the files or values that its reader expects."""


class TrainingError(HydranetError):
    """A training run cannot start or continue."""


class SceneError(HydranetError):
    """A procedural scene cannot be built or rendered."""


class BenchError(HydranetError):
    """A benchmark cannot run, its baselines disagree, or a metric is out of bounds."""


class NotMeasuredError(BenchError):
    """A benchmark cannot run on this machine: hardware or a program is missing."""


class MissingDependencyError(HydranetError):
    """An optional package is not installed; the message names the extra that installs it."""


_EXTRAS = {
    'rclpy': 'ros', 'sensor_msgs': 'ros', 'std_msgs': 'ros', 'diagnostic_msgs': 'ros',
    'rosgraph_msgs': 'ros', 'lifecycle_msgs': 'ros', 'torch': 'train', 'onnx': 'train',
    'mujoco': 'scenes', 'onnxruntime': 'cpu', 'tensorrt': 'gpu',
    'openvino': 'openvino', 'matplotlib': 'bench', 'threadpoolctl': 'bench',
}  # fmt: skip


def missing_package(err: ImportError) -> str:
    """Return how to install a missing package; empty if no extra installs it."""
    name = (err.name or '').split('.')[0]
    if name == 'hydranet_scenes':
        return f'{name} is not installed. Install it from a checkout: pip install ./{name}'
    extra = _EXTRAS.get(name)
    if not extra:
        return ''
    return f"{name} is not installed. Install it with: pip install 'hydranet_ros[{extra}]'"
