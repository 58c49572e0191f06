"""Options that several commands share, and the parsing of their values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from hydranet_ros.images.header import LARGEST_MAX_PIXELS

DEFAULT_PRESET = 'street'
PASS_THROUGH = {'allow_extra_args': True, 'ignore_unknown_options': True}
"""Context settings of a command that forwards unknown arguments to ROS."""

OptionalPath = Optional[Path]  # noqa: UP045 (typer reads it at run time on Python 3.10)
PresetOption = Annotated[str, typer.Option(help='Name of a preset, or path of a preset file.')]
PresetArgument = Annotated[str, typer.Argument(help='Name of a preset, or path of a preset file.')]
ModelOption = Annotated[
    str, typer.Option(help='Name or path of a model file (.onnx); default: that of the preset.')
]
DomainOption = Annotated[str, typer.Option(help='Domain of a preset with several models.')]
ProviderOption = Annotated[str, typer.Option(help='auto, tensorrt, cuda, openvino or cpu.')]
PrecisionOption = Annotated[
    str, typer.Option(help='Arithmetic: auto, float32, bfloat16, float16 or int8.')
]
DeviceOption = Annotated[
    str,
    typer.Option(help="The NVIDIA GPU's number; CPU, GPU, NPU or AUTO for OpenVINO."),
]
ThreadsOption = Annotated[int, typer.Option(min=0, help='CPU threads; 0: one per core.')]
OutputFolder = Annotated[
    Path, typer.Option('-o', '--output', help='Folder of the results; created if missing.')
]
MaxDepthOption = Annotated[
    float, typer.Option(min=0, help='Depth beyond it is unknown, meters; 0: no limit.')
]
StrideOption = Annotated[
    int, typer.Option(min=1, help='The cloud takes every n-th pixel of each row and column.')
]
MinConfidenceOption = Annotated[
    float,
    typer.Option(
        min=0, max=1, help='Pixels below this class probability are unlabeled (255).'
    ),
]  # fmt: skip
MaxPixelsOption = Annotated[
    int,
    typer.Option(
        min=1, max=LARGEST_MAX_PIXELS, help='Largest width times height of an image.'
    ),
]  # fmt: skip
IntrinsicsOption = Annotated[
    str,
    typer.Option(
        metavar='FX,FY,CX,CY',
        help='Camera intrinsics in pixels, for point clouds and metric scale.',
    ),
]
DataOption = Annotated[
    list[str],
    typer.Option(
        metavar='NAME=FOLDER', help='Replace NAME at the start of data set paths; repeatable.'
    ),
]
DATA_METAVAR = 'KIND:FOLDER[:SPLIT][?options]'


def parse_roots(items: Sequence[str]) -> dict[str, Path]:
    """
    Return the folders of ``NAME=FOLDER`` items by name.

    :raises typer.BadParameter: if an item has another form.
    """
    roots = {}
    for item in items:
        name, _, folder = item.partition('=')
        if not name.isupper() or not folder:
            raise typer.BadParameter(f'{item!r} is not NAME=FOLDER with NAME in capitals.')
        roots[name] = Path(folder)
    return roots


def parse_size(text: str) -> tuple[int, int]:
    """
    Return (height, width) of ``WIDTHxHEIGHT``.

    :raises typer.BadParameter: if the text has another form.
    """
    width, _, height = text.lower().partition('x')
    if not (width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f'{text!r} is not WIDTHxHEIGHT, for example 640x480.')
    return int(height), int(width)


def parse_intrinsics(text: str) -> tuple[float, float, float, float] | None:
    """
    Return fx, fy, cx, cy of ``FX,FY,CX,CY``, or ``None`` for an empty text.

    :raises typer.BadParameter: if the text has another form.
    """
    if not text:
        return None
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(','))
    except ValueError:
        raise typer.BadParameter(
            f'{text!r} is not FX,FY,CX,CY, for example 700,700,320,240.'
        ) from None
    return fx, fy, cx, cy
