"""What our model file is held against: the official structure as torch exports it, and its cut."""

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
RAW_OUTPUTS = ('logits', 'depth')
WHOLE_OUTPUTS = ('labels', 'depth')


def export_raw(network: HydraNet, path: Path, size: tuple[int, int]) -> Path:
    """
    Export the network alone: ``image`` float32 (1, 3, H, W), normalised by the caller, to
    ``logits`` (1, C, H/4, W/4) and ``depth`` (1, 1, H/4, W/4).

    The size is fixed in the graph, which is the best that can be done for it.
    """
    import torch
    from torch import Tensor, nn

    class Raw(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
            found = self.network(image)
            return found['segmentation'], found['depth']

    return _export(Raw(), torch.zeros(1, 3, *size), path, RAW_OUTPUTS)


def export_whole(network: HydraNet, path: Path, size: tuple[int, int]) -> Path:
    """
    Export the network with what our graph has around it, in torch's plain operations: ``image``
    uint8 (1, H, W, 3) to ``labels`` uint8 (1, H, W) and ``depth`` float32 (1, H, W).
    """
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    from hydranet_ros.network.hydranet import MEAN, STD

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
            pixels = image.permute(0, 3, 1, 2).float() / 255
            mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
            found = self.network((pixels - mean) / std)
            logits, depth = (
                functional.interpolate(found[name], size=size, mode='bilinear')
                for name in ('segmentation', 'depth')
            )
            return logits.argmax(1).to(torch.uint8), depth[:, 0].abs()

    image = torch.zeros(1, *size, 3, dtype=torch.uint8)
    return _export(Whole(), image, path, WHOLE_OUTPUTS)


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
    Return our model file without what follows its heads, and the names of its outputs then.

    From ``labels`` and from ``depth`` the graph is followed back to where the upsampling starts.
    Both may start at one tensor; then there is one output with all channels, depth last.

    :raises BenchError: if no upsampling is found.
    """
    import onnx
    from onnx import TensorProto, helper

    from hydranet_ros.inference.subgraph import prune

    whole = onnx.load_from_string(model)
    names = tuple(dict.fromkeys(_upsampled(whole.graph, name) for name in WHOLE_OUTPUTS))
    del whole.graph.output[:]
    whole.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    return prune(whole.SerializeToString(), names), names


def _upsampled(graph: onnx.GraphProto, output: str) -> str:
    """Return the tensor whose upsampling becomes this output."""
    producers = {name: node for node in graph.node for name in node.output}
    name = output
    while name in producers:
        node = producers[name]
        if node.op_type in ('Resize', 'Upsample'):
            return node.input[0]
        name = node.input[0]
    raise BenchError(
        f'The model file makes {output!r} by no Resize that can be followed back over first '
        'inputs; the network cannot be told from what follows it.'
    )


def in_channels_first(outputs: Sequence[np.ndarray], like: Sequence[np.ndarray]) -> np.ndarray:
    """
    Return a network's heads as one array (1, C + 1, H/4, W/4), logits first, depth last.

    :param outputs: one array with all channels, or two; channels at the end or after the batch.
    :param like: logits (1, C, h, w) and depth (1, 1, h, w), whose shape tells which.
    """
    import numpy as np

    rows = like[0].shape[2]
    turned = [item if item.shape[2] == rows else item.transpose(0, 3, 1, 2) for item in outputs]
    return np.concatenate(turned, 1)
