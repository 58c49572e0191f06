"""Find the model file of a preset, by name or by path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydranet_ros.errors import ModelNotFoundError
from hydranet_ros.model_files.forms import sibling
from hydranet_ros.model_files.preset import ModelChoice, Preset
from hydranet_ros.resources import share_directory, user_model_directory


@dataclass(frozen=True)
class ChosenModel:
    """
    The model file to run.

    :param warnings: messages for the user, one sentence each.
    """

    path: Path
    warnings: tuple[str, ...] = ()


def choose_model(preset: str, *, domain: str = '', model: str = '') -> ChosenModel:
    """
    Return the model file of a preset.

    If it is missing, the model of the fallback preset is returned, with a warning.

    :param domain: domain of a preset with several models; by default the preset's.
    :param model: a path or name to use instead, see :func:`find_model`.
    :raises ModelNotFoundError: with the command that creates the file.
    :raises PresetError: if the preset or the domain does not exist.
    """
    if model:
        return ChosenModel(find_model(model))
    loaded = Preset.load(preset)
    choice = loaded.model(domain)
    try:
        return ChosenModel(find_model(choice.file))
    except ModelNotFoundError as err:
        if not loaded.fallback:
            raise ModelNotFoundError(f'{err} {_remedy(loaded, choice)}') from err
        return _fall_back(loaded, choice, str(err))


def find_model(name: str) -> Path:
    """
    Return the path of a model file given by path or by name.

    A name with a folder in it is a path. A bare NAME.onnx is looked up in the working folder, then
    in :func:`model_directories` as NAME.onnx and as NAME/NAME.onnx. The other forms of a model,
    such as NAME.cpu.onnx, are in the same folder.

    :raises ModelNotFoundError: with the paths that were searched.
    """
    given = Path(name).expanduser()
    candidates = [given]
    if given.parent == Path('.') and not given.is_absolute():
        candidates += [
            folder / part / given.name
            for folder in model_directories()
            for part in ('', sibling(given, 'portable').stem)
        ]
    for path in candidates:
        if path.is_file():
            return path.resolve()
    searched = ', '.join(map(str, candidates))
    raise ModelNotFoundError(f'Model file {name!r} was not found; searched: {searched}.')


def model_directories() -> tuple[Path, ...]:
    """Return the folders of model files; the first match wins."""
    return (user_model_directory(), share_directory() / 'models')


def _fall_back(preset: Preset, choice: ModelChoice, missing: str) -> ChosenModel:
    try:
        path = find_model(Preset.load(preset.fallback).model().file)
    except ModelNotFoundError as err:
        raise ModelNotFoundError(
            f'{missing} The model of the fallback preset {preset.fallback!r} is missing too. '
            f'{_remedy(preset, choice)}'
        ) from err
    warning = (
        f'The model {choice.file} of preset {preset.name!r} is missing. {path.name} of preset '
        f'{preset.fallback!r} is used instead, with the same classes but lower accuracy. '
        f'{_remedy(preset, choice)}'
    )
    return ChosenModel(path, (warning,))


def _remedy(preset: Preset, choice: ModelChoice) -> str:
    if choice.weights:
        return f'Get it with: hydranet weights pull {choice.weights}'
    return f'Export it with: hydranet export CHECKPOINT --preset {preset.name} -o {choice.file}'
