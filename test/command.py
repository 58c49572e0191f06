"""The command ``hydranet`` as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import ROOT


def hydranet(
    *arguments: object, before: Callable[[], None] | None = None, cwd: Path = ROOT,
    timeout: float = 120, **environment: str,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """
    Run the command.

    :param before: runs first, in the process of the command.
    :param environment: variables to set.
    """
    return subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout, cwd=cwd,
        env={**os.environ, **environment}, preexec_fn=before,
    )  # fmt: skip
