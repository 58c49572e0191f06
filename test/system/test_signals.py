"""Signals end the processes quietly at every point of their life."""

from __future__ import annotations

import signal
import time

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, wait_for

DEMO = ROOT / 'config' / 'demo_street'


@pytest.mark.parametrize('command', ['run', 'play', 'demo'])
def test_signals_are_handled_before_rclpy_is_loaded(start, command):
    running = start(command, 'street')

    def loaded_or_handled() -> bool:
        assert running.process.poll() is None, running.text()
        return running.catches_sigterm() or '_rclpy' in running.maps()

    wait_for(loaded_or_handled)
    assert running.catches_sigterm()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('delay', [0.0, 0.05, 0.2, 0.6])
def test_an_early_signal_ends_the_node_quietly(start_node, tiny_model, number, delay):
    """The delay is the point in time of the start, not a wait."""
    running = start_node(tiny_model)
    wait_for(running.catches_sigterm, what='the handler')
    time.sleep(delay)
    running.send(number)
    running.assert_clean_end(128 + number)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_early_signal_ends_the_player_quietly(start, number):
    running = start('play', DEMO)
    wait_for(running.catches_sigterm, what='the handler')
    running.send(number)
    running.assert_clean_end(128 + number)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('state', ['loading', 'unconfigured', 'active'])
def test_a_signal_ends_the_node_with_status_0_in_every_state(
    start_node, tiny_model, state, number
):
    running = start_node(tiny_model, '-p', f'autostart:={str(state != "unconfigured").lower()}')
    running.wait_for_log('active:' if state == 'active' else 'DDS profile')
    running.send(number)
    running.assert_clean_end()


@pytest.mark.parametrize('interval', [0.0, 0.05])
def test_a_second_ctrl_c_does_not_interrupt_the_teardown(start_node, tiny_model, interval):
    running = start_node(tiny_model)
    running.wait_for_log('active:')
    running.send(signal.SIGINT)
    time.sleep(interval)
    running.interrupt()


def test_no_number_of_signals_interrupts_the_teardown(start_node, tiny_model):
    running = start_node(tiny_model)
    running.wait_for_log('active:')
    while running.process.poll() is None:
        running.send(signal.SIGINT)
        running.send(signal.SIGTERM)
        time.sleep(0.002)
    running.assert_clean_end()


def test_a_second_ctrl_c_does_not_interrupt_the_player(start):
    running = start('play', DEMO, '--loop', '--delay', '0')
    wait_for(lambda: '/dev/shm/fastdds' in running.maps(), what='a participant')
    running.send(signal.SIGINT)
    time.sleep(0.05)
    running.interrupt()
