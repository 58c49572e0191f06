"""The table of steps, and the cases of each for what the first step found on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import util
from pathlib import Path
from typing import Any

from hydranet_ros.doctor.checks import Status
from hydranet_ros.doctor.full.outcome import Case, Step
from hydranet_ros.doctor.model_files import find_model_files, included_model
from hydranet_ros.doctor.ros_environment import check_rclpy
from hydranet_ros.inference.candidates import INT8
from hydranet_ros.inference.options import AUTO
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.model_files.forms import FORM_SUFFIXES, sibling

_PACKAGE = 'hydranet_ros.doctor.full'
_COMPILERS = ('tensorrt', 'openvino')
"""Providers that keep compiled models."""
_NODE_SECONDS = 30.0
_NO_GPU = 'no NVIDIA GPU'
Survey = Mapping[str, Any]
"""Results of the first step, and ``cache``, the folder of compiled models."""


def plan_environment(survey: Survey) -> Iterator[Case]:
    """Describe the machine."""
    yield Case('', f'{_PACKAGE}.environment', {}, 60)


def plan_convolution(survey: Survey) -> Iterator[Case]:
    """Try each provider and precision on a small model."""
    for name, reason in _missing(survey).items():
        for precision in survey.get('precisions', {}).get(name, ['float32']):
            arguments = {'provider': name, 'precision': precision, 'cache': survey['cache']}
            label = name if reason else f'{name} {precision}'
            yield Case(label, f'{_PACKAGE}.one_convolution', arguments, 60, reason=reason)


def plan_load(survey: Survey) -> Iterator[Case]:
    """Test every file on the CPU, and load every portable model on each provider."""
    yield Case('self-tests', f'{_PACKAGE}.self_tests', {}, 120)
    yield from _each_provider(survey, 'load', 150)
    for model in _other_models():
        for name in _installed(survey):
            yield _case(survey, 'load', name, AUTO, model, 100)


def plan_correctness(survey: Survey) -> Iterator[Case]:
    """Compare each provider with the reference."""
    yield from _each_provider(survey, 'correctness', 120, seconds=30)


def plan_postprocessing(survey: Survey) -> Iterator[Case]:
    """Compare the post-processing on the GPU with that on the CPU."""
    reason = '' if util.find_spec('cupy') else "CuPy is missing: pip install 'hydranet_ros[gpu]'"
    yield Case('', f'{_PACKAGE}.postprocessing', {}, 60, reason=_without_gpu(survey) or reason)


def plan_sanitizer(survey: Survey) -> Iterator[Case]:
    """Look for wrong memory accesses on the GPU."""
    name = _first_installed(survey, ('cuda', 'tensorrt'))
    reason = '' if name else 'neither CUDA nor TensorRT is installed'
    arguments = {'model': str(included_model()), 'provider': name, 'cache': survey['cache']}
    yield Case('', f'{_PACKAGE}.sanitizer', arguments, 90, reason=_without_gpu(survey) or reason)


def plan_timing(survey: Survey) -> Iterator[Case]:
    """Time each provider, and TensorRT's own program as a reference."""
    yield from _each_provider(survey, 'timing', 80, seconds=20)
    arguments = {'model': str(included_model())}
    yield Case('trtexec', f'{_PACKAGE}.trtexec', arguments, 60, reason=_without_gpu(survey))


def plan_node(survey: Survey) -> Iterator[Case]:
    """Start the node."""
    works = check_rclpy().status in (Status.OK, Status.WARNING)
    no_ros = '' if works else 'rclpy is not installed'
    yield _node_case('start', 'first cloud', AUTO, no_ros)
    yield _node_case('hidden', 'GPU hidden', AUTO, no_ros or _without_gpu(survey))
    compiler = _first_installed(survey, _COMPILERS)
    no_cache = '' if compiler else 'no installed provider keeps compiled models'
    yield _node_case('damaged', 'damaged cache', compiler, no_ros or no_cache)


STEPS = (
    Step(1, 'environment', 30, plan_environment),
    Step(2, 'convolution', 50, plan_convolution),
    Step(3, 'load', 150, plan_load),
    Step(4, 'correctness', 130, plan_correctness),
    Step(5, 'postprocessing', 20, plan_postprocessing),
    Step(6, 'sanitizer', 40, plan_sanitizer),
    Step(7, 'timing', 90, plan_timing),
    Step(8, 'node', 60, plan_node),
)
"""The shares add up to 570 seconds; what a step leaves, the later ones may use."""


def _each_provider(survey: Survey, module: str, limit: float, **more: Any) -> Iterator[Case]:
    """Yield a case for each provider and precision with the included model, int8 last."""
    missing = ', '.join(name for name, reason in _missing(survey).items() if reason)
    if missing:
        yield Case(missing, reason='not installed; see step 2')
    model = included_model()
    if model is None:
        yield Case(reason='the included model is missing')
        return
    quantized = sibling(model, INT8).is_file()
    for name in _installed(survey):
        for precision in _requestable(survey, name):
            yield _case(survey, module, name, precision, model, limit, **more)
        if quantized and INT8 in PROVIDERS[name].precisions:
            yield _case(survey, module, name, INT8, model, limit, **more)


def _requestable(survey: Survey, name: str) -> list[str]:
    """Return the precisions that a user can request; the first may be ``auto`` for another."""
    allowed = PROVIDERS[name].precisions
    found = survey.get('precisions', {}).get(name, [AUTO])
    return [item if item in allowed else AUTO for item in found[:1]] + [
        item for item in found[1:] if item in allowed
    ]


def _case(
    survey: Survey, module: str, provider: str, precision: str, model: Path, limit: float,
    **more: Any,
) -> Case:  # fmt: skip
    arguments = {'model': str(model), 'provider': provider, 'precision': precision,
                 'cache': survey['cache'], **more}  # fmt: skip
    label = f'{provider} {precision} {model.name}'
    return Case(label, f'{_PACKAGE}.{module}', arguments, limit)


def _node_case(case: str, label: str, provider: str, reason: str) -> Case:
    arguments = {'case': case, 'provider': provider, 'seconds': _NODE_SECONDS}
    return Case(label, f'{_PACKAGE}.node', arguments, 2.5 * _NODE_SECONDS, reason=reason)


def _missing(survey: Survey) -> Mapping[str, str]:
    """Return why each provider is not installed; if the first step failed, all are tried."""
    return survey.get('missing', dict.fromkeys(PROVIDERS, ''))


def _installed(survey: Survey) -> list[str]:
    return [name for name, reason in _missing(survey).items() if not reason]


def _first_installed(survey: Survey, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in _installed(survey)), '')


def _without_gpu(survey: Survey) -> str:
    return '' if survey.get('gpu') else _NO_GPU


def _other_models() -> list[Path]:
    """Return the portable files beside the included one."""
    ends = tuple(suffix for form, suffix in FORM_SUFFIXES.items() if form != 'portable')
    files = [path for path in find_model_files() if not path.name.endswith(ends)]
    return [path for path in files if path.resolve() != included_model()]
