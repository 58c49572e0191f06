"""The official structure as PyTorch exports it, and model files cut at their heads."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydranet_ros.errors import BenchError

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import torch

    from hydranet_ros.network.hydranet import HydraNet

OPSET = 17
HEAD_OUTPUTS = ('logits', 'depth')
FULL_OUTPUTS = ('labels', 'depth')


def export_heads(network: HydraNet, path: Path, size: tuple[int, int]) -> Path:
    """
    Export the network up to its heads, for one fixed image size.

    ``image`` float32 (1, 3, H, W), normalized by the caller, to ``logits`` (1, C, H/4, W/4) and
    ``depth`` (1, 1, H/4, W/4). A fixed size is the fastest form of a plain export.
    """
    import torch
    from torch import Tensor, nn

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
            found = self.network(image)
            return found['segmentation'], found['depth']

    return _export(Heads(), torch.zeros(1, 3, *size), path, HEAD_OUTPUTS)


def export_full(network: HydraNet, path: Path, size: tuple[int, int]) -> Path:
    """
    Export the network with normalization, upsampling and argmax as plain PyTorch operations.

    ``image`` uint8 (1, H, W, 3) to ``labels`` uint8 (1, H, W) and ``depth`` float32 (1, H, W).
    """
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    class Full(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
            offset, factor = self.network.normalization()
            found = self.network((image.permute(0, 3, 1, 2).float() - offset) * factor)
            logits, depth = (
                functional.interpolate(found[name], size=size, mode='bilinear')
                for name in ('segmentation', 'depth')
            )
            return logits.argmax(1).to(torch.uint8), depth[:, 0].abs()

    image = torch.zeros(1, *size, 3, dtype=torch.uint8)
    return _export(Full(), image, path, FULL_OUTPUTS)


def _export(
    module: torch.nn.Module, image: torch.Tensor, path: Path, outputs: tuple[str, ...]
) -> Path:
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            module.eval(), (image,), str(path), input_names=['image'], output_names=list(outputs),
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return path


def cut_at_heads(model: bytes) -> tuple[bytes, tuple[str, ...]]:
    """
    Cut a model file of this package at its heads; return it and the names of its outputs.

    The cut is before the upsampling of ``labels`` and ``depth``. Both may start at one tensor;
    then there is one output with all channels, depth last.

    :raises BenchError: if no upsampling is found.
    """
    import onnx
    from onnx import TensorProto, helper

    from hydranet_ros.inference.subgraph import prune

    full = onnx.load_from_string(model)
    names = tuple(dict.fromkeys(_upsampled(full.graph, name) for name in FULL_OUTPUTS))
    del full.graph.output[:]
    full.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    return prune(full.SerializeToString(), names), names


def _upsampled(graph: onnx.GraphProto, output: str) -> str:
    """Return the tensor that is upsampled to this output."""
    producers = {name: node for node in graph.node for name in node.output}
    name = output
    while name in producers:
        node = producers[name]
        if node.op_type in ('Resize', 'Upsample'):
            return node.input[0]
        name = node.input[0]
    raise BenchError(
        f'The model file has no Resize on the path to {output!r}; it cannot be cut at its heads.'
    )


def in_channels_first(outputs: Sequence[np.ndarray], like: Sequence[np.ndarray]) -> np.ndarray:
    """
    Return head outputs as one array (1, C + 1, H/4, W/4), logits first, depth last.

    :param outputs: one array with all channels, or two; channels first or last.
    :param like: logits (1, C, h, w) and depth (1, 1, h, w); their height tells the two apart.
    """
    import numpy as np

    rows = like[0].shape[2]
    arranged = [item if item.shape[2] == rows else item.transpose(0, 3, 1, 2) for item in outputs]
    return np.concatenate(arranged, 1)
