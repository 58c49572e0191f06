"""
Variants of the network on an NVIDIA GPU: PyTorch, ONNX Runtime's CUDA provider and TensorRT.

Not run on hardware yet; see :mod:`benchmarks.suites.gpu.suite`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.models.official_network import official_network
from benchmarks.suites.gpu.device_limits import WIDTHS, tf32, tf32_is_off, torch_type
from hydranet_ros.errors import BenchError

if TYPE_CHECKING:
    import torch

    from hydranet_ros.network.hydranet import HydraNet

PYTORCH = 'PyTorch eager, float32'
SIZE = (480, 640)


@dataclass
class Variant:
    """
    One variant of the network on the device.

    :param precision: a key of :data:`WIDTHS`.
    :param call: computes (labels, depth) from the image, all on the device.
    :param device_ms: device time of each call; ``launch_ms`` is the time of the host.
    """

    name: str
    precision: str
    call: Callable[[], tuple[Any, Any]]
    device_ms: list[float] = field(default_factory=list)
    launch_ms: list[float] = field(default_factory=list)


def product_network() -> HydraNet:
    """Return this package's network with the weights of the official structure."""
    from hydranet_ros.network.hydranet import HydraNet

    official = official_network()
    network = HydraNet(official.config).eval()
    network.load_state_dict(official.state_dict())
    return network


def device_module(
    network: HydraNet, precision: str, *, channels_last: bool = True
) -> torch.nn.Module:
    """
    Return a module from a batch of pixels to labels and depth, all on one device.

    Pixels are normalized in float32 and then rounded to ``precision``; depth is float32.

    :param channels_last: use channels-last memory throughout the network.
    """
    import torch
    from torch import nn

    kind = torch_type(precision)
    order = torch.channels_last if channels_last else torch.contiguous_format

    class OnDevice(nn.Module):
        offset: torch.Tensor
        factor: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            offset, factor = network.normalization()
            self.register_buffer('offset', offset)
            self.register_buffer('factor', factor)
            self.network = network.to(dtype=kind, memory_format=order)  # type: ignore[call-overload]

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            size = image.shape[1:3]
            # TensorRT accepts uint8 only as an input that is converted at once.
            pixels = (image.float().permute(0, 3, 1, 2) - self.offset) * self.factor
            found = self.network(pixels.to(kind).contiguous(memory_format=order))
            logits, depth = (
                nn.functional.interpolate(found[name], size=size, mode='bilinear')
                for name in ('segmentation', 'depth')
            )
            return logits.argmax(1).to(torch.uint8), depth[:, 0].float().abs()

    return OnDevice().eval()


def build_variants(
    batch: int, image: torch.Tensor, folder: Path, stream: Any, notes: list[str],
    progress: Callable[[str], None],
) -> list[Variant]:  # fmt: skip
    """Build all variants that work here, :data:`PYTORCH` first; add a note for each other one."""
    import torch

    official = device_module(official_network(), 'float32', channels_last=False).cuda()
    found = [Variant(PYTORCH, 'float32', _bound(official, image))]
    for precision in (item for item in WIDTHS if item != 'tf32' or not tf32_is_off()):
        module = device_module(product_network(), precision).cuda()
        if precision != 'float32':
            name = f'PyTorch eager, {precision}'
            found.append(Variant(name, precision, _in(precision, _bound(module, image))))
        progress(f'batch {batch}: PyTorch in {precision}')
        with tf32(precision == 'tf32'):
            graph = _attempt(
                f'PyTorch, CUDA graph, {precision}', notes, _cuda_graph, module, image
            )
        if graph:
            found.append(Variant(f'PyTorch, CUDA graph, {precision}', precision, graph))
        if precision == 'float16':
            compiled = _attempt('torch.compile', notes, _compiled, module, image)
            if compiled:
                found.append(Variant(f'torch.compile, {precision}', precision, compiled))
    path = _export(batch, folder / f'batch{batch}.onnx')
    for name, precision, providers in onnx_variants(folder, stream.cuda_stream):
        progress(f'batch {batch}: {name}')
        call = _attempt(name, notes, _session, path, providers, image)
        if call:
            found.append(Variant(name, precision, call))
    torch.cuda.synchronize()
    return found


def _attempt(name: str, notes: list[str], build: Callable, *arguments: Any) -> Any:
    try:
        call = build(*arguments)
        call()
    except Exception as err:  # compilers, drivers and providers raise errors of their own
        first = str(err).strip().splitlines()
        notes.append(f'{name} was left out: {type(err).__name__}: {first[0] if first else ""}')
        return None
    return call


def _bound(module: torch.nn.Module, image: torch.Tensor) -> Callable[[], tuple[Any, Any]]:
    return lambda: module(image)


def _in(precision: str, call: Callable[[], tuple[Any, Any]]) -> Callable[[], tuple[Any, Any]]:
    """Return the call with TF32 where the precision is TF32."""
    if precision != 'tf32':
        return call

    def with_tf32() -> tuple[Any, Any]:
        with tf32(True):
            return call()

    return with_tf32


