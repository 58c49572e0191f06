"""
Handle SIGINT and SIGTERM during the whole life of a process.

rclpy handles both signals only between ``rclpy.init`` and the shutdown of its context. Before
that, they cause a traceback or an exit status of -15; after it, a second Ctrl-C interrupts the
teardown. rclpy calls the handler installed here after its own. This module does not import rclpy,
so that the handler is in place before rclpy is loaded.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stage(Enum):
    """Effect of a signal: end the process at once, start the shutdown, or none."""

    STARTING = 'starting'
    RUNNING = 'running'
    ENDING = 'ending'


_stage = Stage.STARTING
_interrupting: frozenset[int] = frozenset({signal.SIGINT})


def handle_signals() -> None:
    """
    Handle SIGINT and SIGTERM; until :func:`begin_running` they end the process without output.

    The exit status is then 130 or 143. A signal that the parent process ignores stays ignored, as
    in background jobs of a shell. Call this in the main thread; a second call has no effect.
    """
    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, _handle):
            signal.signal(number, _handle)
    # Python resets both signals when it finalizes, which is after the atexit functions.
    atexit.register(ignore_signals)


def begin_running(interrupting: Iterable[int] = (signal.SIGINT,)) -> None:
    """
    Let the first signal from now on start the shutdown, and ignore the following ones.

    :param interrupting: signals that raise KeyboardInterrupt. The others only make
        :func:`shutdown_requested` return true; rclpy shuts its context down for both.
    """
    global _stage, _interrupting
    _interrupting = frozenset(interrupting)
    _stage = Stage.RUNNING


def shutdown_requested() -> bool:
    """Return whether a signal has arrived or the teardown has begun."""
    return _stage is Stage.ENDING


def ignore_signals() -> None:
    """
    Ignore SIGINT and SIGTERM until the process has ended, interpreter finalization included.

    Call this in the main thread, after rclpy's own handlers have been removed.
    """
    global _stage
    _stage = Stage.ENDING
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _handle(number: int, frame: Any) -> None:
    global _stage
    if _stage is Stage.STARTING:
        # An exception inside the import of an extension module could be lost or printed, and
        # nothing that needs a teardown has been started yet.
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(128 + number)
    first, _stage = _stage is Stage.RUNNING, Stage.ENDING
    if first and number in _interrupting:
        raise KeyboardInterrupt
