"""The official structure equals the independent reference and the network of this package."""

from __future__ import annotations

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from reference_network import ReferenceNetwork

from benchmarks.models.official_network import official_network
from benchmarks.suites.network.machine_limits import torch_threads
from hydranet_ros.network.checkpoint_layouts import from_official
from hydranet_ros.network.decoders import MaxPool5
from hydranet_ros.network.hydranet import HydraNet


@pytest.fixture(autouse=True)
def _one_thread():
    """Use one thread: two of them wait for each other where another process has a core."""
    with torch_threads(1):
        yield


@pytest.fixture(scope='module')
def official():
    return official_network()


def test_the_structure_equals_the_independent_reference(official):
    reference = ReferenceNetwork(6).eval()
    expected = from_official(reference.state_dict())
    assert {key: value.shape for key, value in expected.items()} == {
        key: value.shape for key, value in official.state_dict().items()
    }
    copied = type(official)(official.config).eval()
    copied.load_state_dict(expected)
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, depth = reference(image)
        found = copied(image)
    torch.testing.assert_close(found['segmentation'], logits)
    torch.testing.assert_close(found['depth'], depth)


def test_pools_are_5x5_and_batch_norm_is_not_fused():
    network = official_network(classes=40)
    modules = list(network.modules())
    assert not any(isinstance(module, MaxPool5) for module in modules)
    pools = [module for module in modules if isinstance(module, torch.nn.MaxPool2d)]
    assert [pool.kernel_size for pool in pools] == [5] * 4
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in modules) == 52


def test_our_network_computes_the_same_values_from_the_same_weights():
    network = official_network(classes=40)
    ours = HydraNet(network.config).eval()
    ours.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 70, 90, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for expected, got in zip(network(image).values(), ours(image).values()):
            torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_the_weights_are_the_same_in_every_run(official):
    again = official_network()
    for first, second in zip(official.state_dict().values(), again.state_dict().values()):
        assert torch.equal(first, second)
