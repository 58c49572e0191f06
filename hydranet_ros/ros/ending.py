"""How a process that spins ends: by Ctrl-C, by SIGTERM, by a shutdown from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException


@contextmanager
def until_told_to_end(context: Context | None = None) -> Iterator[None]:
    """
    Run the body until it is done or the process is told to end, which is no error.

    :param context: the one that is spun in; the process' own by default.
    :raises RuntimeError: rclpy's own, while the context still runs.
    """
    try:
        yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:
        # rclpy asks whether the context still runs before it waits, and fails where that has
        # changed in between.
        if rclpy.ok(context=context):
            raise
