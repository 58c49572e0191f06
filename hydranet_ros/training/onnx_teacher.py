"""
Any ONNX model as a teacher, described by a YAML file.

The description defines the input and the meaning of the outputs; ``docs/distillation.md`` shows
one. Nothing is guessed, except the name of an output if there is only one.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import ModelError, TrainingError
from hydranet_ros.inference.onnx_session import first_line
from hydranet_ros.model_files.yaml_config import load_yaml
from hydranet_ros.training.losses import resize_to
from hydranet_ros.training.resizing import resize_image, resize_nearest

_TYPES = {
    'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(uint8)': np.uint8,
}  # fmt: skip


@dataclass(frozen=True)
class InputDescription:
    """
    The input of the model.

    :param layout: of the input, and of labels with channels.
    :param mean: subtracted from pixels of 0..1; unused for a uint8 input.
    :param std: divides the difference.
    :param size: (height, width) to which every image is resized; ``None`` for its own.
    :param multiple: the border is replicated until both sides are multiples of this.
    """

    layout: Literal['NCHW', 'NHWC'] = 'NCHW'
    channels: Literal['RGB', 'BGR'] = 'RGB'
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    size: tuple[int, int] | None = None
    multiple: int = 1

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise TrainingError(f'multiple is {self.multiple}; allowed: 1 or more.')
        if self.size is not None and min(self.size) < 1:
            raise TrainingError(f'size is {self.size}; allowed: 1 or more.')
        if not all(self.std):
            raise TrainingError(f'std is {self.std}; allowed: all but 0.')


@dataclass(frozen=True)
class LabelsDescription:
    """
    An output with classes, at any stride.

    :param output: its name; empty if the model has one output.
    :param classes: names in the order of the channels or ids; may be empty.
    """

    output: str = ''
    kind: Literal['logits', 'probabilities', 'ids'] = 'logits'
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DepthDescription:
    """
    An output with depth, at any stride.

    :param output: its name; empty if the model has one output.
    :param kind: meters are ``scale * x + shift`` for ``depth``, ``scale / (x + shift)`` for
        ``inverse``, which includes disparity.
    :param focal_length: pixels, of the training camera, at the size of the network's input; 0 if
        unknown, and depth is then used unchanged for any camera.
    """

    output: str = ''
    kind: Literal['depth', 'inverse'] = 'depth'
    scale: float = 1.0
    shift: float = 0.0
    focal_length: float = 0.0


@dataclass(frozen=True)
class Description:
    """A described model, with ``labels``, ``depth`` or both."""

    input: InputDescription = field(default_factory=InputDescription)
    labels: LabelsDescription | None = None
    depth: DepthDescription | None = None

    def __post_init__(self) -> None:
        if self.labels is None and self.depth is None:
            raise TrainingError('neither labels nor depth is described; expected one or both.')


def load_description(path: Path) -> Description:
    """
    Read the description of a model.

    :raises TrainingError: naming the file, the key and what is allowed.
    """
    return load_yaml(path, Description, error=TrainingError)


class OnnxNetwork:
    """
    A described session.

    :param session: ``onnxruntime.InferenceSession``.
    :param source: name of the file, for messages.
    :raises TrainingError: if the description names an output that the model lacks, or the model
        has another input than one image.
    """

    def __init__(self, session: Any, description: Description, source: str) -> None:
        self.description = description
        self._session = session
        self._source = source
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            raise TrainingError(
                f'{source} has the inputs {[(item.name, item.type) for item in inputs]}; expected '
                f'one image of {", ".join(sorted(_TYPES))}.'
            )
        self._input = inputs[0].name
        self._type = _TYPES[inputs[0].type]
        parts = {'labels': description.labels, 'depth': description.depth}
        self._outputs = {
            task: self._output_of(task, part.output) for task, part in parts.items() if part
        }

    def _output_of(self, task: str, name: str) -> str:
        known = [item.name for item in self._session.get_outputs()]
        if not name and len(known) == 1:
            return known[0]
        if name not in known:
            raise TrainingError(
                f'{self._source} has no output {name!r}; name one of {known} under {task}.output.'
            )
        return name

    def input_scale(self, size: tuple[int, int]) -> float:
        """
        Return the size of the network's input relative to the image, the mean of both axes.

        :param size: (height, width) of the image.
        """
        fixed = self.description.input.size
        return 1.0 if fixed is None else (fixed[0] * fixed[1] / (size[0] * size[1])) ** 0.5

    def predict(
        self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]
    ) -> dict[str, NDArray]:
        """
        Return the fields of a :class:`~hydranet_ros.training.teachers.TeacherPrediction`.

        :param image: (H, W, 3) uint8 RGB.
        :param size: (h, w) of the prediction.
        :raises ModelError: if the model cannot run on the image, or an output has another shape
            than described.
        """
        tensor, image_size = self._prepare(image)
        names = [self._outputs[task] for task in sorted(tasks)]
        try:
            arrays = dict(zip(names, self._session.run(names, {self._input: tensor})))
        except Exception as err:
            raise ModelError(
                f'{self._source} failed on an input {tensor.shape} of {tensor.dtype}: '
                f'{first_line(err)}. Compare it with input in the description.'
            ) from err
        grid = _Grid(self._input_size(tensor), image_size, size)
        prediction: dict[str, NDArray] = {}
        if 'labels' in tasks:
            prediction |= self._labels(arrays[self._outputs['labels']], grid)
        if 'depth' in tasks:
            prediction['depth'] = self._depth(arrays[self._outputs['depth']], grid)
        return prediction

    def _prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray, tuple[int, int]]:
        """Return the network's input, and the (height, width) of it without padding."""
        options = self.description.input
        if options.size is not None:
            image = resize_image(image, options.size)
        height, width = image.shape[:2]
        pad = [-side % options.multiple for side in (height, width)]
        if any(pad):
            image = cv2.copyMakeBorder(image, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
        if options.channels == 'BGR':
            image = image[..., ::-1]
        tensor: NDArray = image
        if self._type is not np.uint8:
            unit = image.astype(np.float32) * np.float32(1 / 255)
            mean, std = (np.array(row, np.float32) for row in (options.mean, options.std))
            tensor = (unit - mean) / std
        tensor = tensor[None] if options.layout == 'NHWC' else tensor.transpose(2, 0, 1)[None]
        return np.ascontiguousarray(tensor, self._type), (height, width)

    def _input_size(self, tensor: NDArray) -> tuple[int, int]:
        rows = 1 if self.description.input.layout == 'NHWC' else 2
        return tensor.shape[rows], tensor.shape[rows + 1]

    def _labels(self, array: NDArray, grid: _Grid) -> dict[str, NDArray]:
        labels = self.description.labels
        assert labels is not None
        if labels.kind == 'ids':
            return self._ids(array, grid)
        layout = self.description.input.layout
        if array.ndim != 4:
            raise ModelError(
                f'{self._source}: its labels have the shape {array.shape}; expected {layout} for '
                f'{labels.kind}.'
            )
        if layout == 'NHWC':
            array = array.transpose(0, 3, 1, 2)
        if labels.classes and array.shape[1] != len(labels.classes):
            raise ModelError(
                f'{self._source} has {array.shape[1]} classes; its description names '
                f'{len(labels.classes)}.'
            )
        maps = grid.resize(torch.from_numpy(np.ascontiguousarray(array, np.float32)))[0]
        return {'probabilities': (maps.softmax(0) if labels.kind == 'logits' else maps).numpy()}

    def _ids(self, array: NDArray, grid: _Grid) -> dict[str, NDArray]:
        ids = self._plane(array, 'labels')
        if ids.min() < 0 or ids.max() > 255:
            raise ModelError(
                f'{self._source} predicts class ids {ids.min()}..{ids.max()}; allowed: 0..255.'
            )
        maps = torch.from_numpy(ids.astype(np.float32))[None, None]
        found = grid.resize(maps, nearest=True)[0, 0].byte().numpy()
        return {'labels': found, 'confidence': np.ones(found.shape, np.float32)}

    def _depth(self, array: NDArray, grid: _Grid) -> NDArray[np.float32]:
        """Return (h, w) meters, 0 where they are not finite."""
        depth = self.description.depth
        assert depth is not None
        plane = self._plane(array, 'depth').astype(np.float32)
        x = grid.resize(torch.from_numpy(plane)[None, None])[0, 0].numpy()
        with np.errstate(divide='ignore', over='ignore'):
            if depth.kind == 'inverse':
                meters = depth.scale / (x + depth.shift)
            else:
                meters = depth.scale * x + depth.shift
        return np.where(np.isfinite(meters), meters, 0).astype(np.float32)

    def _plane(self, array: NDArray, task: str) -> NDArray:
        """Return (h, w) of an array with at most two axes longer than 1."""
        plane = array.reshape([side for side in array.shape if side > 1])
        if plane.ndim != 2:
            raise ModelError(
                f'{self._source}: its {task} have the shape {array.shape}; expected one channel.'
            )
        return plane


@dataclass(frozen=True)
class _Grid:
    """
    Resizes outputs of any stride to the requested size.

    :param input: (height, width) of the network's input.
    :param image: (height, width) of it without padding.
    :param size: (height, width) requested.
    """

    input: tuple[int, int]
    image: tuple[int, int]
    size: tuple[int, int]

    def resize(self, maps: torch.Tensor, *, nearest: bool = False) -> torch.Tensor:
        """Resize (1, C, h, w) maps, bilinearly or by the nearest pixels."""
        method = resize_nearest if nearest else resize_to
        if self.input != self.image:
            maps = method(maps, self.input)[..., : self.image[0], : self.image[1]]
        return method(maps, self.size)
