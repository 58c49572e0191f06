"""``hydranet weights list`` and ``hydranet weights pull``."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help='Download the official weights.')


@app.command('list')
def list_command() -> None:
    """List the official checkpoints and whether their model files are installed."""
    from hydranet_ros.network.weights import describe_weights

    print(describe_weights())


@app.command('pull')
def pull_command(
    name: Annotated[str, typer.Argument(help='Name of a checkpoint; see hydranet weights list.')],
    base_url: Annotated[
        str, typer.Option(help='URL of a mirror with the same files; default: GitHub.')
    ] = '',
) -> None:
    """Download a checkpoint, verify it, and export the model files of its preset."""
    from hydranet_ros.network.weights import BASE_URL, pull_weights

    for path in pull_weights(name, base_url=base_url or BASE_URL):
        print(path)
