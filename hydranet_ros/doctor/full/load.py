"""Step 3: load a model on a provider: time to compile, time from the cache, memory, nodes."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from hydranet_ros.doctor.full.libraries import mapped_libraries
from hydranet_ros.doctor.full.one_convolution import assigned_nodes
from hydranet_ros.doctor.full.outcome import judged
from hydranet_ros.doctor.provider_trial import describe
from hydranet_ros.inference.candidates import Candidate, model_for
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.model_file import ModelForms
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.session import SessionRequest

SIZE = (480, 640)


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Open a model twice and run it once each time; the second time the cache is filled.

    :param arguments: ``model``, ``provider``, ``precision``, ``cache``.
    """
    path = Path(arguments['model'])
    options = EngineOptions(
        provider=arguments['provider'], precision=arguments['precision'],
        cache_directory=Path(arguments['cache']),
    )  # fmt: skip
    before = memory()
    seconds = {}
    lines: list[str] = []
    for name in ('first', 'cached'):
        started = time.perf_counter()
        with closing(Engine(path, options, report=lines.append)) as engine:
            opened = time.perf_counter() - started
            engine.warm_up(*SIZE, engine.outputs)
            seconds[name] = time.perf_counter() - started
            found = {**describe(engine), 'open_seconds': opened, 'device': bool(engine.device)}
        yield {'seconds': seconds, 'log': lines, **found}
    yield {'memory': {'before': before, 'after': memory(), 'peak': peak_memory(),
                      'gpu': gpu_memory()}, 'mapped': mapped_libraries()}  # fmt: skip
    yield {'nodes': nodes(path, options, found['precision'])}
    test = found.get('self_test')
    problems = ['the model has no self-test'] if test is None else []
    problems += [] if test is None or test['passed'] else ['the self-test failed']
    yield judged(problems, f'{found["precision"]}, first {seconds["first"]:.1f} s, from the '
                 f'cache {seconds["cached"]:.1f} s, {peak_memory() / 1e6:.0f} MB')  # fmt: skip


def nodes(path: Path, options: EngineOptions, precision: str) -> dict[str, dict[str, int]]:
    """Return the number of nodes by operator, by provider; empty if it is not recorded."""
    provider = PROVIDERS[options.provider]
    if not provider.on_gpu:
        return {}
    model = model_for(Candidate(options.provider, precision), ModelForms(path))
    size = SIZE if provider.compiles else None
    request = SessionRequest(model.content, path, options, precision, size)
    with closing(provider.open(request)) as session:
        return assigned_nodes(session)


def gpu_memory() -> int:
    """Return the used memory of the GPU in bytes; 0 without CuPy."""
    with suppress(Exception):  # CuPy's own errors, where there is no GPU
        import cupy

        free, total = cupy.cuda.runtime.memGetInfo()
        return int(total - free)
    return 0


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    return pages * resource.getpagesize()


def peak_memory() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
