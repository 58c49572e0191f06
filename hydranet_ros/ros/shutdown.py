"""Spin an executor until shutdown, and shut the process down without interruption."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames
from types import TracebackType
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import uninstall_signal_handlers

from hydranet_ros.ros.log_throttle import LogThrottle
from hydranet_ros.ros.signals import ignore_signals


class NodeExecutor(SingleThreadedExecutor):
    """
    A SingleThreadedExecutor whose construction a shutdown may interrupt.

    :raises ExternalShutdownException: if the context is shut down meanwhile.
    """

    # The destructor of rclpy reads this attribute, which an interrupted constructor has not set;
    # it would print a traceback.
    _sigint_gc: Any = None

    def __init__(self, *, context: Context | None = None) -> None:
        try:
            super().__init__(context=context)
        except Exception as err:
            if rclpy.ok(context=context):
                raise
            # A guard condition that was not completed prints a traceback when it is destroyed.
            with _silent_destructors():
                clear_frames(err.__traceback__)
            raise ExternalShutdownException from None


@contextmanager
def _silent_destructors() -> Iterator[None]:
    """Do not print exceptions of destructors that run in the body."""
    previous, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        yield
    finally:
        sys.unraisablehook = previous


@contextmanager
def until_shutdown(context: Context | None = None) -> Iterator[None]:
    """
    Run the body until it ends or the process shuts down; a shutdown is not an error.

    :param context: context of the body's executor; by default that of the process.
    :raises RuntimeError: an error of rclpy while the context is still valid.
    """
    try:
        yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:
        # rclpy checks the context before it waits, and raises this error if the context is shut
        # down in between.
        if rclpy.ok(context=context):
            raise


def spin(executor: Executor, logger: Any, context: Context | None = None) -> None:
    """
    Run callbacks until shutdown; log an exception of a callback as one line and continue.

    rclpy lets such an exception end the process, even if its own code raises it: one malformed
    request to a parameter service would stop the node.

    :param context: context of the executor; by default that of the process.
    :raises Exception: an error of rclpy outside a callback, which would only repeat itself.
    """
    throttle = LogThrottle()
    while rclpy.ok(context=context):
        try:
            executor.spin()
        except ExternalShutdownException:
            raise
        except Exception as err:
            if not _is_from_callback(err.__traceback__):
                raise
            reason = ' '.join(f'{type(err).__name__}: {err}'.split())
            if rclpy.ok(context=context) and throttle.allows(reason, time.monotonic()):
                logger.error(f'A callback failed and was skipped: {reason}')


def _is_from_callback(traceback: TracebackType | None) -> bool:
    """Return whether an exception passed through the task in which rclpy runs a callback."""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get('__name__') == 'rclpy.task':
            return True
        traceback = traceback.tb_next
    return False


def begin_teardown() -> None:
    """
    Ignore SIGINT and SIGTERM from now on: a second Ctrl-C must not interrupt the teardown.

    Call this in the main thread of a process that is about to end.
    """
    uninstall_signal_handlers()
    ignore_signals()