def _cuda_graph(module: torch.nn.Module, image: torch.Tensor) -> Callable[[], tuple[Any, Any]]:
    import torch

    for _ in range(3):
        module(image)
    torch.cuda.current_stream().synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        results = module(image)

    def call() -> tuple[Any, Any]:
        graph.replay()
        return results

    return call


def _compiled(module: torch.nn.Module, image: torch.Tensor) -> Callable[[], tuple[Any, Any]]:
    import torch

    compiled = torch.compile(module, mode='max-autotune-no-cudagraphs')
    return lambda: compiled(image)


def _export(batch: int, path: Path) -> Path:
    """Export the network with upsampling and argmax, for a fixed batch size."""
    import warnings

    import torch

    from hydranet_ros.network.export import OPSET

    module = device_module(product_network(), 'float32', channels_last=False)
    image = torch.zeros(batch, *SIZE, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            module, (image,), str(path), input_names=['image'], output_names=['labels', 'depth'],
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return path


def onnx_variants(folder: Path, stream: int) -> list[tuple[str, str, list]]:
    """
    Return name, precision and provider list of each ONNX Runtime variant.

    ONNX Runtime has no option for TensorRT's use of TF32: its engines without float16 use TF32
    unless the environment switches it off.
    """
    own = {'device_id': 0, 'user_compute_stream': str(stream)}
    cuda = {**own, 'use_tf32': 0, 'cudnn_conv_algo_search': 'EXHAUSTIVE'}
    cache = {'trt_engine_cache_enable': True, 'trt_engine_cache_path': str(folder)}
    found: list[tuple[str, str, list]] = []
    for precision in ('float32',) if tf32_is_off() else ('float32', 'tf32'):
        settings = {**cuda, 'use_tf32': int(precision == 'tf32')}
        found += [
            (f'ONNX Runtime CUDA, {precision}', precision, [('CUDAExecutionProvider', settings)]),
            (f'ONNX Runtime CUDA, CUDA graph, {precision}', precision,
             [('CUDAExecutionProvider', {**settings, 'enable_cuda_graph': 1})]),
        ]  # fmt: skip
    full = 'float32' if tf32_is_off() else 'tf32'
    for precision, half in ((full, False), ('float16', True)):
        for graph in (False, True):
            name = f'TensorRT, {"CUDA graph, " if graph else ""}{precision}'
            settings = {
                **own, **cache, 'trt_fp16_enable': half, 'trt_cuda_graph_enable': graph,
            }  # fmt: skip
            providers = [('TensorrtExecutionProvider', settings), ('CUDAExecutionProvider', cuda)]
            found.append((name, precision, providers))
    return found


def _session(path: Path, providers: list, image: torch.Tensor) -> Callable[[], tuple[Any, Any]]:
    import torch

    from hydranet_ros.inference.onnx_libraries import missing_library
    from hydranet_ros.inference.onnx_session import RUNTIME_NAMES, import_runtime

    wanted = providers[0][0]
    runtime = import_runtime()
    missing = next(map(missing_library, (k for k, v in RUNTIME_NAMES.items() if v == wanted)))
    if missing:
        raise BenchError(f'{wanted} did not load: {missing}')
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    if session.get_providers()[0] != wanted:
        raise BenchError(f'{wanted} did not load; see the message of onnxruntime above.')
    labels = torch.empty(image.shape[:3], dtype=torch.uint8, device='cuda')
    depth = torch.empty(image.shape[:3], dtype=torch.float32, device='cuda')
    binding = session.io_binding()
    binding.bind_input('image', 'cuda', 0, np.uint8, tuple(image.shape), image.data_ptr())
    for name, tensor, kind in (('labels', labels, np.uint8), ('depth', depth, np.float32)):
        binding.bind_output(name, 'cuda', 0, kind, tuple(tensor.shape), tensor.data_ptr())
    run_options = runtime.RunOptions()
    run_options.add_run_config_entry('disable_synchronize_execution_providers', '1')

    def call() -> tuple[Any, Any]:
        session.run_with_iobinding(binding, run_options)
        return labels, depth

    return call


def naive_pipeline(host: torch.Tensor) -> Callable[[], None]:
    """Return a simple pipeline for one image: only the network runs on the device."""
    import cv2
    import torch

    from hydranet_ros.network.hydranet import MEAN, STD

    network = official_network().cuda()
    image = host[0].numpy()
    mean, std = np.array(MEAN), np.array(STD)

    def call() -> None:
        scaled = (image / 255.0 - mean) / std
        batch = torch.tensor(scaled.transpose(2, 0, 1)[None]).float().cuda()
        found = network(batch)
        logits = found['segmentation'][0].cpu().numpy().transpose(1, 2, 0)
        depth = found['depth'][0, 0].cpu().numpy()
        full = cv2.resize(logits, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        full.argmax(2).astype(np.uint8)
        np.abs(cv2.resize(depth, image.shape[1::-1], interpolation=cv2.INTER_CUBIC))

    return call
