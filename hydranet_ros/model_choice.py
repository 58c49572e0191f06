"""From a preset to the model file that runs, with the line that cures a missing one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydranet_ros.errors import ModelNotFoundError
from hydranet_ros.preset import ModelChoice, Preset
from hydranet_ros.resources import find_model


@dataclass(frozen=True)
class ChosenModel:
    """
    The file to run.

    :param warnings: what the user should know, one sentence each.
    """

    path: Path
    warnings: tuple[str, ...] = ()


def choose_model(preset: str, *, domain: str = '', model: str = '') -> ChosenModel:
    """
    Return the model file of a preset.

    :param model: a path or name that the user wants instead.
    :raises ModelNotFoundError: with the command that brings the file.
    :raises PresetError: if the preset or the domain does not exist.
    """
    if model:
        return ChosenModel(find_model(model))
    loaded = Preset.load(preset)
    choice = loaded.model(domain)
    try:
        return ChosenModel(find_model(choice.file))
    except ModelNotFoundError as err:
        missing = f'{err} {_cure(loaded, choice)}'
        if not loaded.fallback:
            raise ModelNotFoundError(missing) from err
    path = find_model(Preset.load(loaded.fallback).model().file)
    return ChosenModel(
        path,
        (
            f'The model {choice.file} of preset {loaded.name!r} is not there; {path.name} of '
            f'preset {loaded.fallback!r} runs instead, with the same classes but less accuracy. '
            f'{_cure(loaded, choice)}',
        ),
    )


def _cure(preset: Preset, choice: ModelChoice) -> str:
    if choice.weights:
        return f'Get it with: hydranet weights pull {choice.weights}'
    return f'Write it with: hydranet export CHECKPOINT --preset {preset.name} -o {choice.file}'
