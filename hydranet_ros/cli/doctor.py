"""``hydranet doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options

_DEFAULT_FILE = Path('hydranet_doctor.json')


def command(
    file: Annotated[
        options.OptionalPath,
        typer.Argument(
            help='File for the results as JSON; default: standard output, with --full '
            f'{_DEFAULT_FILE}.'
        ),
    ] = None,
    json: Annotated[bool, typer.Option('--json', help='Write the results as JSON.')] = False,
    provider: Annotated[
        str, typer.Option(help='Provider that must work; default: any.')
    ] = '',
    all_files: Annotated[
        bool, typer.Option('--all', help='Run the self-test of every model file.')
    ] = False,
    full: Annotated[
        bool, typer.Option('--full', help='Run the acceptance run of this machine.')
    ] = False,
    step: Annotated[
        list[str],
        typer.Option(metavar='NAME', help='Step of the acceptance run; repeatable; default: all.'),
    ] = [],  # noqa: B006
    minutes: Annotated[
        float, typer.Option(min=0.1, help='Longest duration of the acceptance run.')
    ] = 10.0,
) -> None:  # fmt: skip
    """
    Check this machine: ROS 2, GPUs, providers, model files. Exit status 1: something is broken.

    With --full it runs for up to ten minutes and writes an archive to send.
    """
    if full:
        from hydranet_ros.doctor.full.command import run_and_print

        target = file or _DEFAULT_FILE
        raise typer.Exit(run_and_print(target, minutes=minutes, names=frozenset(step)))
    from hydranet_ros.doctor.report import write_report
    from hydranet_ros.doctor.short import ShortOptions, run_short

    if provider:
        from hydranet_ros.errors import ProviderError
        from hydranet_ros.inference.providers import PROVIDERS

        if provider not in PROVIDERS:
            raise ProviderError(
                f'Provider {provider!r} is unknown; allowed: {", ".join(PROVIDERS)}.'
            )
    report = run_short(ShortOptions(provider=provider, all_files=all_files))
    write_report(report, json=json, file=file)
    if not report.usable:
        raise typer.Exit(1)
