"""Installed builds of ONNX Runtime, which overwrite each other's files."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from itertools import combinations

# All of them install the module onnxruntime.
RUNTIMES = ('onnxruntime', 'onnxruntime-gpu', 'onnxruntime-openvino', 'onnxruntime-directml')


def runtime_conflicts() -> list[str]:
    """
    Describe each pair of installed packages that contain the module ``onnxruntime``.

    :return: one sentence with the remedy for each pair; empty if nothing conflicts.
    """
    installed = {name: found for name in RUNTIMES if (found := _version(name)) is not None}
    return [_conflict(pair, installed) for pair in combinations(installed, 2)]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _conflict(pair: tuple[str, str], installed: dict[str, str]) -> str:
    """
    Return the sentence about one pair.

    Removing one package also deletes files of the others, so all are removed and one is
    installed again.
    """
    first, second = pair
    remove = f'pip uninstall -y {" ".join(installed)}'
    keep = 'onnxruntime-gpu' if 'onnxruntime-gpu' in installed else 'onnxruntime'
    extra = {'onnxruntime-gpu': 'gpu', 'onnxruntime': 'cpu'}[keep]
    return (
        f'{first} {installed[first]} and {second} {installed[second]} are both installed and '
        f'overwrite the module onnxruntime: run "{remove}", then '
        f'"pip install \'hydranet_ros[{extra}]\'" to keep {keep}.'
    )
