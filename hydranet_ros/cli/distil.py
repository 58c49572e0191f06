"""``hydranet distil``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options


def command(
    teacher: Annotated[
        Path, typer.Argument(help='Teacher network: a checkpoint or an ONNX model.')
    ],
    source: Annotated[
        str, typer.Argument(metavar='DATA', help=f'Data set: {options.DATA_METAVAR}.')
    ],
    output: Annotated[Path, typer.Option('-o', '--output', help='Folder of the new data set.')],
    task: Annotated[
        str, typer.Option(help='Annotations to complete: labels, depth or both.')
    ] = 'both',
    confidence: Annotated[
        float, typer.Option(help='Pseudo-labels below this probability are unlabeled (255).')
    ] = 0.5,
    flip: Annotated[
        bool, typer.Option(help='Test-time augmentation: add the mirrored image.')
    ] = False,
    scales: Annotated[
        str, typer.Option(help='Test-time augmentation: image scales, such as 0.75,1,1.25.')
    ] = '1',
    depth_merge: Annotated[
        str, typer.Option(help='Merge the depth of augmented images by median or mean.')
    ] = 'median',
    classes: Annotated[
        str, typer.Option(help="Class map from the teacher's classes; default: keep them.")
    ] = '',
    merge: Annotated[list[str], typer.Option(help='Option of the class map; repeatable.')] = [],  # noqa: B006
    describe: Annotated[
        options.OptionalPath,
        typer.Option(help='YAML description of an ONNX model of another project.'),
    ] = None,
    preset: Annotated[
        str, typer.Option(help='Preset of the classes of a checkpoint.')
    ] = options.DEFAULT_PRESET,
    domain: options.DomainOption = '',
    depth_scale: Annotated[
        float, typer.Option(help='Steps per meter of the 16-bit depth files.')
    ] = 256.0,
    max_depth: Annotated[
        float, typer.Option(help='Depth beyond it is unknown, meters; 0: what 16 bits hold.')
    ] = 0.0,
    provider: options.ProviderOption = 'auto',
    data: options.DataOption = [],  # noqa: B006
) -> None:  # fmt: skip
    """Pseudo-label missing annotations with a teacher. The same command resumes a stopped run."""
    roots = options.parse_roots(data)
    from hydranet_ros.training import distil
    from hydranet_ros.training.teachers import open_teacher

    distil_options = distil.DistilOptions(
        task=task, confidence=confidence, classes=classes, merge=tuple(merge),
        augmentation=distil.TestTimeAugmentation(flip, distil.parse_scales(scales), depth_merge),
        depth_scale=depth_scale, max_depth=max_depth,
    )  # fmt: skip
    samples = distil.open_data(source, roots)
    chosen = open_teacher(
        teacher, preset=preset, domain=domain, description=describe, provider=provider
    )
    try:
        print(distil.distil(chosen, samples, output, distil_options, data=source))
    except KeyboardInterrupt:
        print('hydranet: stopped; run the same command again to continue.', file=sys.stderr)
        raise typer.Exit(130) from None
