"""
Metrics over data sets: of a network while it trains, and of an exported model.

Full image, batch 1, pooled over all pixels, as the official code evaluates. An exported model is
run by the very engine that the node uses::

    python -m hydranet_ros.training.evaluate models/street.onnx camvid:CAMVID/val scenes:FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.network.hydranet import HydraNet
from hydranet_ros.training.batches import normalise
from hydranet_ros.training.config import TrainConfig
from hydranet_ros.training.datasets import load
from hydranet_ros.training.losses import resize_to
from hydranet_ros.training.metrics import ConfusionMatrix, DepthErrors
from hydranet_ros.training.sample import Sample

# Maps an image (H, W, 3) uint8 RGB to ``labels`` (H, W) and ``depth`` (H, W) metres as the
# training camera would see them, each where the model has that task.
Predictor = Callable[[NDArray[np.uint8]], dict[str, NDArray]]


@torch.no_grad()
def predict(network: HydraNet, image: NDArray[np.uint8]) -> dict[str, NDArray]:
    """
    Return ``labels`` (H, W) int64 and ``depth`` (H, W) float32 metres of an RGB image.

    Logits are brought to the image's size before the argmax.
    """
    size = image.shape[:2]
    outputs = network(normalise(torch.from_numpy(image).permute(2, 0, 1)[None]))
    found = {}
    if 'segmentation' in outputs:
        found['labels'] = resize_to(outputs['segmentation'], size)[0].argmax(0).numpy()
    if 'depth' in outputs:
        found['depth'] = resize_to(outputs['depth'], size)[0, 0].abs().numpy()
    return found


def measure(
    predictor: Predictor, samples: Iterable[Sample], *, num_classes: int, focal_length: float
) -> dict[str, float]:
    """
    Return ``miou`` where there are labels, and the depth errors where there is depth.

    Depth is compared in metres of the sample's own camera.

    :param focal_length: pixels, of the camera whose depth scale the predictor has.
    """
    confusion = ConfusionMatrix(num_classes)
    errors = DepthErrors()
    for sample in samples:
        found = predictor(sample.image)
        if sample.labels is not None and 'labels' in found:
            confusion.add(sample.labels, found['labels'])
        if sample.depth is not None and 'depth' in found:
            errors.add(sample.depth, found['depth'] * (sample.focal_length / focal_length))
    row = {'miou': confusion.mean_iou} if confusion.counts.any() else {}
    return {**row, **errors.summary()}


def evaluate_network(
    network: HydraNet, sets: Sequence[Iterable[Sample]], config: TrainConfig
) -> dict[str, float]:
    """Return ``miou`` of the first set and the depth errors of the first set that has depth."""
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    row: dict[str, float] = {}
    for samples in sets:
        found = measure(
            lambda image: predict(network, image), samples,
            num_classes=config.num_classes, focal_length=config.depth_focal_length,
        )  # fmt: skip
        row = {**found, **row}
    return row


def evaluate_model(path: Path, samples: Iterable[Sample]) -> dict[str, float]:
    """
    Return the metrics of an exported model, run by the engine on the CPU.

    :raises ModelError: if the file is not a model of this package.
    """
    from hydranet_ros.engine import Engine, EngineOptions

    engine = Engine(path, EngineOptions(provider='cpu'))
    wanted = engine.outputs & {'labels', 'depth'}

    def predictor(image: NDArray[np.uint8]) -> dict[str, NDArray]:
        found = engine.infer(np.ascontiguousarray(image), wanted)
        return {name: getattr(found, name) for name in wanted}

    try:
        return measure(
            predictor, samples, num_classes=len(engine.info.classes),
            focal_length=engine.info.training_focal_length,
        )  # fmt: skip
    finally:
        engine.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the metrics of a model over each data set, as a table or as JSON."""
    parser = argparse.ArgumentParser(description='Measure an exported model.')
    parser.add_argument('model', type=Path)
    parser.add_argument('data', nargs='+', metavar='KIND:FOLDER')
    parser.add_argument('--json', action='store_true', help='one JSON object instead of lines')
    given = parser.parse_args(arguments)
    found = {item: evaluate_model(given.model, _samples(item)) for item in given.data}
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for item, row in found.items():
        print(item, '  '.join(f'{name} {value:.4f}' for name, value in row.items()))


def _samples(item: str) -> list[Sample]:
    kind, separator, folder = item.partition(':')
    if not separator:
        raise DatasetError(f'Got {item!r}; expected KIND:FOLDER, for example camvid:data/val.')
    path = Path(folder)
    return load(kind, path.parent, path.name) if kind == 'camvid' else load(kind, path)


if __name__ == '__main__':
    main()
