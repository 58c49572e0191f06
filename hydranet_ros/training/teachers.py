"""
Teachers: networks that say what a data set does not.

Three kinds behind one interface: a checkpoint run by PyTorch, a model file of ours run by the
engine that the node uses, and any other ONNX model with a description
(:mod:`hydranet_ros.training.onnx_teacher`). Labels are hard, as in the paper: a teacher's
probabilities only serve to merge several looks and to leave out what it is unsure of.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import TrainingError
from hydranet_ros.files import sha256_of
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.providers import open_session
from hydranet_ros.model_files.metadata import METADATA_KEY, ClassInfo
from hydranet_ros.model_files.preset import Preset
from hydranet_ros.network.checkpoints import load_checkpoint
from hydranet_ros.network.hydranet import MEAN, STD
from hydranet_ros.training.losses import resize_to
from hydranet_ros.training.onnx_teacher import ForeignNetwork, load_description

TASKS = ('labels', 'depth')
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opinion:
    """
    What a teacher says of one image, on the grid it was asked for.

    :param probabilities: (C, h, w) float32, of the teacher's own classes, where it gives them.
    :param labels: (h, w) uint8, the teacher's own class ids, where it gives no more.
    :param confidence: (h, w) float32 0..1, of ``labels``.
    :param depth: (h, w) float32 metres, as the teacher's training camera would see what the
        network was fed; NaN or not positive where it has none.
    """

    probabilities: NDArray[np.float32] | None = None
    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    depth: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TeacherFacts:
    """
    What is known of a teacher before it is asked.

    :param tasks: subset of ``labels``, ``depth``.
    :param classes: its own classes in the order of their ids; empty where they are not known.
    :param table: class table its classes come from, where it is one of ours.
    :param focal_length: pixels, of the camera its depth scale was learnt with, at the size the
        network is fed; 0 where unknown.
    :param details: how its file is understood, in JSON's own types.
    """

    file: str
    sha256: str
    tasks: frozenset[str]
    classes: tuple[str, ...] = ()
    table: tuple[ClassInfo, ...] = ()
    focal_length: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


class Teacher(ABC):
    """One network; see :func:`open_teacher`."""

    facts: TeacherFacts

    @abstractmethod
    def look(self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]) -> Opinion:
        """
        Return the teacher's opinion of one image.

        :param image: (H, W, 3) uint8 RGB.
        :param size: (h, w) of the answer.
        :param tasks: what to answer; subset of ``facts.tasks``.
        """

    def zoom(self, size: tuple[int, int]) -> float:
        """Return how much larger than an image of (height, width) the network's own input is."""
        return 1.0

    def close(self) -> None:  # noqa: B027, most teachers hold nothing
        """Free what the teacher holds."""


