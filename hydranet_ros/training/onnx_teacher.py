"""
Networks of others: any ONNX model of images, described by a YAML file.

The description says what the model is fed and what its outputs mean; ``docs/distillation.md``
shows one. Nothing of it is guessed but the name of an only output.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from hydranet_ros.errors import ModelError, TrainingError
from hydranet_ros.inference.providers import first_line
from hydranet_ros.training.losses import resize_to

LAYOUTS = ('NCHW', 'NHWC')
_TYPES = {
    'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(uint8)': np.uint8,
}  # fmt: skip


@dataclass(frozen=True)
class InputDescription:
    """
    What the model is fed.

    :param range: what 0 and 255 become, before mean and deviation; not for a model of uint8.
    :param size: (height, width) that every image is stretched to, ``None`` for its own.
    :param multiple: the image's sides are padded to multiples of this with its border.
    """

    layout: str = 'NCHW'
    channels: str = 'RGB'
    range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    size: tuple[int, int] | None = None
    multiple: int = 1


@dataclass(frozen=True)
class LabelsDescription:
    """
    An output with classes.

    :param output: name, empty for the only one.
    :param kind: ``logits``, ``probabilities`` or ``ids``.
    :param classes: names in the order of the channels, or ids; may be left out.
    """

    output: str = ''
    kind: str = 'logits'
    layout: str = 'NCHW'
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DepthDescription:
    """
    An output with depth.

    :param kind: metres are ``scale * x + shift`` for ``depth``, ``scale / (x + shift)`` for
        ``inverse`` (disparity too), ``scale * exp(x) + shift`` for ``log``.
    :param focal_length: pixels, of the training camera, at the size the network is fed; 0 where
        unknown: depth is then taken as it comes, whatever the camera.
    """

    output: str = ''
    kind: str = 'depth'
    scale: float = 1.0
    shift: float = 0.0
    focal_length: float = 0.0


@dataclass(frozen=True)
class Description:
    """A described model; at least one of ``labels``, ``depth``."""

    input: InputDescription = field(default_factory=InputDescription)
    labels: LabelsDescription | None = None
    depth: DepthDescription | None = None


_ALLOWED = {
    'layout': LAYOUTS, 'channels': ('RGB', 'BGR'),
    'labels.kind': ('logits', 'probabilities', 'ids'), 'depth.kind': ('depth', 'inverse', 'log'),
}  # fmt: skip


def load_description(path: Path) -> Description:
    """
    Read the description of a model.

    :raises TrainingError: naming the file, the key and what is allowed.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise TrainingError(f'{path} cannot be read as YAML: {err}') from err
    parts = {'input': InputDescription, 'labels': LabelsDescription, 'depth': DepthDescription}
    if not isinstance(raw, dict) or set(raw) - set(parts) or not {'labels', 'depth'} & set(raw):
        raise TrainingError(
            f'{path}: got {raw!r}; expected a mapping with labels, depth or both, and input.'
        )
    return Description(**{key: _part(parts[key], value, key, path) for key, value in raw.items()})


def _part(kind: type, raw: Any, name: str, path: Path) -> Any:
    known = {item.name: item for item in dataclasses.fields(kind)}
    if not isinstance(raw, dict) or set(raw) - set(known):
        raise TrainingError(
            f'{path}: {name} is {raw!r}; expected a mapping with any of {sorted(known)}.'
        )
    values = {key: tuple(value) if isinstance(value, list) else value
              for key, value in raw.items()}  # fmt: skip
    for key, value in values.items():
        allowed = _ALLOWED.get(key, _ALLOWED.get(f'{name}.{key}'))
        if allowed and value not in allowed:
            raise TrainingError(
                f'{path}: {name}.{key} is {value!r}; allowed: {", ".join(allowed)}.'
            )
        _check_shape(known[key].default, value, f'{path}: {name}.{key}')
    return kind(**values)


def _check_shape(default: Any, value: Any, where: str) -> None:
    """Refuse numbers where there should be lists, lists of another length, and texts."""
    if where.endswith('.size'):
        good = value is None or _numbers(value, 2)
    elif isinstance(default, tuple):
        good = _numbers(value, len(default)) if default else isinstance(value, tuple)
    elif isinstance(default, (int, float)):
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        good = isinstance(value, str)
    if not good or (where.endswith('.multiple') and value < 1):
        raise TrainingError(f'{where} is {value!r}; expected something like {default!r}.')


def _numbers(value: Any, count: int) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == count
        and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value)
    )


