"""
Open sessions that have proven themselves, on the best provider that works.

:class:`SessionOpener` tries the candidates in order. A candidate that cannot be used, or whose
results are wrong in the self-test, is left with a warning; if it was requested by name, with an
error. Between OpenVINO and ONNX Runtime on the CPU the faster one is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np

from hydranet_ros.errors import HydranetError, ModelError, ProviderError
from hydranet_ros.inference.candidates import (
    Candidate,
    list_candidates,
    model_for,
    unused_gpu_warning,
)
from hydranet_ros.inference.model_file import OUTPUT_TYPES, ModelFile, ModelForms
from hydranet_ros.inference.options import AUTO, EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.proving import (
    References,
    output_shape,
    require_proof,
    run_once,
)
from hydranet_ros.inference.session import Provider, Session, SessionRequest
from hydranet_ros.inference.speed_cache import SpeedCache
from hydranet_ros.inference.subgraph import prune
from hydranet_ros.model_files.metadata import REWRITE_HINT
from hydranet_ros.model_files.selftest import SelfTest, halved_size, self_test_image

_ROUNDS = 5
_MAX_PIXELS = 640 * 480


class SessionOpener:
    """
    Sessions of one model.

    :param models: the model and the forms beside it.
    :param report: receives one line when the fastest candidate was chosen.
    :raises ProviderError: if the requested provider or precision cannot be used.

    ``warnings`` holds why better candidates are not used, one sentence each. ``candidate`` is the
    one in use; it changes only when it fails.
    """

    def __init__(
        self, models: ModelForms, options: EngineOptions, report: Callable[[str], object]
    ) -> None:
        self._models = models
        self._options = options
        self._report = report
        self._candidates = list_candidates(models, options)
        self._references = References(self._cpu_form)
        self.warnings: tuple[str, ...] = ()
        unused = unused_gpu_warning(self._candidates, options)
        if unused:
            self._warn(unused)
        if models.given.info.self_test is None:
            self._warn(
                f'{models.given.path.name} has no self-test, so wrong results of a runtime may go '
                f'unnoticed. {REWRITE_HINT}'
            )

    @property
    def candidate(self) -> Candidate:
        """Return the candidate in use, or the one that is tried next."""
        return self._candidates[0]

    @property
    def provider(self) -> Provider:
        """Return the provider in use."""
        return PROVIDERS[self.candidate.provider]

    @property
    def model(self) -> ModelFile:
        """Return the form of the model in use."""
        return model_for(self.candidate, self._models)

    def _cpu_form(self) -> ModelFile:
        return model_for(Candidate('cpu', 'float32'), self._models)

    def _warn(self, text: str) -> None:
        self.warnings += (text,)

    def open(self, outputs: frozenset[str], size: tuple[int, int] | None = None) -> Session:
        """
        Return a proven session of the candidate in use; after a failure take the next candidate.

        :param size: (H, W) of every image; used by providers that compile for one.
        :raises ProviderError: if the requested provider cannot be used or gives wrong results.
        :raises ModelError: if no provider can load the model.
        """
        while True:
            fixed = size if self.provider.compiles else None
            try:
                return self._proven(self.candidate, outputs, fixed)
            except (ModelError, ProviderError) as err:
                self.reject(err)

    def reject(self, err: HydranetError) -> None:
        """Drop the candidate in use, or raise if there is no other."""
        text = _failure(self.candidate, err)
        if len(self._candidates) == 1:
            raise self._nothing_works({self.candidate: err}) from err
        self._candidates = self._candidates[1:]
        self._warn(f'{text} {self._instead()}')

    def _proven(
        self, candidate: Candidate, outputs: frozenset[str], size: tuple[int, int] | None
    ) -> Session:
        session = PROVIDERS[candidate.provider].open(self.request(candidate, outputs, size))
        try:
            test = self.reference(candidate, size)
            if test is not None:
                require_proof(test, run_once(session, test.image(), outputs), session.precision)
        except Exception:
            session.close()
            raise
        return session

    def request(
        self, candidate: Candidate, outputs: frozenset[str], size: tuple[int, int] | None
    ) -> SessionRequest:
        """Return what a candidate's provider is asked to load."""
        model = model_for(candidate, self._models)
        content = model.content
        if outputs != model.outputs:
            content = prune(content, outputs)
        return SessionRequest(content, model.path, self._options, candidate.precision, size)

    def reference(self, candidate: Candidate, size: tuple[int, int] | None) -> SelfTest | None:
        """
        Return the self-test that a candidate must pass; ``None`` if there is none to compare with.

        :param size: (H, W) of every image, if the provider compiles for one.
        """
        model = model_for(candidate, self._models)
        return self._references.expected(model, candidate.provider, size)

    def choose_fastest(self, outputs: frozenset[str]) -> Session:
        """
        Return the fastest proven session among the candidates that run on the CPU.

        The times are measured once for each model, processor and version, and then kept. With one
        candidate, or with an NVIDIA GPU, nothing is measured.
        """
        rivals = self._candidates
        if len(rivals) == 1 or any(PROVIDERS[item.provider].on_gpu for item in rivals):
            return self.open(outputs)
        cache = SpeedCache(self._options.cache_directory, self._facts(rivals))
        known = cache.read([str(item) for item in rivals])
        if known is not None:
            self._candidates = sorted(rivals, key=lambda item: known[str(item)])
            session = self.open(outputs)
            self._report(f'{_ranking(known)} (measured before); using {self.candidate}.')
            return session
        return self._measure(outputs, cache)

    def _facts(self, rivals: list[Candidate]) -> list[str]:
        info = self._models.given.info
        versions = [PROVIDERS[item.provider].version() for item in rivals]
        limits = f'{self._options.threads} {self._options.device} {info.native_size}'
        return [info.weights_sha256, limits, *versions, *map(str, rivals)]

    def _measure(self, outputs: frozenset[str], cache: SpeedCache) -> Session:
        """Open every candidate that proves itself, measure all in turn, keep the fastest."""
        sessions: dict[Candidate, Session] = {}
        failures: dict[Candidate, HydranetError] = {}
        for candidate in self._candidates:
            try:
                sessions[candidate] = self._proven(candidate, outputs, None)
            except (ModelError, ProviderError) as err:
                failures[candidate] = err
        if not sessions:
            raise self._nothing_works(failures)
        size = halved_size(self._models.given.info.native_size, _MAX_PIXELS)
        times = _milliseconds(sessions, size, outputs)
        self._candidates = sorted(times, key=lambda item: times[item])
        best = self.candidate
        if failures:
            texts = [_failure(*item) for item in failures.items()]
            self._warn(f'{" ".join(texts)} {self._instead()}')
        for candidate, session in sessions.items():
            if candidate != best:
                session.close()
        cache.write({str(item): value for item, value in times.items()})
        self._report(f'{_ranking({str(k): v for k, v in times.items()})}; using {best}.')
        return sessions[best]

    def _nothing_works(self, failures: Mapping[Candidate, HydranetError]) -> HydranetError:
        """Return the error after the last candidate failed."""
        *_, last = failures.values()
        if isinstance(last, ModelError):
            return last
        texts = [_failure(candidate, err) for candidate, err in failures.items()]
        if self._options.provider != AUTO:
            texts.append('It was requested explicitly; set provider to auto.')
        return ProviderError(f'{self._models.given.path}: {" ".join(texts)}')

    def _instead(self) -> str:
        best = self.candidate
        return (
            f'Running on {best} instead. To silence this warning, set provider to '
            f'{best.provider!r} and precision to {best.precision!r}.'
        )


def _failure(candidate: Candidate, err: HydranetError) -> str:
    version = PROVIDERS[candidate.provider].version()
    return (
        f'Provider {candidate.provider!r} ({version}, {candidate.precision}) cannot be used: '
        f'{str(err).rstrip(".")}.'
    )


def _milliseconds(
    sessions: Mapping[Candidate, Session], size: tuple[int, int], outputs: frozenset[str]
) -> dict[Candidate, float]:
    """Return the median milliseconds of each session, measured in turn after one warm-up."""
    images = self_test_image(*size)[None]
    arrays = {name: np.zeros(output_shape(name, 1, size), OUTPUT_TYPES[name]) for name in outputs}
    times: dict[Candidate, list[float]] = {candidate: [] for candidate in sessions}
    for _ in range(_ROUNDS + 1):
        for candidate, session in sessions.items():
            started = time.perf_counter()
            session.run(images, arrays)
            times[candidate].append(1000 * (time.perf_counter() - started))
    return {candidate: median(values[1:]) for candidate, values in times.items()}


def _ranking(times: Mapping[str, float]) -> str:
    ordered = sorted(times.items(), key=lambda item: item[1])
    return ', '.join(f'{name} {value:.1f} ms' for name, value in ordered)
