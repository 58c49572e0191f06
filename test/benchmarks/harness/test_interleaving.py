"""Variants run in turn, and each one waits for the threads of the previous one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from benchmarks.harness.interleaving import interleaved, settle
from benchmarks.harness.results import pair_ratio
from hydranet_ros.errors import BenchError


@pytest.mark.parametrize('names', ['A', 'AB', 'ABC', 'ABCD'])
def test_variants_run_in_turn_and_none_follows_itself(names):
    orders = []
    for _ in range(2):
        order = []
        calls = {name: lambda name=name, order=order: order.append(name) for name in names}
        found = interleaved(calls, rounds=12, warm_up=1, rest=0)
        orders.append(''.join(order))
    assert orders[0] == orders[1], 'the order is the same in every run'
    assert orders[0].startswith(names), 'the warm-up is not a round'
    rounds = orders[0][len(names) :]
    for begin in range(0, len(rounds), len(names)):
        assert set(rounds[begin : begin + len(names)]) == set(names)
    if len(names) > 1:
        assert all(one != other for one, other in zip(rounds, rounds[1:]))
    if len(names) > 2:
        pairs = set(zip(rounds, rounds[1:]))
        assert len(pairs) == len(names) * (len(names) - 1), 'each one follows each other one'
    assert {len(series.milliseconds) for series in found.values()} == {12}


def test_a_slower_variant_has_a_longer_time():
    found = interleaved(
        {'slow': lambda: time.sleep(0.004), 'fast': lambda: None}, rounds=3, warm_up=0, rest=0
    )
    assert pair_ratio(found['slow'], found['fast']).median > 1
    assert found['slow'].best >= 4


def test_a_run_without_variants_is_an_error():
    with pytest.raises(BenchError, match='1 or more'):
        interleaved({}, rounds=3)


def test_a_variant_starts_after_the_threads_of_the_previous_one():
    threads, alone = [], []

    def spin():
        until = time.monotonic() + 0.06
        while time.monotonic() < until:
            pass

    def spins():
        threads.append(threading.Thread(target=spin))
        threads[-1].start()

    calls = {
        'spins': spins,
        'next': lambda: alone.append(not any(thread.is_alive() for thread in threads)),
    }
    interleaved(calls, rounds=3, warm_up=0, rest=60)
    assert len(threads) == 3 and all(alone)


def test_settle_waits_for_a_helper_process():
    code = """if True:
        import sys, time
        for _ in sys.stdin:
            print("began", flush=True)
            until = time.monotonic() + 0.06
            while time.monotonic() < until:
                pass
            print(time.monotonic(), flush=True)"""
    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'text': True}
    with subprocess.Popen([sys.executable, '-c', code], **pipes) as helper:

        def is_waited_for():
            helper.stdin.write('\n')
            helper.stdin.flush()
            assert helper.stdout.readline() == 'began\n'
            settle(60, (helper.pid,))
            waited_until = time.monotonic()
            return waited_until >= float(helper.stdout.readline())

        waited = [is_waited_for() for _ in range(3)]
        helper.stdin.close()
    assert all(waited)
