"""``hydranet train``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options


def command(
    config: Annotated[Path, typer.Argument(help='Training recipe (config/train/*.yaml).')],
    output: Annotated[Path, typer.Option('-o', '--output', help='Folder of the run.')],
    data: options.DataOption = [],  # noqa: B006 (typer copies it)
    resume: Annotated[bool, typer.Option(help='Continue the run in the folder.')] = False,
    init: Annotated[
        options.OptionalPath, typer.Option(help='Checkpoint with the initial weights.')
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0, help='Stop after this time, minutes; 0: no limit.')
    ] = 0,
    accelerator: Annotated[
        str, typer.Option(help="Lightning's accelerator: auto, cpu, gpu, ...")
    ] = 'auto',
    devices: Annotated[int, typer.Option(min=1, help='Number of devices per machine.')] = 1,
    nodes: Annotated[int, typer.Option(min=1, help='Number of machines.')] = 1,
    precision: Annotated[
        str, typer.Option(help="Lightning's precision; default: that of the recipe.")
    ] = '',
) -> None:  # fmt: skip
    """Train a network. The option --resume continues a stopped run."""
    roots = options.parse_roots(data)
    from hydranet_ros.training.train import Hardware, train

    print(train(
        config, output, roots=roots, resume=resume, init_from=init,
        max_time=timedelta(minutes=minutes) if minutes else None,
        hardware=Hardware(accelerator, devices, nodes, precision),
    ))  # fmt: skip
