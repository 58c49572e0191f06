"""Command-line arguments of the node's process."""

from __future__ import annotations

from collections.abc import Sequence


def node_arguments(preset: str, extra: Sequence[str]) -> list[str]:
    """
    Return the arguments of the node for ``hydranet run PRESET EXTRA...``.

    The preset comes first, so that the user's own arguments override it.
    """
    return ['hydranet', '--ros-args', '-p', f'preset:={preset}', '--', *extra]
