"""Check that a checkpoint fits a preset."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hydranet_ros.errors import CheckpointError
from hydranet_ros.model_files.preset import ExportFacts
from hydranet_ros.network.checkpoints import Checkpoint


def require_fit(
    checkpoint: Checkpoint, path: Path, facts: ExportFacts, preset: str,
    tasks: Collection[str] = (),
) -> None:  # fmt: skip
    """
    Check that a checkpoint has the classes of a preset, and the given tasks.

    The checkpoint needs exactly as many classes as the preset or, where the preset uses a slice
    of the channels, at least the last channel of it. Without segmentation, classes do not matter.

    :param path: the checkpoint's file, for the message.
    :param facts: export facts of the preset's model.
    :param preset: the preset's name, for the message.
    :param tasks: tasks that the checkpoint must have.
    :raises CheckpointError: if it does not fit.
    """
    has = checkpoint.config
    needed = facts.class_slice[1] if facts.class_slice else len(facts.classes)
    enough = has.num_classes >= needed if facts.class_slice else has.num_classes == needed
    if set(tasks) <= set(has.tasks) and (enough or 'segmentation' not in has.tasks):
        return
    needs = [*tasks, f'{"at least " if facts.class_slice else ""}{needed} classes']
    raise CheckpointError(
        f'{path} has {", ".join(has.tasks)} and {has.num_classes} classes; preset {preset!r} '
        f'needs {", ".join(needs)}. Choose the preset that belongs to the checkpoint: '
        '--preset NAME.'
    )
