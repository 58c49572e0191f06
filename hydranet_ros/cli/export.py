"""``hydranet export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options


def command(
    checkpoint: Annotated[
        Path, typer.Argument(help='Checkpoint: official, DenseTorch or hydranet train.')
    ],
    preset: Annotated[str, typer.Option(help='Preset of the classes, depth range and camera.')],
    output: Annotated[
        Path,
        typer.Option(
            '-o',
            '--output',
            help='Model file to write, NAME.onnx; NAME.cpu.onnx is written beside it.',
        ),
    ],
    domain: options.DomainOption = '',
    upsampling: Annotated[
        str, typer.Option(help='Upsampling of the outputs: bilinear or bicubic.')
    ] = 'bilinear',
    internal_scale: Annotated[
        float, typer.Option(help='Scale of the image inside the network: 1, 0.75 or 0.5.')
    ] = 1.0,
    int8: Annotated[
        options.OptionalPath,
        typer.Option(help='Folder of calibration images; writes NAME.int8.onnx too.'),
    ] = None,
) -> None:
    """Export a checkpoint to ONNX files. Compares each with PyTorch."""
    from hydranet_ros.network.export import export_checkpoint

    report = export_checkpoint(
        checkpoint, preset, output, domain=domain, upsampling=upsampling,
        internal_scale=internal_scale, int8=int8,
    )  # fmt: skip
    differences, loss = report.differences, report.quantization
    written = ', '.join(map(str, report.paths.values()))
    print(f'Wrote {written}. Difference from PyTorch: {differences.labels:.2%} of the labels, '
          f'{differences.depth:.1e} of the depth.')  # fmt: skip
    if loss:
        print(f'INT8 changes {loss.labels:.2%} of the labels and depth by {loss.depth:.2%} '
              '(median).')  # fmt: skip
