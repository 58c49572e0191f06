"""The ways to run a model that a user's options allow, in the order in which they are tried."""

from __future__ import annotations

from dataclasses import dataclass

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.model_file import ModelFile, ModelForms
from hydranet_ros.inference.nvidia import gpu_name
from hydranet_ros.inference.onnx_session import available
from hydranet_ros.inference.options import AUTO, EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.session import Provider
from hydranet_ros.model_files.metadata import INT8


@dataclass(frozen=True)
class Candidate:
    """A provider and the precision it computes in."""

    provider: str
    precision: str

    def __str__(self) -> str:
        """Return both, for messages."""
        return f'{self.provider} {self.precision}'


def list_candidates(models: ModelForms, options: EngineOptions) -> list[Candidate]:
    """
    Return the candidates that are installed and accept the model, best first.

    :raises ProviderError: if the requested provider or precision cannot be used.
    """
    if options.provider != AUTO and options.provider not in PROVIDERS:
        raise ProviderError(
            f'Provider {options.provider!r} is unknown; allowed: auto, {", ".join(PROVIDERS)}.'
        )
    names = list(PROVIDERS) if options.provider == AUTO else [options.provider]
    found: list[Candidate] = []
    reasons: list[str] = []
    for name in names:
        provider = PROVIDERS[name]
        reason = provider.missing() or _refusal(provider, models, options)
        if reason:
            reasons.append(f'Provider {name!r} cannot be used: {reason}.')
        else:
            chosen = _precisions(provider, models, options)
            found += [Candidate(name, precision) for precision in chosen]
    if not found:
        text = ' '.join(reasons)
        if options.provider != AUTO:
            text += ' It was requested explicitly; to take the best one, set provider to auto.'
        raise ProviderError(text)
    return found


def unused_gpu_warning(candidates: list[Candidate], options: EngineOptions) -> str:
    """Return a warning if an NVIDIA GPU is not used, or without TensorRT; else ``''``."""
    if options.provider != AUTO:
        return ''
    names = [item.provider for item in candidates]
    if 'cuda' in names:
        reason = None if 'tensorrt' in names else PROVIDERS['tensorrt'].missing()
        end = "To silence this warning, set provider to 'cuda'."
        return f'TensorRT is not used: {reason}. {end}' if reason else ''
    if any(PROVIDERS[name].on_gpu for name in names):
        return ''
    gpu = gpu_name(options.gpu if options.device.isdecimal() else 0)
    if not gpu and not available('cuda'):
        return ''
    reason = PROVIDERS['cuda'].missing() or 'no form of this model runs on it'
    return (
        f'{f"The GPU ({gpu})" if gpu else "An NVIDIA GPU"} is not used: {reason}. '
        f'To silence this warning, set provider to {candidates[0].provider!r}.'
    )


def model_for(candidate: Candidate, models: ModelForms) -> ModelFile:
    """
    Return the form of the model that a candidate runs.

    :raises ModelError: if the file that holds it is damaged.
    :raises ProviderError: if there is no such form.
    """
    forms = (INT8,) if candidate.precision == INT8 else PROVIDERS[candidate.provider].forms
    found, model = models.first(forms), models.given
    if found is None:
        raise ProviderError(
            f'{model.path} has the form {model.info.form!r}, which {candidate.provider!r} does '
            f'not run; it needs one of {", ".join(forms)}. Export the model again; hydranet '
            'export writes every form.'
        )
    return found


def _refusal(provider: Provider, models: ModelForms, options: EngineOptions) -> str:
    """Return why a provider does not take this model or precision, or an empty string."""
    model, precision = models.given, options.precision
    if precision not in (AUTO, *provider.precisions):
        return f'it computes in {", ".join(provider.precisions)}, not in the requested {precision}'
    form = model.info.form
    if form == INT8:
        if precision not in (AUTO, INT8):
            return f'{model.path.name} is quantized to int8, not {precision}'
        return '' if INT8 in provider.precisions else 'it cannot run a model quantized to int8'
    if precision == INT8 and models.first((INT8,)) is None:
        return (
            f'there is no quantized form of {model.path.name}; write it with: hydranet export '
            'CHECKPOINT --preset NAME -o FILE.onnx --int8 FOLDER'
        )
    if precision != INT8 and models.first(provider.forms) is None:
        return (
            f'{model.path.name} is the form for {form!r}, and the file for this provider is not '
            'beside it'
        )
    return ''


def _precisions(provider: Provider, models: ModelForms, options: EngineOptions) -> tuple[str, ...]:
    if options.precision != AUTO:
        return (options.precision,)
    return (INT8,) if models.given.info.form == INT8 else provider.automatic_precisions(options)
