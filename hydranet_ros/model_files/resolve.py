"""From a preset to the model file that runs, with the line that cures a missing one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydranet_ros.errors import ModelNotFoundError
from hydranet_ros.model_files.preset import ModelChoice, Preset
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
    return _fall_back(loaded, choice, missing)


def _fall_back(preset: Preset, choice: ModelChoice, missing: str) -> ChosenModel:
    try:
        path = find_model(Preset.load(preset.fallback).model().file)
    except ModelNotFoundError as err:
        raise ModelNotFoundError(
            f'{missing} Its stand-in, preset {preset.fallback!r}, has no model file either.'
        ) from err
    warning = (
        f'The model {choice.file} of preset {preset.name!r} is not there; {path.name} of preset '
        f'{preset.fallback!r} runs instead, with the same classes but less accuracy. '
        f'{_cure(preset, choice)}'
    )
    return ChosenModel(path, (warning,))


def _cure(preset: Preset, choice: ModelChoice) -> str:
    if choice.weights:
        return f'Get it with: hydranet weights pull {choice.weights}'
    return f'Write it with: hydranet export CHECKPOINT --preset {preset.name} -o {choice.file}'
