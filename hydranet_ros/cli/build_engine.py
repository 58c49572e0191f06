"""``hydranet build-engine``."""

from __future__ import annotations

from typing import Annotated

import typer

from hydranet_ros.cli import options


def command(
    preset: Annotated[str, typer.Argument(help='Name of a preset, or path of a preset file.')],
    size: Annotated[
        list[str], typer.Option(metavar='WIDTHxHEIGHT', help='Size of the images; repeatable.')
    ],
    model: options.ModelOption = '',
    domain: options.DomainOption = '',
    precision: options.PrecisionOption = 'auto',
    device: options.DeviceOption = '',
) -> None:
    """Build TensorRT engines before the node needs them."""
    sizes = [options.parse_size(text) for text in size]
    from hydranet_ros.inference import engine
    from hydranet_ros.model_files.resolve import choose_model

    choice = choose_model(preset, domain=domain, model=model)
    engine_options = engine.EngineOptions(provider='tensorrt', precision=precision, device=device)
    durations = engine.build_engine(choice.path, engine_options, sizes)
    for (height, width), seconds in zip(sizes, durations):
        print(f'{choice.path.name}: engine for {width}x{height} ready in {seconds:.0f} s')
