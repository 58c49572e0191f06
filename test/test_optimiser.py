"""The optimiser: what is orthogonalised, how far a step goes, and what is kept of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hydranet_ros.network.hydranet import build_hydranet
from hydranet_ros.training.optimiser import Muon, build_optimisers, is_matrix, orthogonalise

RATES = {'learning_rate': 1e-4, 'encoder_factor': 8, 'weight_decay': 0.1}


@pytest.mark.parametrize('shape', [(64, 64), (24, 96), (96, 24)])
def test_singular_values_come_out_near_one(shape: tuple[int, int]) -> None:
    """Even of a matrix that is almost of rank one, as positive inputs make a gradient."""
    torch.manual_seed(0)
    matrix = torch.randn(shape) + 3
    values = torch.linalg.svdvals(orthogonalise(matrix, iterations=8))
    assert values.max() < 1.3
    assert values.min() > 0.5


def test_a_step_has_the_stated_spectral_norm() -> None:
    layer = nn.Conv2d(32, 64, 1, bias=False)
    before = layer.weight.detach().clone()
    optimiser = Muon(layer.parameters(), lr=0.01)
    layer(torch.rand(2, 32, 5, 5)).square().mean().backward()
    optimiser.step()
    moved = torch.linalg.matrix_norm((layer.weight - before).flatten(1).detach(), ord=2)
    assert moved.item() == pytest.approx(0.01 * 2**0.5, rel=0.3)


def test_a_weight_without_a_gradient_stays() -> None:
    layer = nn.Conv2d(8, 8, 1, bias=False)
    before = layer.weight.detach().clone()
    Muon(layer.parameters(), lr=0.1, weight_decay=0.5).step()
    assert torch.equal(layer.weight, before)


def test_every_parameter_has_exactly_one_optimiser() -> None:
    model = build_hydranet(init='kaiming')
    for matrix_rate in (0.0, 0.01):
        found = build_optimisers(model.encoder, model.decoder, matrix_rate=matrix_rate, **RATES)
        given = [id(p) for item in found for group in item.param_groups for p in group['params']]
        assert sorted(given) == sorted(id(p) for p in model.parameters())
        assert len(found) == (2 if matrix_rate else 1)


def test_only_full_1x1_convolutions_are_matrices() -> None:
    assert is_matrix(nn.Conv2d(8, 4, 1).weight)
    assert not is_matrix(nn.Conv2d(8, 8, 1, groups=8).weight), 'depthwise'
    assert not is_matrix(nn.Conv2d(8, 4, 3).weight)
    assert not is_matrix(nn.BatchNorm2d(8).weight)


def test_batch_norms_and_biases_do_not_decay() -> None:
    model = build_hydranet()
    (adam, _) = build_optimisers(model.encoder, model.decoder, matrix_rate=0.01, **RATES)
    for group in adam.param_groups:
        assert all(p.ndim > 1 for p in group['params']) or group['weight_decay'] == 0
