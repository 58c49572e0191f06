"""Installed builds of ONNX Runtime, which overwrite each other's files."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import combinations

# All of them install the module onnxruntime.
RUNTIMES = ('onnxruntime', 'onnxruntime-gpu', 'onnxruntime-openvino', 'onnxruntime-directml')


REMOVE = 'pip uninstall -y onnxruntime onnxruntime-gpu'
INCOMPLETE = (
    'Files of the module onnxruntime are missing, as after removing one of two builds of ONNX '
    f'Runtime: run "{REMOVE}", then "pip install \'hydranet_ros[cpu]\'" (or [gpu]).'
)


def runtime_conflicts() -> list[str]:
    """
    Describe what is wrong with the installed packages that contain the module ``onnxruntime``.

    :return: one sentence with the remedy for each pair, and one if the module is incomplete;
        empty if nothing is wrong.
    """
    installed = {name: text for name in RUNTIMES if (text := _version(name)) is not None}
    found = [_conflict(pair, installed) for pair in combinations(installed, 2)]
    return [*found, *([INCOMPLETE] if module_is_incomplete() else [])]


def module_is_incomplete() -> bool:
    """
    Return whether a package is installed without its module ``onnxruntime``; does not import it.

    ``pip uninstall`` of one of two builds removes files of the other, in most cases all.
    """
    spec = find_spec('onnxruntime')
    if spec is None:
        return any(_version(name) is not None for name in RUNTIMES)
    return spec.origin is None


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
