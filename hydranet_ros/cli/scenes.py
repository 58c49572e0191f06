"""``hydranet scenes``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options

_DEFAULT_SIZES = {'rooms': '640x480'}
_DEFAULT_SIZE = '480x288'


def command(
    output: Annotated[Path, typer.Argument(help='Folder of the data set, or of the bag.')],
    count: Annotated[int, typer.Option(min=1, help='Number of frames.')] = 100,
    seed: Annotated[
        int, typer.Option(help='Random seed; the same seed gives the same files.')
    ] = 1,
    size: Annotated[
        str,
        typer.Option(
            metavar='WIDTHxHEIGHT',
            help=f'Size of the images; default: {_DEFAULT_SIZE}, rooms {_DEFAULT_SIZES["rooms"]}.',
        ),
    ] = '',
    kind: Annotated[str, typer.Option(help='streets, old_town or rooms.')] = 'streets',
    bag: Annotated[
        bool, typer.Option(help='Write a drive or a walk as a rosbag2 instead of a data set.')
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help='Number of processes.')] = 1,
) -> None:  # fmt: skip
    """Render streets or rooms with labels and depth. Needs the package hydranet_scenes."""
    pixels = options.parse_size(size or _DEFAULT_SIZES.get(kind, _DEFAULT_SIZE))
    if bag:
        from hydranet_scenes.bag import write_drive

        print(write_drive(output, frames=count, seed=seed, size=pixels, kind=kind))
    else:
        from hydranet_scenes.dataset import render_dataset

        print(render_dataset(
            output, count=count, seed=seed, size=pixels, workers=workers, kind=kind
        ))  # fmt: skip
