"""``hydranet eval``."""

from __future__ import annotations

from typing import Annotated

import typer

from hydranet_ros.cli import options


def command(
    model: Annotated[str, typer.Argument(help='Model file (.onnx) or checkpoint.')],
    sources: Annotated[
        list[str],
        typer.Argument(metavar='DATA...', help=f'Data sets: {options.DATA_METAVAR}.'),
    ],
    crop: Annotated[
        str, typer.Option(help='Evaluated part of the depth: none, garg, eigen, kb or nyu_eigen.')
    ] = 'none',
    max_depth: Annotated[
        float,
        typer.Option(
            min=0,
            help='Largest evaluated depth, meters; 0: that of the model, at least 10.',
        ),
    ] = 0.0,
    min_depth: Annotated[
        float, typer.Option(min=0, help='Smallest evaluated depth, meters.')
    ] = 0.001,
    adverse: Annotated[
        int,
        typer.Option(
            min=0, max=5, help='Also evaluate each corruption with this severity; 0: none.'
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help='Random seed of the corruptions.')] = 0,
    limit: Annotated[
        int, typer.Option(min=0, help='Evenly spaced images of each data set; 0: all.')
    ] = 0,
    json_file: Annotated[
        options.OptionalPath,
        typer.Option('--json', help='File for all metrics, by class and by image.'),
    ] = None,
    sheet: Annotated[
        options.OptionalPath, typer.Option(help='PNG file for the best and worst images.')
    ] = None,
    preset: Annotated[str, typer.Option(help='Preset of the classes of a checkpoint.')] = '',
    domain: options.DomainOption = '',
    provider: options.ProviderOption = 'auto',
    precision: options.PrecisionOption = 'float32',
    data: options.DataOption = [],  # noqa: B006
) -> None:  # fmt: skip
    """Evaluate a model on data sets. Prints segmentation, depth and normal metrics."""
    roots = options.parse_roots(data)
    from hydranet_ros.training.evaluation.command import run_eval
    from hydranet_ros.training.evaluation.run import EvalOptions

    stopped = run_eval(
        model, sources, EvalOptions(crop, min_depth, max_depth, adverse, seed, limit),
        model_options={
            'preset': preset, 'domain': domain, 'provider': provider, 'precision': precision,
        },
        roots=roots, json_file=json_file, sheet=sheet,
    )  # fmt: skip
    if stopped:
        raise typer.Exit(130)
