"""
Sessions that prove themselves: a wrong runtime is found before its first image.

The wrong runtimes are real ones on a real model, and stand-ins that return NaN or fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import pytest
from model_factory import NATIVE_SIZE, expected_depth, expected_labels, make_model
from onnx import numpy_helper

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference import candidates, engine, proving, sessions
from hydranet_ros.inference.engine import Engine
from hydranet_ros.inference.onnx_providers import CpuProvider
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.session import SessionRequest
from hydranet_ros.model_files.selftest import SelfTest, self_test_image

OUTPUTS = frozenset({'labels', 'depth'})


def self_test(size: tuple[int, int] = NATIVE_SIZE) -> SelfTest:
    """Return the self-test of the factory's model, from what it computes by definition."""
    image = self_test_image(*size)
    return SelfTest.from_outputs(
        size,
        {
            'labels': expected_labels(image), 'depth': expected_depth(image),
            'confidence': image[..., 1],
        },
    )  # fmt: skip


class Spoiled(CpuProvider):
    """The CPU provider, but its sessions change their results, or fail."""

    name = 'spoiled'
    runtime_name = 'CPUExecutionProvider'
    forms = ('portable',)

    def __init__(self, spoil: Callable[[dict], object]) -> None:
        self.spoil = spoil
        self.opened = 0

    def missing(self):
        return None

    def open(self, request: SessionRequest):
        session = super().open(request)
        right = session.run
        self.opened += 1

        def run(images, outputs):
            right(images, outputs)
            self.spoil(outputs)

        session.run = run
        return session


def use(monkeypatch: pytest.MonkeyPatch, *providers: CpuProvider) -> None:
    table = MappingProxyType({item.name: item for item in (*providers, CpuProvider())})
    for module in (candidates, engine, proving, sessions):
        monkeypatch.setattr(module, 'PROVIDERS', table)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / 'model.onnx', self_test=self_test())


def nothing(outputs: dict) -> None:
    pass


def nan(outputs: dict) -> None:
    outputs['depth'][0, 0, 0] = np.nan


def far(outputs: dict) -> None:
    outputs['depth'] *= 1.1


def other_labels(outputs: dict) -> None:
    outputs['labels'] += 1


def fail(outputs: dict) -> None:
    raise RuntimeError('no kernel image is available')


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [(nan, 'depth differ by nan'), (far, r'depth differ by 0.1 \(allowed: 0.001\)'),
     (other_labels, 'labels differ by 1 '), (fail, 'failed on an image of 64x48: no kernel')],
)  # fmt: skip
def test_auto_leaves_a_provider_with_wrong_results_with_one_warning(
    monkeypatch, model, tmp_path, spoil, reason
):
    use(monkeypatch, Spoiled(spoil))
    found = Engine(model, EngineOptions(cache_directory=tmp_path), report=print)
    assert found.provider == 'cpu'
    (warning,) = found.warnings
    assert "Provider 'spoiled' (onnxruntime " in warning
    assert re.search(reason, warning)
    assert 'Running on cpu float32 instead' in warning
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_allclose(found.infer(image).depth, expected_depth(image), rtol=1e-6)


@pytest.mark.parametrize('spoil', [nan, far, other_labels, fail])
def test_a_requested_provider_with_wrong_results_is_an_error(monkeypatch, model, spoil):
    use(monkeypatch, Spoiled(spoil))
    with pytest.raises(ProviderError, match=r"'spoiled' \(onnxruntime .*requested explicitly"):
        Engine(model, EngineOptions('spoiled'))


def test_a_later_session_for_other_outputs_proves_itself_too(monkeypatch, model, tmp_path):
    provider = Spoiled(nothing)
    use(monkeypatch, provider)
    found = Engine(model, EngineOptions('spoiled', cache_directory=tmp_path))
    image = self_test_image(20, 30)
    assert found.infer(image).depth is not None
    provider.spoil = lambda outputs: outputs['depth'].fill(0)
    with pytest.raises(ProviderError, match='its results are wrong'):
        found.infer(image, frozenset({'depth'}))


def test_a_file_without_self_test_is_compared_with_the_cpu(monkeypatch, tmp_path):
    old = make_model(tmp_path / 'old.onnx', self_test=False)
    use(monkeypatch, Spoiled(far))
    found = Engine(old, EngineOptions(cache_directory=tmp_path), report=print)
    assert found.provider == 'cpu'
    assert 'old.onnx has no self-test' in found.warnings[0]
    assert 'hydranet export' in found.warnings[0]
    assert 'its results are wrong' in found.warnings[1] and len(found.warnings) == 2


def test_a_file_without_self_test_runs_on_the_cpu_with_one_warning(tmp_path):
    old = make_model(tmp_path / 'old.onnx', self_test=False)
    found = Engine(old, EngineOptions('cpu'))
    assert len(found.warnings) == 1 and 'has no self-test' in found.warnings[0]


def test_a_file_with_one_weight_changed_is_refused(tmp_path, model):
    graph = onnx.load(str(model))
    scale = next(item for item in graph.graph.initializer if item.name == 'depth_scale')
    scale.CopyFrom(numpy_helper.from_array(np.float32(numpy_helper.to_array(scale) * 1.02),
                                           'depth_scale'))  # fmt: skip
    changed = tmp_path / 'changed.onnx'
    changed.write_bytes(graph.SerializeToString())
    with pytest.raises(ProviderError, match=r'changed\.onnx.*results are wrong.*depth differ by'):
        Engine(changed, EngineOptions('cpu'))


