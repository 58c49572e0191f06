"""Callbacks: the average of the weights, and the time limit."""

from __future__ import annotations

from datetime import timedelta

import pytest
import torch
from torch import nn

from hydranet_ros.training.callbacks import Deadline, average


def test_the_average_forgets_the_initial_weights_quickly() -> None:
    kept = torch.zeros(1)
    for count in range(30):
        kept = average(kept, torch.ones(1), count, decay=0.9)
    assert kept.item() > 0.999, 'a constant decay of 0.9 would leave 4 % of the start'


def test_the_decay_of_the_average_is_limited() -> None:
    found = average(torch.zeros(1), torch.ones(1), 10_000, decay=0.9)
    assert found.item() == pytest.approx(0.1)


def test_counters_are_copied_and_not_averaged() -> None:
    counter = nn.BatchNorm2d(3).num_batches_tracked
    assert average(counter, counter + 7, 100, decay=0.9).item() == 7


def test_a_deadline_does_not_count_earlier_starts() -> None:
    deadline = Deadline(timedelta(seconds=5), verbose=False)
    assert deadline.state_dict() == {}
    deadline.load_state_dict({'time_elapsed': {'train': 1e6}})
    assert deadline.time_elapsed() == 0
