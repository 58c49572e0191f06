"""The optimizer: orthogonalization, step size, groups and state."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from hydranet_ros.network.hydranet import build_hydranet
from hydranet_ros.training.config import OptimizerSettings
from hydranet_ros.training.optimizer import (
    MuonAdamW,
    build_optimizer,
    is_matrix,
    orthogonalize,
)

RATES = {'learning_rate': 1e-4, 'encoder_factor': 8, 'weight_decay': 0.1}


def muon(layer: nn.Module, lr: float, weight_decay: float = 0.0) -> MuonAdamW:
    group = {'params': list(layer.parameters()), 'weight_decay': weight_decay, 'matrix': True}
    return MuonAdamW([group], lr=lr)


def build(kind: str = 'muon', model: nn.Module | None = None, **changes):
    model = model or build_hydranet(init='kaiming')
    settings = OptimizerSettings(kind=kind, **{**RATES, **changes})
    return build_optimizer(model.encoder, model.decoder, settings)


@pytest.mark.parametrize('shape', [(64, 64), (24, 96), (96, 24)])
def test_all_singular_values_become_almost_one(shape: tuple[int, int]) -> None:
    """The matrix has almost rank one, as a gradient with positive inputs has."""
    torch.manual_seed(0)
    matrix = torch.randn(shape) + 3
    values = torch.linalg.svdvals(orthogonalize(matrix, iterations=8))
    assert values.max() < 1.3
    assert values.min() > 0.5


def test_a_step_has_the_documented_spectral_norm() -> None:
    layer = nn.Conv2d(32, 64, 1, bias=False)
    before = layer.weight.detach().clone()
    optimizer = muon(layer, 0.01)
    layer(torch.rand(2, 32, 5, 5)).square().mean().backward()
    optimizer.step()
    moved = torch.linalg.matrix_norm((layer.weight - before).flatten(1).detach(), ord=2)
    assert moved.item() == pytest.approx(0.01 * 2**0.5, rel=0.3)


def test_a_weight_without_a_gradient_does_not_change() -> None:
    layer = nn.Conv2d(8, 8, 1, bias=False)
    before = layer.weight.detach().clone()
    muon(layer, 0.1, 0.5).step()
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize('kind', ['muon', 'adamw', 'sgd'])
def test_every_parameter_is_in_exactly_one_group(kind: str) -> None:
    model = build_hydranet(init='kaiming')
    given = [id(p) for group in build(kind, model).param_groups for p in group['params']]
    assert sorted(given) == sorted(id(p) for p in model.parameters())


def test_the_encoder_has_its_own_rate() -> None:
    """The settings are those of the paper."""
    model = build_hydranet()
    found = build('sgd', model, learning_rate=0.01, encoder_factor=0.1)
    rates = {id(p): group['lr'] for group in found.param_groups for p in group['params']}
    assert {rates[id(p)] for p in model.encoder.parameters()} == {0.001}
    assert {rates[id(p)] for p in model.decoder.parameters()} == {0.01}
    assert {group['momentum'] for group in found.param_groups} == {0.9}


def test_a_loaded_state_continues_exactly() -> None:
    """An optimizer with a loaded state makes the same next step."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 3))
    twin = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 3))

    def optimizer(of: nn.Module) -> MuonAdamW:
        weight, *rest = of.parameters()
        return MuonAdamW([{'params': rest}, {'params': [weight], 'matrix': True}], lr=0.01)

    first = optimizer(layers)
    image = torch.rand(2, 8, 6, 6)
    for _ in range(3):
        first.zero_grad()
        layers(image).square().mean().backward()
        first.step()
    twin.load_state_dict(layers.state_dict())
    second = optimizer(twin)
    second.load_state_dict(deepcopy(first.state_dict()))
    for of, by in ((layers, first), (twin, second)):
        by.zero_grad()
        of(image).square().mean().backward()
        by.step()
    assert all(torch.equal(a, b) for a, b in zip(layers.parameters(), twin.parameters()))


def test_only_dense_1x1_convolutions_are_matrices() -> None:
    assert is_matrix(nn.Conv2d(8, 4, 1).weight)
    assert not is_matrix(nn.Conv2d(8, 8, 1, groups=8).weight), 'depthwise'
    assert not is_matrix(nn.Conv2d(8, 4, 3).weight)
    assert not is_matrix(nn.BatchNorm2d(8).weight)


def test_batch_normalization_and_biases_do_not_decay() -> None:
    for group in build().param_groups:
        assert all(p.ndim > 1 for p in group['params']) or group['weight_decay'] == 0


def test_a_closure_zeroes_the_gradients_of_every_group() -> None:
    """Lightning passes the step as a closure; remaining gradients would accumulate."""
    layer = nn.Conv2d(8, 8, 1, bias=False)
    optimizer = muon(layer, 0.01)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = layer(torch.ones(1, 8, 2, 2)).sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    assert torch.equal(layer.weight.grad, torch.full_like(layer.weight, 4.0))
