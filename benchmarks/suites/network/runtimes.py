"""Runtimes that the suite compares, each as a function that runs the network once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness.options import BenchOptions
from benchmarks.models.plain_export import HEAD_OUTPUTS
from hydranet_ros.errors import ModelNotFoundError, ProviderError

if TYPE_CHECKING:
    from hydranet_ros.network.hydranet import HydraNet


def engine_session(model: bytes, threads: int) -> Any:
    """Open a model with the session options of the engine."""
    from hydranet_ros.inference.onnx_session import RUNTIME_NAMES, create_session

    return create_session(
        model, Path('exported.onnx'), [(RUNTIME_NAMES['cpu'], {})], threads=threads
    )


def default_session(path: Path, threads: int) -> Any:
    """Open a file with the default options of ONNX Runtime, except for the threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def pytorch(network: HydraNet, image: np.ndarray) -> Callable[[], list[np.ndarray]]:
    """Return a run in eager PyTorch with the threads that are set when it is called."""
    import torch

    batch = torch.from_numpy(image)

    def call() -> list[np.ndarray]:
        with torch.inference_mode():
            found = network(batch)
        return [found['segmentation'].numpy(), found['depth'].numpy()]

    return call


def openvino(path: Path, image: np.ndarray, threads: int) -> Callable[[], list[np.ndarray]] | None:
    """Return a run of the plain export in OpenVINO, float32; ``None`` if it is not installed."""
    from hydranet_ros.inference.openvino_runtime import openvino_core

    try:
        core = openvino_core()
    except ProviderError:
        return None
    settings = {
        'INFERENCE_NUM_THREADS': threads,
        'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_PRECISION_HINT': 'f32',  # the default is bfloat16 where the CPU supports it
    }
    request = core.compile_model(str(path), 'CPU', settings).create_infer_request()

    def call() -> list[np.ndarray]:
        found = request.infer({'image': image}, share_inputs=True, share_outputs=True)
        return [found[name] for name in HEAD_OUTPUTS]

    return call


def shipped_model(options: BenchOptions, classes: int) -> Path | None:
    """Return the given model, or the street model for the CPU; ``None`` unless 6 classes."""
    from hydranet_ros.model_files.resolve import find_model

    if classes != 6:
        return None
    try:
        return options.model or find_model('street.cpu.onnx')
    except ModelNotFoundError:
        return None
