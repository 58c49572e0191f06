"""The competitors of the part network, each ready to be called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.suites.plain import RAW_OUTPUTS
from benchmarks.suites.result import BenchOptions
from hydranet_ros.errors import ModelNotFoundError

if TYPE_CHECKING:
    from hydranet_ros.network.hydranet import HydraNet


def normalise(image: np.ndarray) -> np.ndarray:
    """Return pixels (H, W, 3) uint8 as the network takes them, (1, 3, H, W) float32."""
    from hydranet_ros.network.hydranet import MEAN, STD

    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    scaled = (image.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def our_session(model: bytes, threads: int) -> Any:
    """Open a model as the engine does, with its options."""
    from hydranet_ros.inference.providers import EngineOptions, open_session

    options = EngineOptions(provider='cpu', threads=threads)
    return open_session(model, Path('exported.onnx'), options).session


def plain_session(path: Path, threads: int) -> Any:
    """Open a file with ONNX Runtime's own choices, but for the threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def eager(network: HydraNet, image: np.ndarray) -> Callable[[], list[np.ndarray]]:
    """Return a run of the network in PyTorch, in the threads that are set when it is called."""
    import torch

    batch = torch.from_numpy(image)

    def call() -> list[np.ndarray]:
        with torch.inference_mode():
            found = network(batch)
        return [found['segmentation'].numpy(), found['depth'].numpy()]

    return call


def openvino(path: Path, image: np.ndarray, threads: int) -> Callable[[], list[np.ndarray]] | None:
    """Return a run of the plain export in OpenVINO in float32; ``None`` if it is not installed."""
    try:
        from openvino import Core
    except ImportError:
        return None
    settings = {
        'INFERENCE_NUM_THREADS': threads,
        'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_PRECISION_HINT': 'f32',  # its own choice is bfloat16 where the CPU has it
    }
    request = Core().compile_model(str(path), 'CPU', settings).create_infer_request()

    def call() -> list[np.ndarray]:
        found = request.infer({'image': image}, share_inputs=True, share_outputs=True)
        return [found[name] for name in RAW_OUTPUTS]

    return call


def given_model(options: BenchOptions, classes: int) -> Path | None:
    """Return the model file that the user gave, or the street model; both for 6 classes."""
    from hydranet_ros.resources import find_model

    if classes != 6:
        return None
    try:
        return options.model or find_model('street.onnx')
    except ModelNotFoundError:
        return None
