"""Spinning and its end: by Ctrl-C, by SIGTERM, by a shutdown from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, ExternalShutdownException
from rclpy.signals import uninstall_signal_handlers

from hydranet_ros.ros.log_throttle import LogLimit
from hydranet_ros.ros.signals import ignore_signals


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


def spin(executor: Executor, logger: Any, context: Context | None = None) -> None:
    """
    Run callbacks until shutdown; log an exception of a callback as one line and go on.

    rclpy ends the process by such an exception, also where its own code raises it: one malformed
    request to a parameter service would stop the node.

    :param context: the context of the executor; the process' own by default.
    :raises Exception: an error of rclpy outside a callback, which would only repeat itself.
    """
    log_limit = LogLimit()
    while rclpy.ok(context=context):
        try:
            executor.spin()
        except ExternalShutdownException:
            raise
        except Exception as err:
            if not _is_from_a_callback(err.__traceback__):
                raise
            reason = ' '.join(f'{type(err).__name__}: {err}'.split())
            if rclpy.ok(context=context) and log_limit.allows(reason, time.monotonic()):
                logger.error(f'A callback failed and was skipped: {reason}')


def _is_from_a_callback(traceback: TracebackType | None) -> bool:
    """Return whether an exception passed through the task in which rclpy runs a callback."""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get('__name__') == 'rclpy.task':
            return True
        traceback = traceback.tb_next
    return False


def begin_teardown() -> None:
    """
    Ignore SIGINT and SIGTERM from here on: a second Ctrl-C must not interrupt the teardown.

    Call it in the main thread of a process that does nothing but end.
    """
    uninstall_signal_handlers()
    ignore_signals()
