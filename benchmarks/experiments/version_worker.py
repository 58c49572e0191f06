"""
Compute checksums of one version of the package; :mod:`compare_versions` runs it in each checkout.

``python version_worker.py TASK FOLDER`` with the checkout on ``PYTHONPATH``: it prints one line of
JSON, the sha256 of each result by name. It runs by path and imports nothing from ``benchmarks``,
so that the same file works in every checkout. Names that have moved are found through
:data:`LOCATIONS`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

LOCATIONS = {
    'Engine': ('hydranet_ros.inference.engine', 'hydranet_ros.engine'),
    'EngineOptions': (
        'hydranet_ros.inference.options', 'hydranet_ros.inference.providers',
        'hydranet_ros.providers',
    ),
    'Perception': ('hydranet_ros.perception.pipeline', 'hydranet_ros.perception'),
    'Output': (
        'hydranet_ros.perception.outputs', 'hydranet_ros.perception.pipeline',
        'hydranet_ros.perception',
    ),
    'CameraModel': ('hydranet_ros.camera.model', 'hydranet_ros.geometry'),
    'choose_model': ('hydranet_ros.model_files.resolve', 'hydranet_ros.model_choice'),
    'config_file': ('hydranet_ros.resources',),
    'HydraNetConfig': ('hydranet_ros.network.hydranet',),
    'build_hydranet': ('hydranet_ros.network.hydranet',),
    'save_checkpoint': ('hydranet_ros.network.checkpoints',),
    'export_checkpoint': ('hydranet_ros.network.export',),
    'train': ('hydranet_ros.training.train',),
}  # fmt: skip
"""Modules that define a name, newest first; the first that has it is used."""

SEED = 4
IMAGE_SIZES = ((480, 640), (375, 1242), (121, 161))
STEPS = 5
_TRAINING_SIZE = (96, 128)
_TRAINING_IMAGES = 4


def find(name: str) -> Any:
    """
    Return a class or function of the checkout, wherever it is.

    :raises ImportError: if none of its modules exists.
    """
    for module in LOCATIONS[name]:
        try:
            found = getattr(import_module(module), name, None)
        except ModuleNotFoundError as err:
            if not (err.name or '').startswith('hydranet_ros'):
                raise
            continue
        if found is not None:
            return found
    raise ImportError(f'{name} is in none of {", ".join(LOCATIONS[name])}; add its module.')


def ignore_editable_installs() -> None:
    """Remove the import hooks of editable installs, which would find modules of their checkout."""
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if 'editable' not in getattr(finder, '__module__', '')
    ]


def package_folder() -> str:
    """
    Return the folder of the package that was used.

    :raises ImportError: if modules of another folder were used, too.
    """
    folder = Path(str(import_module('hydranet_ros').__file__)).parent
    for name, module in list(sys.modules.items()):
        path = getattr(module, '__file__', None)
        if name.startswith('hydranet_ros.') and path and folder not in Path(path).parents:
            raise ImportError(f'{name} was imported from {path}; expected a module in {folder}.')
    return str(folder)


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def results(folder: Path) -> dict[str, str]:
    """
    Return checksums of mask, depth and cloud of the street model.

    :param folder: folder of the images of the bag, NAME.npy, (H, W, 3) uint8 RGB.
    """
    output = find('Output')
    wanted = frozenset({output.MASK, output.DEPTH, output.POINTS})
    engine = find('Engine')(
        find('choose_model')('street').path, find('EngineOptions')(provider='cpu', threads=1)
    )
    perception = find('Perception')(engine)
    found = {}
    for name, image in images(folder):
        height, width = image.shape[:2]
        camera = find('CameraModel')(
            width, height, 0.9 * width, 0.9 * width, width / 2, height / 2, 'plumb_bob',
            (-0.1, 0.02, 0.0, 0.0, 0.0),
        )  # fmt: skip
        result = perception.process(image, camera, wanted=wanted)
        found[f'mask, {name}'] = sha256(result.labels.tobytes())
        found[f'depth, {name}'] = sha256(result.depth.tobytes())
        found[f'cloud, {name}'] = sha256(result.cloud.data.tobytes())
    return found


def images(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield random images, and those of the folder, (H, W, 3) uint8 RGB."""
    rng = np.random.default_rng(SEED)
    for height, width in IMAGE_SIZES:
        coarse = rng.integers(0, 256, (height // 20 + 1, width // 20 + 1, 3), np.uint8)
        smooth = coarse.repeat(20, 0).repeat(20, 1)[:height, :width]
        noise = rng.integers(0, 30, (height, width, 3), np.uint8)
        yield f'random {width}x{height}', np.ascontiguousarray(smooth // 2 + noise)
    for path in sorted(folder.glob('*.npy')):
        yield f'bag image {path.stem}', np.load(path)


def seeded_network() -> Any:
    """Return a network with random weights, in evaluation mode."""
    import torch

    torch.manual_seed(SEED)
    return find('build_hydranet')(find('HydraNetConfig')(num_classes=6), init='kaiming').eval()


def graphs(folder: Path) -> dict[str, str]:
    """Return checksums of the street model's graph and of an exported one for the CPU."""
    street = find('choose_model')('street').path
    rewritten = street.with_name('street.cpu.onnx')
    found = {'graph of the street model': graph_digest(
        rewritten if rewritten.is_file() else street
    )}  # fmt: skip
    checkpoint = folder / 'seeded.ckpt'
    find('save_checkpoint')(seeded_network(), checkpoint)
    export = find('export_checkpoint')
    # The callback for progress was renamed; both versions have exactly one callable default.
    silent = {
        name: _ignore for name, item in inspect.signature(export).parameters.items()
        if callable(item.default) and item.default is not inspect.Parameter.empty
    }  # fmt: skip
    path = folder / 'model.onnx'
    export(checkpoint, 'street', path, **silent)
    # The form for the CPU was the file itself before it had a file of its own.
    rewritten = path.with_name('model.cpu.onnx')
    found['exported graph for the CPU'] = graph_digest(rewritten if rewritten.is_file() else path)
    return found


def graph_digest(path: Path) -> str:
    """Return the sha256 of the graph of a model file, with its weights, without metadata."""
    import onnx

    graph = onnx.load(str(path)).graph
    graph.doc_string = ''
    for node in graph.node:
        node.doc_string = ''
    return sha256(graph.SerializeToString(deterministic=True))


def _ignore(*_: object) -> None:
    """Ignore progress."""


def weights(folder: Path) -> dict[str, str]:
    """Return checksums of the initial weights, and of those after some training steps."""
    import torch
    import yaml

    write_data_set(folder / 'data')
    text = find('config_file')('train/asymmetric.yaml').read_text(encoding='utf-8')
    recipe = yaml.safe_load(text)
    recipe['data'] = [{'kind': 'folder', 'root': str(folder / 'data')}]
    recipe['seed'] = SEED
    recipe['precision'] = '32-true'
    crop = {'crop': [64, 96], 'scale': [0.85, 1.5], 'photometric': 0.5}
    recipe['stages'] = [{'steps': STEPS, 'batch': 2, 'augmentation': crop}]
    path = folder / 'recipe.yaml'
    path.write_text(yaml.safe_dump(recipe), encoding='utf-8')
    final = find('train')(path, folder / 'run')
    trained = torch.load(final, weights_only=True)['state_dict']
    return {
        'initial weights': state_digest(seeded_network().state_dict()),
        f'weights after {STEPS} training steps': state_digest(trained),
    }


def state_digest(state: dict[str, Any]) -> str:
    """Return the sha256 of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def write_data_set(root: Path) -> None:
    """Write random images with labels and depth, as a data set of the kind ``folder``."""
    import cv2

    rng = np.random.default_rng(SEED)
    for part in ('images', 'labels', 'depth'):
        (root / part).mkdir(parents=True)
    (root / 'manifest.json').write_text(json.dumps({'depth_scale': 256, 'focal_length': 500.0}))
    for index in range(_TRAINING_IMAGES):
        image = rng.integers(0, 256, (*_TRAINING_SIZE, 3), np.uint8)
        labels = rng.integers(0, 6, _TRAINING_SIZE, np.uint8)
        depth = rng.integers(256, 256 * 80, _TRAINING_SIZE, np.uint16)
        for part, pixels in (('images', image), ('labels', labels), ('depth', depth)):
            cv2.imwrite(str(root / part / f'{index}.png'), pixels)


TASKS: dict[str, Callable[[Path], dict[str, str]]] = {
    'results': results, 'graphs': graphs, 'weights': weights,
}  # fmt: skip


def main() -> None:
    """Run the task of the command line and print its checksums and the package's folder."""
    task, folder = sys.argv[1], Path(sys.argv[2])
    stdout = os.dup(1)
    os.dup2(2, 1)  # messages of libraries must not mix with the result
    ignore_editable_installs()
    digests = TASKS[task](folder)
    os.write(stdout, json.dumps({'package': package_folder(), 'sha256': digests}).encode())


if __name__ == '__main__':
    main()