class ForeignNetwork:
    """
    A session and what it means.

    :param session: ``onnxruntime.InferenceSession``.
    :param source: name of the file, for messages.
    :raises TrainingError: if the description names what the model does not have.
    """

    def __init__(self, session: Any, about: Description, source: str) -> None:
        self.about = about
        self._session = session
        self._source = source
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            raise TrainingError(
                f'{source} takes {[(item.name, item.type) for item in inputs]}; expected one '
                f'image of {sorted(_TYPES)}.'
            )
        self._input = inputs[0].name
        self._type = _TYPES[inputs[0].type]
        self._outputs = {
            name: self._output_of(name, part.output)
            for name, part in (('labels', about.labels), ('depth', about.depth))
            if part is not None
        }

    def _output_of(self, task: str, name: str) -> str:
        known = [item.name for item in self._session.get_outputs()]
        if not name and len(known) == 1:
            return known[0]
        if name not in known:
            raise TrainingError(
                f'{self._source} has the outputs {known}, none is {name!r}; name one of them '
                f'under {task}.output.'
            )
        return name

    def zoom(self, size: tuple[int, int]) -> float:
        """
        Return the network's input width by the image's, with both axes taken evenly.

        :param size: (height, width) of the image.
        """
        fixed = self.about.input.size
        return 1.0 if fixed is None else (fixed[0] * fixed[1] / (size[0] * size[1])) ** 0.5

    def answer(
        self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]
    ) -> dict[str, NDArray]:
        """
        Return the fields of an :class:`~hydranet_ros.training.teachers.Opinion`.

        :param image: (H, W, 3) uint8 RGB.
        :param size: (h, w) of the answer.
        :raises ModelError: if the model cannot run on it, or its output has another shape.
        """
        fed, used = self._prepare(image)
        names = [self._outputs[task] for task in sorted(tasks)]
        try:
            arrays = dict(zip(names, self._session.run(names, {self._input: fed})))
        except Exception as err:
            raise ModelError(
                f'{self._source} failed on an input {fed.shape} of {fed.dtype}: '
                f'{first_line(err)}. Compare it with input in its description.'
            ) from err
        grid = _Grid(self._fed_size(fed), used, size)
        found: dict[str, NDArray] = {}
        if 'labels' in tasks:
            found |= self._labels(arrays[self._outputs['labels']], grid)
        if 'depth' in tasks:
            found |= {'depth': self._depth(arrays[self._outputs['depth']], grid)}
        return found

    def _prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray, tuple[int, int]]:
        """Return the network's input, and which (height, width) of it are image."""
        about = self.about.input
        if about.size is not None:
            image = resize_image(image, (int(about.size[0]), int(about.size[1])))
        used = image.shape[:2]
        pad = [-side % about.multiple for side in used]
        if any(pad):
            image = cv2.copyMakeBorder(image, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
        if about.channels == 'BGR':
            image = image[..., ::-1]
        fed: NDArray = image
        if self._type is not np.uint8:
            low, high = about.range
            unit = image.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
            fed = (unit - np.array(about.mean, np.float32)) / np.array(about.std, np.float32)
        fed = fed[None] if about.layout == 'NHWC' else fed.transpose(2, 0, 1)[None]
        return np.ascontiguousarray(fed, self._type), (used[0], used[1])

    def _fed_size(self, fed: NDArray) -> tuple[int, int]:
        rows = 1 if self.about.input.layout == 'NHWC' else 2
        return fed.shape[rows], fed.shape[rows + 1]

    def _labels(self, array: NDArray, grid: _Grid) -> dict[str, NDArray]:
        about = self.about.labels
        assert about is not None
        if about.kind == 'ids':
            ids = self._plane(array, 'labels')
            if ids.min() < 0 or ids.max() > 255:
                raise ModelError(
                    f'{self._source} gives class ids {ids.min()}..{ids.max()}; allowed: 0..255.'
                )
            tensor = torch.from_numpy(ids.astype(np.float32))[None, None]
            labels = grid.pick(tensor)[0, 0].byte().numpy()
            return {'labels': labels, 'confidence': np.ones(labels.shape, np.float32)}
        if array.ndim != 4:
            raise ModelError(
                f'{self._source}: its labels have the shape {array.shape}; expected '
                f'{about.layout} for {about.kind}.'
            )
        if about.layout == 'NHWC':
            array = array.transpose(0, 3, 1, 2)
        if about.classes and array.shape[1] != len(about.classes):
            raise ModelError(
                f'{self._source} gives {array.shape[1]} classes; its description names '
                f'{len(about.classes)}.'
            )
        tensor = grid.stretch(torch.from_numpy(np.ascontiguousarray(array, np.float32)))[0]
        return {'probabilities': (tensor.softmax(0) if about.kind == 'logits' else tensor).numpy()}

    def _depth(self, array: NDArray, grid: _Grid) -> NDArray[np.float32]:
        about = self.about.depth
        assert about is not None
        raw = self._plane(array, 'depth').astype(np.float32)
        x = grid.stretch(torch.from_numpy(raw)[None, None])[0, 0].numpy()
        with np.errstate(divide='ignore', over='ignore'):
            if about.kind == 'inverse':
                metres = about.scale / (x + about.shift)
            else:
                value = np.exp(x) if about.kind == 'log' else x
                metres = about.scale * value + about.shift
        return np.where(np.isfinite(metres), metres, 0).astype(np.float32)

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
    """From a network's output, at any stride, to the grid that was asked for."""

    fed: tuple[int, int]
    used: tuple[int, int]
    size: tuple[int, int]

    def stretch(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring (1, C, h, w) to the grid bilinearly."""
        if self.fed != self.used:
            tensor = resize_to(tensor, self.fed)[..., : self.used[0], : self.used[1]]
        return resize_to(tensor, self.size)

    def pick(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring (1, C, h, w) to the grid by picking the nearest pixels."""
        nearest = torch.nn.functional.interpolate
        if self.fed != self.used:
            tensor = nearest(tensor, size=self.fed, mode='nearest-exact')
            tensor = tensor[..., : self.used[0], : self.used[1]]
        return nearest(tensor, size=self.size, mode='nearest-exact')


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring (H, W, 3) to (height, width), averaging where it shrinks."""
    if image.shape[:2] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size[1], size[0]), interpolation=how)
