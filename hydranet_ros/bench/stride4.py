"""The part of a model file up to the heads' own outputs, at a quarter of the image's size."""

from __future__ import annotations

from collections.abc import Iterable

from hydranet_ros.errors import MissingDependencyError, NotMeasuredError
from hydranet_ros.pruning import prune


def cut_at_heads(model: bytes, outputs: Iterable[str]) -> tuple[bytes, tuple[str, ...]]:
    """
    Return the model cut at the last convolution before each output, and its new outputs.

    What follows there (upsampling, argmax, absolute value) is gone.

    :raises MissingDependencyError: if onnx is not installed
    :raises NotMeasuredError: if no convolution leads to an output
    """
    try:
        import onnx
    except ImportError as err:
        raise MissingDependencyError(
            "Cutting a model file needs onnx: pip install 'hydranet_ros[train]'."
        ) from err
    loaded = onnx.load_from_string(model)
    makers = {name: node for node in loaded.graph.node for name in node.output}
    heads = sorted({_last_convolution(makers, name) for name in outputs})
    del loaded.graph.output[:]
    loaded.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in heads
    )
    return prune(loaded.SerializeToString(), heads), tuple(heads)


def _last_convolution(makers: dict, output: str) -> str:
    """Return what the nearest convolution before an output makes, breadth first."""
    waiting, seen = [output], {output}
    for name in waiting:
        node = makers.get(name)
        if node is None:
            continue
        if node.op_type == 'Conv':
            return str(name)
        waiting += [item for item in node.input if item not in seen]
        seen.update(node.input)
    raise NotMeasuredError(f'No convolution leads to {output!r}: the file is no network of ours.')
