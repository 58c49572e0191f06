"""``hydranet average``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    checkpoints: Annotated[
        list[Path], typer.Argument(help='Two or more checkpoints of the same network.')
    ],
    output: Annotated[Path, typer.Option('-o', '--output', help='Checkpoint to write.')],
) -> None:
    """Average checkpoints (model soup)."""
    from hydranet_ros.network.average import average_checkpoints

    print(average_checkpoints(checkpoints, output))
