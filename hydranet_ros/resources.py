"""
Folders of the package: configuration, launch files, models and caches.

The same code runs from a source checkout, from a pip installation and from a colcon install
space. rclpy's wheels set no ``AMENT_PREFIX_PATH``, so the share folder is found without it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

import platformdirs

from hydranet_ros.errors import PresetError

PACKAGE = 'hydranet_ros'
MODELS_VARIABLE = 'HYDRANET_MODELS'


@lru_cache(maxsize=1)
def share_directory() -> Path:
    """
    Return the folder of ``config/``, ``launch/`` and ``models/``.

    :raises PresetError: if no candidate has a ``config/`` of this package.
    """
    candidates = _share_candidates()
    for folder in candidates:
        if (folder / 'config' / 'kitti.yaml').is_file():
            return folder
    searched = ', '.join(map(str, candidates))
    raise PresetError(
        f'The share folder of {PACKAGE} was not found; searched: {searched}. Install the package '
        'again with pip install or colcon build.'
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
    Return the folder for downloaded and exported models; it may not exist.

    ``$HYDRANET_MODELS`` if it is set, else ``models/`` in the user's data folder: on Linux
    ``$XDG_DATA_HOME/hydranet_ros``, by default ``~/.local/share/hydranet_ros``.
    """
    override = os.environ.get(MODELS_VARIABLE)
    if override:
        return Path(override)
    return platformdirs.user_data_path(PACKAGE, appauthor=False) / 'models'


def user_cache_directory() -> Path:
    """
    Return the folder for caches; it may not exist.

    On Linux it is ``$XDG_CACHE_HOME/hydranet_ros``, by default ``~/.cache/hydranet_ros``.
    """
    return platformdirs.user_cache_path(PACKAGE, appauthor=False)
