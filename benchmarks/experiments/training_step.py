"""
Time of one training step: this package against the official structure in eager NCHW.

All variants run the same step on the same batch with equal weights: forward, cross entropy and
inverse Huber on the upsampled outputs, backward, SGD with momentum. This package uses
channels-last memory and pools of 5x1 and 1x5; a third variant adds bfloat16 autocast, as the
recipe of the street model does::

    python -m benchmarks.experiments.training_step [--rounds 10] [--size 384x288] [--batch 4]

The official structure is ``test/reference_network.py``, which shares no code with this package.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.experiments.common import (
    argument_parser,
    exit_on_error,
    image_size,
    markdown_table,
    write_json,
)
from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.results import Series, pair_ratio
from hydranet_ros.errors import BenchError
from hydranet_ros.network.checkpoint_layouts import from_official
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.losses import berhu_loss, segmentation_loss

NAME = 'training_step'
OFFICIAL, OURS, BFLOAT16 = 'official, NCHW', 'hydranet_ros', 'hydranet_ros, bfloat16'
TOLERANCE = 1e-3
_TESTS = Path(__file__).resolve().parent.parent.parent / 'test'


def make_step(
    network: nn.Module, image: Tensor, labels: Tensor, depth: Tensor, *, bfloat16: bool = False
) -> Callable[[], float]:
    """Return a function that runs one training step and returns the loss before it."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

    def step() -> float:
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            outputs = network(image)
        if isinstance(outputs, dict):
            outputs = (outputs['segmentation'], outputs['depth'])
        logits, meters = (output.float() for output in outputs)
        loss = 0.5 * segmentation_loss(logits, labels) + 0.5 * berhu_loss(meters, depth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def make_variants(batch: int, size: tuple[int, int]) -> dict[str, Callable[[], float]]:
    """Return the steps of all variants, with equal weights and the same random batch."""
    sys.path.insert(0, str(_TESTS))
    from reference_network import random_reference

    height, width = size
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=generator) * 4 - 2
    labels = torch.randint(0, 6, (batch, height, width), generator=generator)
    depth = torch.rand(batch, height, width, generator=generator) * 60 + 2
    reference = random_reference().train()
    state = from_official(reference.state_dict())
    channels_last = image.contiguous(memory_format=torch.channels_last)
    found = {OFFICIAL: make_step(reference, image, labels, depth)}
    for name, bfloat16 in ((OURS, False), (BFLOAT16, True)):
        network = build_hydranet(HydraNetConfig())
        network.load_state_dict(state)
        network = network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        found[name] = make_step(network, channels_last, labels, depth, bfloat16=bfloat16)
    return found


def measure(steps: dict[str, Callable[[], float]], rounds: int) -> dict[str, Series]:
    """
    Compare the losses of the first step, then return the times of all variants.

    :raises BenchError: if the losses differ.
    """
    losses = {name: step() for name, step in steps.items()}
    official, ours = losses[OFFICIAL], losses[OURS]
    if abs(ours - official) > TOLERANCE * abs(official):
        raise BenchError(f'The losses of equal weights differ: {losses}.')
    return interleaved(steps, rounds, warm_up=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argument_parser(__doc__, NAME)
    parser.add_argument('--rounds', type=int, default=10, help='steps of each variant')
    parser.add_argument('--batch', type=int, default=4, help='images of the batch')
    parser.add_argument('--size', type=image_size, default='384x288', metavar='WIDTHxHEIGHT')
    given = parser.parse_args(arguments)
    with exit_on_error(NAME):
        times = measure(make_variants(given.batch, given.size), given.rounds)
    rows = {
        name: {'median_ms': series.median, 'speedup': pair_ratio(times[OFFICIAL], series).median}
        for name, series in times.items()
    }
    height, width = given.size
    print(f'Batch {given.batch} of {width}x{height}, {torch.get_num_threads()} threads, '
          f'PyTorch {torch.__version__}, {platform.machine()}\n')  # fmt: skip
    cells = [
        (name, f'{row["median_ms"]:.0f}', f'{row["speedup"]:.2f}') for name, row in rows.items()
    ]
    print(markdown_table(('variant', 'median ms', 'speedup'), cells))
    write_json(rows, given.json)


if __name__ == '__main__':
    main()