class CheckpointTeacher(Teacher):
    """
    A checkpoint of any layout that :mod:`hydranet_ros.network.checkpoints` reads.

    :param preset: whose classes and training camera the checkpoint has; a checkpoint does not
        say them itself.
    :raises CheckpointError: if the file is no checkpoint.
    :raises TrainingError: if its classes are not those of the preset.
    """

    def __init__(self, path: Path, preset: str, domain: str = '') -> None:
        facts = Preset.load(preset).model(domain).export
        source = load_checkpoint(path)
        tasks = {'segmentation': 'labels', 'depth': 'depth'}
        found = frozenset(tasks[task] for task in source.config.tasks if task in tasks)
        first, last = facts.class_slice or (0, len(facts.classes))
        exact = facts.class_slice is not None or source.config.num_classes == last
        if 'labels' in found and (source.config.num_classes < last or not exact):
            raise TrainingError(
                f'{path} has {source.config.num_classes} classes, preset {preset!r} '
                f'{len(facts.classes)} (channels {first}..{last - 1}). Name the preset that '
                'belongs to the checkpoint: --preset NAME.'
            )
        self._slice = (first, last)
        self._device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        network = source.network().to(self._device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._offset = torch.tensor(MEAN, device=self._device).view(1, 3, 1, 1)
        self._factor = 1 / torch.tensor(STD, device=self._device).view(1, 3, 1, 1)
        self.facts = TeacherFacts(
            path.name, sha256_of(path), found, tuple(item.name for item in facts.classes),
            facts.classes, facts.focal_length, {'preset': preset, 'domain': domain},
        )  # fmt: skip

    @torch.no_grad()
    def look(self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]) -> Opinion:
        """Return probabilities and depth; logits are resized before the softmax, as in export."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self._device)
        scaled = (pixels.permute(2, 0, 1)[None].float() / 255 - self._offset) * self._factor
        outputs = self._network(scaled.contiguous(memory_format=torch.channels_last))
        probabilities = depth = None
        if 'labels' in tasks:
            logits = outputs['segmentation'][:, self._slice[0] : self._slice[1]]
            probabilities = resize_to(logits, size)[0].softmax(0).cpu().numpy()
        if 'depth' in tasks:
            depth = resize_to(outputs['depth'], size)[0, 0].abs().cpu().numpy()
        return Opinion(probabilities, depth=depth)


class EngineTeacher(Teacher):
    """
    A model file that ``hydranet export`` wrote: it knows its classes and its camera.

    :raises ModelError: if the file is missing or damaged.
    """

    def __init__(self, path: Path, provider: str = 'auto') -> None:
        self._engine = Engine(path, EngineOptions(provider=provider))
        _warn(self._engine.warnings)
        info = self._engine.info
        self.facts = TeacherFacts(
            path.name, sha256_of(path), frozenset(TASKS) & self._engine.outputs,
            tuple(item.name for item in info.classes), info.classes, info.training_focal_length,
        )  # fmt: skip

    def look(self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]) -> Opinion:
        """Return labels with their confidence, and depth."""
        wanted = frozenset(tasks) | ({'confidence'} if 'labels' in tasks else frozenset())
        found = self._engine.infer(np.ascontiguousarray(image), wanted)
        labels = confidence = depth = None
        if found.labels is not None:
            labels = pick(found.labels, size)
            confidence = np.ones(size, np.float32)
            if found.confidence is not None:
                confidence = (pick(found.confidence, size) / 255).astype(np.float32)
        if found.depth is not None:
            depth = stretch(found.depth, size)
        return Opinion(labels=labels, confidence=confidence, depth=depth)

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()


class ForeignTeacher(Teacher):
    """
    Any ONNX model that labels or measures images, described by a YAML file.

    :raises TrainingError: if description and model disagree.
    """

    def __init__(self, path: Path, session: Any, description: Path) -> None:
        self._network = ForeignNetwork(session, load_description(description), str(path))
        about = self._network.about
        tasks = {'labels': about.labels, 'depth': about.depth}
        self.facts = TeacherFacts(
            path.name, sha256_of(path),
            frozenset(name for name, output in tasks.items() if output is not None),
            about.labels.classes if about.labels else (),
            focal_length=about.depth.focal_length if about.depth else 0.0, details=asdict(about),
        )  # fmt: skip

    def look(self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]) -> Opinion:
        """Return what the description says the model gives."""
        return Opinion(**self._network.answer(image, size, tasks))

    def zoom(self, size: tuple[int, int]) -> float:
        """Return the enlargement of an image of (height, width) before the network sees it."""
        return self._network.zoom(size)


def open_teacher(
    path: Path,
    *,
    preset: str = 'street',
    domain: str = '',
    description: Path | None = None,
    provider: str = 'auto',
) -> Teacher:
    """
    Open a teacher by what its file is.

    :param preset: of a checkpoint, with ``domain`` where the preset has several.
    :param description: of an ONNX model that is not ours; default: the ``.yaml`` beside it.
    :raises TrainingError: if the model needs a description and has none.
    """
    if not path.is_file():
        raise TrainingError(
            f'Teacher {path} does not exist; expected a checkpoint (.ckpt) or a model (.onnx).'
        )
    if path.suffix != '.onnx':
        return CheckpointTeacher(path, preset, domain)
    model = path.read_bytes()
    # On the CPU: another provider may spend minutes on building its engine.
    known = open_session(model, path, EngineOptions(provider='cpu')).session.get_modelmeta()
    if description is None and METADATA_KEY in known.custom_metadata_map:
        return EngineTeacher(path, provider)
    beside = description or path.with_suffix('.yaml')
    if not beside.is_file():
        raise TrainingError(
            f'{path} does not say what it takes and gives, and {beside} does not exist. Describe '
            'the model there (docs/distillation.md, "Any ONNX model") or name a file with '
            '--describe FILE.'
        )
    opened = open_session(model, path, EngineOptions(provider=provider))
    _warn(opened.warnings)
    return ForeignTeacher(path, opened.session, beside)


def _warn(texts: Iterable[str]) -> None:
    for text in texts:
        logger.warning(text)


def pick(array: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring (H, W) to ``size`` by picking the nearest pixels; always a copy."""
    tensor = torch.from_numpy(array)[None, None].float()
    nearest = torch.nn.functional.interpolate(tensor, size=size, mode='nearest-exact')
    return nearest[0, 0].byte().numpy()


def stretch(array: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Bring (H, W) to ``size`` bilinearly; always a copy."""
    return resize_to(torch.from_numpy(array)[None, None], size)[0, 0].numpy().copy()
