"""Read a model file and the other forms of it that lie beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hydranet_ros.errors import ModelError, ModelNotFoundError
from hydranet_ros.inference.subgraph import metadata, output_names
from hydranet_ros.model_files.forms import sibling
from hydranet_ros.model_files.metadata import REWRITE_HINT, ModelInfo

OUTPUT_TYPES = {
    'labels': np.uint8, 'confidence': np.uint8, 'depth': np.float32, 'normals': np.float32,
}  # fmt: skip


@dataclass(frozen=True)
class ModelFile:
    """
    One model file in memory.

    :param content: bytes of the ONNX file.
    :param outputs: names of the graph's outputs.
    """

    path: Path
    content: bytes
    info: ModelInfo
    outputs: frozenset[str]


def read_model(path: Path) -> ModelFile:
    """
    Read a model file and its metadata.

    :raises ModelNotFoundError: if it does not exist.
    :raises ModelError: if it is damaged or carries no metadata.
    """
    if not path.is_file():
        raise ModelNotFoundError(
            f'Model file {path} does not exist. Get one with: hydranet weights pull NAME, or '
            f'{REWRITE_HINT[0].lower()}{REWRITE_HINT[1:]}'
        )
    try:
        content = path.read_bytes()
    except OSError as err:
        raise ModelError(f'Model file {path} cannot be read: {err}.') from err
    try:
        outputs, values = frozenset(output_names(content)), metadata(content)
    except ValueError as err:
        raise ModelError(
            f'{path} ({len(content)} bytes) is not a complete ONNX file: {err}. Get it again. '
            f'{REWRITE_HINT}'
        ) from err
    info = ModelInfo.from_metadata(values, str(path))
    if not outputs or outputs - set(OUTPUT_TYPES):
        raise ModelError(
            f'{path} has outputs {sorted(outputs)}; expected any of {sorted(OUTPUT_TYPES)}. '
            f'{REWRITE_HINT}'
        )
    return ModelFile(path, content, info, outputs)


class ModelForms:
    """
    A model file and the other forms of it that lie beside it, read when they are needed.

    ``given`` is the given file without its content.

    :param path: any form of the model.
    :raises ModelNotFoundError: if the file does not exist.
    :raises ModelError: if it is damaged or carries no metadata.
    """

    def __init__(self, path: Path) -> None:
        read = read_model(path)
        self.given = replace(read, content=b'')
        self._read: dict[str, ModelFile | None] = {read.info.form: read}

    def first(self, forms: Sequence[str]) -> ModelFile | None:
        """
        Return the first of these forms that exists; a file with other weights is ignored.

        :param forms: of :data:`~hydranet_ros.model_files.metadata.FORMS`, preferred first.
        :raises ModelError: if a file beside the given one is damaged.
        """
        for form in forms:
            if form not in self._read:
                self._read[form] = self._load(form)
            found = self._read[form]
            if found is not None:
                return found
        return None

    def keep_only(self, model: ModelFile) -> None:
        """Free the memory of all other forms; they are read again when they are needed."""
        self._read = {model.info.form: model}

    def _load(self, form: str) -> ModelFile | None:
        given = self.given
        path = given.path if form == given.info.form else sibling(given.path, form)
        if not path.is_file():
            return None
        found = read_model(path)
        same = found.info.weights_sha256 == given.info.weights_sha256
        fits = same and found.info.form == form and found.outputs == given.outputs
        return found if fits else None
