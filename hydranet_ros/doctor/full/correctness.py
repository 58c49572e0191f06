"""
Step 4: compare a provider with the reference on street images and noise, and with itself.

The reference is the portable form of the model in ONNX Runtime's CPU provider, in float32. Then
frames of three sizes and two sets of outputs alternate, and each must equal its first run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.doctor.full.images import noise, street_images
from hydranet_ros.doctor.full.outcome import judged
from hydranet_ros.doctor.provider_trial import arrays
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.model_file import ModelForms
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.proving import run_once
from hydranet_ros.inference.session import Session, SessionRequest
from hydranet_ros.model_files.selftest import TOLERANCES, output_metrics

SIZES = ((480, 640), (479, 641), (375, 1242))
ALTERNATING = 200
_STREETS = 3
Outputs = Mapping[str, NDArray]


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Yield the deviations by image, then what the alternating frames gave.

    :param arguments: ``model``, ``provider``, ``precision``, ``cache``; ``seconds``: for the
        alternating frames at most.
    """
    path, cache = Path(arguments['model']), Path(arguments['cache'])
    options = EngineOptions(
        provider=arguments['provider'], precision=arguments['precision'], cache_directory=cache
    )
    problems: list[str] = []
    with closing(Engine(path, options)) as engine:
        with closing(reference_session(path)) as reference:
            found, problems = compare_all(engine, reference)
        yield {'precision': engine.precision, 'warnings': list(engine.warnings),
               'deviations': found}  # fmt: skip
        until = time.monotonic() + float(arguments['seconds'])
        count, differing = alternate(engine, until)
    if differing:
        problems.append(f'{differing} of {count} alternating frames differ from their first run')
    yield judged(
        problems,
        f'{engine.precision}: {_worst(found, "street")} in streets, {_worst(found, "noise")} in '
        f'noise; {count} alternating frames repeat exactly',
        alternating={'frames': count, 'differing': differing},
    )


def _worst(found: Mapping[str, Mapping[str, float]], kind: str) -> str:
    """Return the largest deviations among the images of a kind, for the screen."""
    texts = {'labels': 'labels', 'depth': 'depth (median)', 'normals': 'normals'}
    images = [item for name, item in found.items() if name.startswith(kind)]
    return ', '.join(
        f'{text} {max(item[metric] for item in images):.2g}'
        for metric, text in texts.items() if metric in images[0]
    )  # fmt: skip


def reference_session(path: Path) -> Session:
    """
    Return the portable form on the CPU provider; without one, the given form.

    :raises ModelError: if the CPU provider cannot load it.
    """
    forms = ModelForms(path)
    model = forms.first(('portable',)) or forms.given
    options = EngineOptions(provider='cpu')
    precision = 'int8' if model.info.form == 'int8' else 'float32'
    return PROVIDERS['cpu'].open(SessionRequest(model.content, model.path, options, precision))


def compare_all(
    engine: Engine, reference: Session
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Return the deviations of every image by its name, and what is beyond the tolerance."""
    found: dict[str, dict[str, float]] = {}
    problems = []
    for height, width in SIZES:
        images = street_images(_STREETS, (height, width)) + [noise((height, width))]
        for index, image in enumerate(images):
            name = f'{"noise" if index == _STREETS else f"street {index}"} {width}x{height}'
            right = run_once(reference, image, engine.outputs)
            found[name] = deviations(arrays(engine.infer(image, engine.outputs)), right)
            # Noise lies between the classes, where rounding decides.
            if index < _STREETS or engine.precision == 'float32':
                problems += [f'{name}: {text}' for text in beyond(found[name], engine.precision)]
    return found, problems


def deviations(outputs: Outputs, right: Outputs) -> dict[str, float]:
    """
    Return the deviations by metric; NaN where an output is not finite.

    They are those of the self-test, for all pixels, and ``depth_max``: the largest relative
    difference of depth.
    """
    found: dict[str, float] = {}
    for name, values in outputs.items():
        found |= output_metrics(name, right[name], values)
        if name == 'depth':
            difference = np.abs(values.astype(np.float64) - right[name])
            found['depth_max'] = float((difference / np.maximum(np.abs(right[name]), 1e-6)).max())
    return found


def beyond(found: Mapping[str, float], precision: str) -> list[str]:
    """Return the metrics that are beyond the tolerance of a precision; NaN is."""
    limits = TOLERANCES[precision]
    return [
        f'{name} {value:.3g} (allowed: {limits[name]:g})'
        for name, value in found.items() if name in limits and not value <= limits[name]
    ]  # fmt: skip


def alternate(engine: Engine, until: float) -> tuple[int, int]:
    """
    Run frames whose sizes and outputs alternate; return their number, and how many differ.

    :param until: end on the clock of ``time.monotonic``; every case is repeated at least once.
    """
    cases = [(street_images(1, size)[0], outputs)
             for outputs in _sets(engine.outputs) for size in SIZES]  # fmt: skip
    first = [_copied(arrays(engine.infer(*case))) for case in cases]
    differing = 0
    for count in range(ALTERNATING):
        if time.monotonic() > until and count >= len(cases):
            return count, differing
        index = count % len(cases)
        found = arrays(engine.infer(*cases[index]))
        differing += not all(np.array_equal(found[name], first[index][name]) for name in found)
    return ALTERNATING, differing


def _sets(outputs: frozenset[str]) -> Sequence[frozenset[str]]:
    return list(dict.fromkeys([outputs, frozenset(sorted(outputs)[:1])]))


def _copied(outputs: Outputs) -> Outputs:
    return {name: values.copy() for name, values in outputs.items()}
