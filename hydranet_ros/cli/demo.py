"""``hydranet demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options


def command(
    output: options.OutputFolder = Path('demo'),
    frames: Annotated[
        int, typer.Option(min=0, help='Largest number of frames; 0: the whole bag.')
    ] = 0,
    preset: options.PresetOption = options.DEFAULT_PRESET,
    model: options.ModelOption = '',
    bag: Annotated[
        options.OptionalPath, typer.Option(help='rosbag2 to play; default: the included street.')
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, help='Factor on the original speed.')] = 1.0,
) -> None:
    """Play a recorded street through the node. Writes images, a video and a bag."""
    from hydranet_ros.ros.demo import run_demo

    run_demo(output, frames=frames, preset=preset, model=model, bag=bag, rate=rate)
