"""Names of the files that hold the forms of one model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FORM_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {'portable': '.onnx', 'cpu': '.cpu.onnx', 'int8': '.int8.onnx'}
)
"""End of the file name of each form; see :data:`~hydranet_ros.model_files.metadata.FORMS`."""


def sibling(path: Path, form: str) -> Path:
    """
    Return the path beside a model file that holds another form of it.

    :param path: NAME.onnx, NAME.cpu.onnx or NAME.int8.onnx; the file may not exist.
    :param form: key of :data:`FORM_SUFFIXES`.
    """
    longest_first = sorted(FORM_SUFFIXES.values(), key=len, reverse=True)
    for suffix in longest_first:
        if path.name.endswith(suffix):
            return path.with_name(path.name[: -len(suffix)] + FORM_SUFFIXES[form])
    return path.with_name(path.name + FORM_SUFFIXES[form])
