"""A shutdown is not an error, and an error is not a shutdown."""

from __future__ import annotations

import gc
import subprocess
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

import rclpy
from conftest import ROOT
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.waitable import NumberOfEntities, Waitable

from hydranet_ros.ros import shutdown as module
from hydranet_ros.ros.shutdown import NodeExecutor, spin, until_shutdown


@pytest.fixture
def spinning(domain_id):
    """Return a context and an executor in it that has a node."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = Node('spinner', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield context, executor
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


def test_an_executor_whose_context_is_shut_down_ends(spinning):
    context, executor = spinning
    context.shutdown()
    with pytest.raises(RuntimeError):
        executor.spin_once(0)
    with until_shutdown(context):
        executor.spin_once(0)


@pytest.mark.parametrize('error', [KeyboardInterrupt, ExternalShutdownException])
def test_what_ends_the_process_ends_the_body(error):
    steps = []
    with until_shutdown():
        steps.append('before')
        raise error
    assert steps == ['before']


@pytest.mark.parametrize('error', [RuntimeError, ValueError])
def test_an_error_of_the_body_is_raised(spinning, error):
    context, _ = spinning
    with pytest.raises(error, match='a fault'), until_shutdown(context):
        raise error('a fault')


def test_an_error_of_another_type_is_raised_after_the_shutdown_too(spinning):
    context, _ = spinning
    context.shutdown()
    with pytest.raises(ValueError, match='a fault'), until_shutdown(context):
        raise ValueError('a fault')


def raising(error: BaseException):
    def callback():
        raise error

    return callback


def test_spin_logs_the_error_of_a_callback_as_one_line_and_continues(spinning):
    context, executor = spinning
    lines: list[str] = []
    executor.create_task(raising(ValueError('a fault\nof two lines')))
    executor.create_task(context.shutdown)
    with until_shutdown(context):
        spin(executor, SimpleNamespace(error=lines.append), context)
    assert lines == ['A callback failed and was skipped: ValueError: a fault of two lines']


def test_spin_logs_a_repeated_error_once(spinning):
    context, executor = spinning
    lines: list[str] = []
    for fault in ('one', 'one', 'two', 'one'):
        executor.create_task(raising(ValueError(fault)))
    executor.create_task(context.shutdown)
    with until_shutdown(context):
        spin(executor, SimpleNamespace(error=lines.append), context)
    assert [line.split()[-1] for line in lines] == ['one', 'two']


def test_an_error_of_a_callback_during_the_shutdown_is_not_logged(spinning):
    context, executor = spinning

    def fail_after_shutdown():
        context.shutdown()
        raise ValueError('a fault')

    executor.create_task(fail_after_shutdown)
    spin(executor, SimpleNamespace(error=pytest.fail), context)


@pytest.mark.parametrize('error', [KeyboardInterrupt(), ExternalShutdownException()])
def test_spin_raises_what_ends_the_process(spinning, error):
    context, executor = spinning
    executor.create_task(raising(error))
    with pytest.raises(type(error)):
        spin(executor, SimpleNamespace(error=pytest.fail), context)


def test_spin_raises_an_error_outside_a_callback(spinning):
    """It would only repeat itself and occupy a core."""
    context, executor = spinning

    class Broken(Waitable):
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def add_to_wait_set(self, wait_set):
            raise ValueError('a fault')

        def get_num_entities(self):
            return NumberOfEntities()

        def is_ready(self, wait_set):
            return False

    executor.get_nodes()[0].add_waitable(Broken(ReentrantCallbackGroup()))
    with pytest.raises(ValueError, match='a fault'):
        spin(executor, SimpleNamespace(error=pytest.fail), context)


def test_spin_ends_at_once_after_the_shutdown(spinning):
    context, executor = spinning
    context.shutdown()
    spin(executor, SimpleNamespace(error=pytest.fail), context)


def test_a_callback_is_recognized_by_the_task_that_runs_it():
    def traceback_of(function):
        try:
            function()
        except ZeroDivisionError as err:
            return err.__traceback__

    def fail():
        return 1 / 0

    namespace = {'__name__': 'rclpy.task', 'fail': fail}
    exec('def run(): fail()', namespace)
    assert module._is_from_callback(traceback_of(namespace['run']))
    assert not module._is_from_callback(traceback_of(fail))
    assert not module._is_from_callback(None)


def test_a_teardown_is_not_interrupted_by_signals():
    code = """
import os, signal
import rclpy
from hydranet_ros.ros.shutdown import begin_teardown
from hydranet_ros.ros.signals import shutdown_requested
rclpy.init(domain_id=101)
begin_teardown()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
    os.kill(os.getpid(), number)
print(shutdown_requested(), rclpy.ok())
rclpy.shutdown()
"""
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, '', ['True', 'True'])


def test_an_executor_whose_construction_is_interrupted_is_destroyed_without_an_error(
    ros, monkeypatch
):
    """Unraisable exceptions of a destructor are collected by this hook."""
    unraisable = []
    monkeypatch.setattr('sys.unraisablehook', unraisable.append)

    def interrupt(self) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr('rclpy.executors.Executor.__init__', lambda self, **_: interrupt(self))
    with pytest.raises(KeyboardInterrupt):
        NodeExecutor(context=ros.context)
    gc.collect()
    assert unraisable == []