def test_a_provider_that_compiles_is_compared_with_the_cpu_at_every_size(
    monkeypatch, model, tmp_path
):
    """A stale engine of a cache is right at one size and wrong at another."""

    def stale(outputs: dict) -> None:
        if outputs['depth'].shape[1:] == (30, 40):
            outputs['depth'] += 5

    provider = Spoiled(stale)
    provider.compiles = True
    use(monkeypatch, provider)
    found = Engine(model, EngineOptions('spoiled', cache_directory=tmp_path), report=print)
    assert found.infer(self_test_image(20, 30)).depth is not None
    with pytest.raises(ProviderError, match='its results are wrong'):
        found.infer(self_test_image(30, 40))


def test_the_fastest_candidate_is_measured_once_and_remembered(monkeypatch, model, tmp_path):
    slow = Spoiled(lambda outputs: [np.sort(np.arange(200_000)[::-1]) for _ in range(20)])
    use(monkeypatch, slow)
    lines: list[str] = []
    options = EngineOptions(cache_directory=tmp_path)
    for _ in range(2):
        found = Engine(model, options, report=lines.append)
        assert (found.provider, found.precision, found.warnings) == ('cpu', 'float32', ())
    assert len(lines) == 2
    assert all('spoiled float32' in line and 'using cpu float32' in line for line in lines)
    assert 'measured before' not in lines[0] and 'measured before' in lines[1]
    assert slow.opened == 1, 'the second start opens the fastest candidate only'


def test_a_cache_that_cannot_be_written_costs_no_correctness(monkeypatch, model, tmp_path):
    blocked = tmp_path / 'file'
    blocked.write_text('not a folder')
    use(monkeypatch, Spoiled(nothing))
    lines: list[str] = []
    found = Engine(model, EngineOptions(cache_directory=blocked), report=lines.append)
    image = self_test_image(20, 30)
    np.testing.assert_array_equal(found.infer(image).labels, expected_labels(image))
    assert len(lines) == 1 and ' ms' in lines[0]


def test_the_form_of_the_cpu_beside_the_file_is_used_by_the_cpu_alone(tmp_path):
    path = make_model(tmp_path / 'model.onnx', self_test=self_test())
    make_model(tmp_path / 'model.cpu.onnx', self_test=self_test(), form='cpu')
    found = Engine(path, EngineOptions('cpu'))
    assert found.file.name == 'model.cpu.onnx'
    assert found.infer(self_test_image(20, 30)).labels is not None


def test_a_form_of_other_weights_beside_the_file_is_ignored(tmp_path):
    path = make_model(tmp_path / 'model.onnx', self_test=self_test())
    make_model(tmp_path / 'model.cpu.onnx', form='cpu', weights_sha256='1' * 64)
    assert Engine(path, EngineOptions('cpu')).file == path


def test_the_form_of_the_cpu_is_refused_by_other_providers(monkeypatch, tmp_path):
    path = make_model(tmp_path / 'model.cpu.onnx', self_test=self_test(), form='cpu')
    use(monkeypatch, Spoiled(nothing))
    assert Engine(path, EngineOptions('cpu')).provider == 'cpu'
    assert Engine(path, EngineOptions(cache_directory=tmp_path)).provider == 'cpu'
    with pytest.raises(ProviderError, match="model.cpu.onnx is the form for 'cpu'"):
        Engine(path, EngineOptions('spoiled'))


def test_a_damaged_form_beside_the_file_is_named(tmp_path):
    path = make_model(tmp_path / 'model.onnx', self_test=self_test())
    (tmp_path / 'model.cpu.onnx').write_bytes(b'\x08\x08')
    with pytest.raises(ModelError, match=r'model\.cpu\.onnx'):
        Engine(path, EngineOptions('cpu'))


def test_int8_needs_the_quantized_form(tmp_path):
    path = make_model(tmp_path / 'model.onnx', self_test=self_test())
    with pytest.raises(ProviderError, match='no quantized form of model.onnx.*--int8'):
        Engine(path, EngineOptions('cpu', 'int8'))
    changes = {'int8_labels_changed': 0.01, 'int8_depth_changed': 0.02}
    make_model(tmp_path / 'model.int8.onnx', self_test=self_test(), form='int8', metrics=changes)
    found = Engine(path, EngineOptions('cpu', 'int8'))
    assert (found.precision, found.file.name) == ('int8', 'model.int8.onnx')
    lines: list[str] = []
    given = Engine(tmp_path / 'model.int8.onnx', EngineOptions('cpu'), report=lines.append)
    assert given.precision == 'int8'
    assert lines == [
        'model.int8.onnx: INT8 changed 1.0% of the labels and depth by 2.0% (median) when the '
        'file was exported.'
    ]
    with pytest.raises(ProviderError, match='is quantized to int8, not float32'):
        Engine(tmp_path / 'model.int8.onnx', EngineOptions('cpu', 'float32'))


def test_the_cpu_is_the_last_candidate_of_every_machine(model, tmp_path):
    found = Engine(model, EngineOptions(cache_directory=tmp_path), report=print)
    assert found.provider in PROVIDERS
    assert list(PROVIDERS)[-1] == 'cpu'
