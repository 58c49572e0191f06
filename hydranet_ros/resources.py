"""
Where the package's own files are: presets, profiles, models.

The same code runs from a source checkout, from a pip installation and from a colcon install
space. rclpy's wheels set no ``AMENT_PREFIX_PATH``, so the share folder is found without it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

from hydranet_ros.errors import ModelNotFoundError, PresetError

PACKAGE = 'hydranet_ros'
MODELS_VARIABLE = 'HYDRANET_MODELS'


@lru_cache(maxsize=1)
def share_directory() -> Path:
    """
    Return the folder that holds ``config/``, ``launch/`` and ``models/``.

    :raises PresetError: if no candidate folder holds ``config/``.
    """
    checked = list(_share_candidates())
    for folder in checked:
        if (folder / 'config' / 'kitti.yaml').is_file():
            return folder
    places = ', '.join(str(folder) for folder in checked)
    raise PresetError(
        f'The share folder of {PACKAGE} was not found in: {places}. '
        'Install the package again (pip install . or colcon build).'
    )


def _share_candidates() -> list[Path]:
    relative = Path('share') / PACKAGE
    package_root = Path(__file__).resolve().parent.parent
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    prefixes += [Path(sysconfig.get_path('data')), Path(sys.prefix)]
    prefixes += [parent for parent in Path(__file__).resolve().parents if parent.name]
    return [package_root, *(prefix / relative for prefix in prefixes)]


def config_file(name: str) -> Path:
    """Return the path of ``config/<name>``, which may not exist."""
    return share_directory() / 'config' / name


def user_model_directory() -> Path:
    """
    Return the folder where downloaded and converted models are kept.

    ``$HYDRANET_MODELS`` if set, else ``$XDG_DATA_HOME/hydranet_ros/models`` (default
    ``~/.local/share``). It is not created.
    """
    override = os.environ.get(MODELS_VARIABLE)
    if override:
        return Path(override)
    data_home = os.environ.get('XDG_DATA_HOME') or str(Path.home() / '.local' / 'share')
    return Path(data_home) / PACKAGE / 'models'


def model_directories() -> tuple[Path, ...]:
    """Return the folders searched for a model file by name, first match wins."""
    return (user_model_directory(), share_directory() / 'models')


def find_model(name: str) -> Path:
    """
    Return the path of a model file given by path or by name.

    A name with a folder in it is taken as a path; a bare NAME.onnx is looked up in the working
    folder, then in :func:`model_directories` as NAME.onnx and as NAME/NAME.onnx.

    :raises ModelNotFoundError: with the places that were searched.
    """
    given = Path(name).expanduser()
    places = [given]
    if given.parent == Path('.') and not given.is_absolute():
        places += [
            folder / part / given.name
            for folder in model_directories()
            for part in ('', given.stem)
        ]
    for place in places:
        if place.is_file():
            return place.resolve()
    searched = ', '.join(str(place) for place in places)
    raise ModelNotFoundError(f'Model file {name!r} was not found; searched: {searched}.')
