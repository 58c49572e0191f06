"""``hydranet bag``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS


def command(
    source: Annotated[Path, typer.Argument(help='rosbag2 folder with images.')],
    output: Annotated[
        Path, typer.Option('-o', '--output', help='New rosbag2 folder (mcap); must not exist.')
    ],
    preset: options.PresetOption = options.DEFAULT_PRESET,
    model: options.ModelOption = '',
    provider: options.ProviderOption = 'auto',
    precision: options.PrecisionOption = 'auto',
    device: options.DeviceOption = '',
    threads: options.ThreadsOption = 0,
    topic: Annotated[
        str, typer.Option(help='Image topic; default: the first one with a camera info.')
    ] = '',
    max_depth: options.MaxDepthOption = 0.0,
    min_confidence: options.MinConfidenceOption = 0.0,
    stride: options.StrideOption = 1,
    max_pixels: options.MaxPixelsOption = DEFAULT_MAX_PIXELS,
) -> None:
    """
    Process a rosbag2 offline and write the results to a new bag (no ROS installation needed).
    """
    from hydranet_ros.bags.process import process_bag
    from hydranet_ros.inference.engine import Engine, EngineOptions
    from hydranet_ros.model_files.resolve import choose_model
    from hydranet_ros.perception.pipeline import Perception, PerceptionSettings

    choice = choose_model(preset, model=model)
    engine = Engine(
        choice.path,
        EngineOptions(provider=provider, precision=precision, device=device, threads=threads),
    )
    perception = Perception(engine, PerceptionSettings(
        max_depth=max_depth, min_confidence=min_confidence, cloud_stride=stride
    ))  # fmt: skip
    for warning in (*choice.warnings, *engine.warnings, *perception.warnings):
        print(f'hydranet: warning: {warning}', file=sys.stderr)
    counts = process_bag(source, output, perception, image_topic=topic, max_pixels=max_pixels)
    print(f'Processed {counts.done} images; {counts.failed} messages failed. The results are in '
          f'{output}.')  # fmt: skip
    if counts.failed:
        raise typer.Exit(1)
