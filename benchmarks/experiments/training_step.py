"""
One training step: ours against the official structure run eagerly in NCHW.

Both do the same on the same batch with equal weights: forward, cross entropy and inverse Huber on
the upsampled outputs, backward, SGD with momentum. Ours is channels-last and pools 5x1 then 1x5;
a third row adds bfloat16 autocast, which the street model's recipe uses. The competitors take
turns, one step each; the ratio of each turn is what is summed up::

    python -m benchmarks.experiments.training_step [--rounds 10] [--size 384x288] [--batch 4] [--json FILE]

The official structure is that of ``test/reference_network.py``, which shares no code with ours.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from hydranet_ros.network.checkpoint_layouts import from_official
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.losses import berhu_loss, segmentation_loss

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'test'))
from reference_network import random_reference

TOLERANCE = 1e-3


def stepper(
    network: nn.Module, image: Tensor, labels: Tensor, depth: Tensor, *, bfloat16: bool = False
) -> Callable[[], float]:
    """Return a function that takes one step and returns the loss before it."""
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

    def step() -> float:
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            outputs = network(image)
        if isinstance(outputs, dict):
            outputs = (outputs['segmentation'], outputs['depth'])
        logits, metres = (output.float() for output in outputs)
        loss = 0.5 * segmentation_loss(logits, labels) + 0.5 * berhu_loss(metres, depth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step


def competitors(batch: int, size: tuple[int, int]) -> dict[str, Callable[[], float]]:
    """Return the steps by name, of networks with equal weights on one random batch."""
    height, width = size
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=generator) * 4 - 2
    labels = torch.randint(0, 6, (batch, height, width), generator=generator)
    depth = torch.rand(batch, height, width, generator=generator) * 60 + 2
    reference = random_reference().train()
    state = from_official(reference.state_dict())
    last = image.contiguous(memory_format=torch.channels_last)
    found = {'official, NCHW': stepper(reference, image, labels, depth)}
    for name, bfloat16 in (('ours', False), ('ours, bfloat16', True)):
        network = build_hydranet(HydraNetConfig())
        network.load_state_dict(state)
        network = network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        found[name] = stepper(network, last, labels, depth, bfloat16=bfloat16)
    return found


def measure(steps: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """
    Return the seconds of each step, after one round to warm up.

    :raises SystemExit: if ours does not compute what the official structure does.
    """
    losses = {name: step() for name, step in steps.items()}
    official, ours = losses['official, NCHW'], losses['ours']
    if abs(ours - official) > TOLERANCE * abs(official):
        raise SystemExit(f'The losses of equal weights differ: {losses}')
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--size', default='384x288', help='WIDTHxHEIGHT')
    parser.add_argument('--json', type=Path)
    given = parser.parse_args(arguments)
    width, height = (int(part) for part in given.size.split('x'))
    seconds = measure(competitors(given.batch, (height, width)), given.rounds)
    official = seconds['official, NCHW']
    rows = {
        name: {
            'median_ms': 1e3 * statistics.median(values),
            'speedup': statistics.median(a / b for a, b in zip(official, values)),
        }
        for name, values in seconds.items()
    }
    print(f'batch {given.batch} of {given.size}, {torch.get_num_threads()} threads, '
          f'torch {torch.__version__}, {platform.machine()}')  # fmt: skip
    for name, row in rows.items():
        print(f'{name:16s} {row["median_ms"]:8.0f} ms   {row["speedup"]:5.2f} x')
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding='utf-8')


if __name__ == '__main__':
    main()
