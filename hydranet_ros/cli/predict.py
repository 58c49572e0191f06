"""``hydranet predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS


def command(
    inputs: Annotated[list[Path], typer.Argument(help='Images, folders of images, and videos.')],
    output: options.OutputFolder,
    preset: options.PresetOption = options.DEFAULT_PRESET,
    model: options.ModelOption = '',
    provider: options.ProviderOption = 'auto',
    precision: options.PrecisionOption = 'auto',
    device: options.DeviceOption = '',
    threads: options.ThreadsOption = 0,
    intrinsics: options.IntrinsicsOption = '',
    alpha: Annotated[
        float, typer.Option(min=0, max=1, help='Weight of the class colors in the overlay.')
    ] = 0.5,
    max_depth: options.MaxDepthOption = 0.0,
    min_confidence: options.MinConfidenceOption = 0.0,
    stride: options.StrideOption = 1,
    max_pixels: options.MaxPixelsOption = DEFAULT_MAX_PIXELS,
) -> None:
    """Process images, folders and videos. No ROS installation is needed."""
    camera = options.parse_intrinsics(intrinsics)
    from hydranet_ros.inference.engine import EngineOptions
    from hydranet_ros.perception.pipeline import PerceptionSettings
    from hydranet_ros.perception.predict import PredictOptions, predict_all

    settings = PerceptionSettings(
        overlay_alpha=alpha, max_depth=max_depth, min_confidence=min_confidence,
        cloud_stride=stride,
    )  # fmt: skip
    failed = predict_all(inputs, output, PredictOptions(
        preset=preset, model=model, intrinsics=camera,
        engine=EngineOptions(
        provider=provider, precision=precision, device=device, threads=threads
    ), settings=settings,
        max_pixels=max_pixels,
    ))  # fmt: skip
    if failed:
        raise typer.Exit(1)
