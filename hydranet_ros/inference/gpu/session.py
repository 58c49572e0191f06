"""An ONNX Runtime session bound to fixed addresses of a device, as a CUDA graph requires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from hydranet_ros.inference.gpu.device import Block, Device, Queue
from hydranet_ros.inference.onnx_session import import_runtime

_RUNS_UNTIL_CAPTURED = 3


class DeviceSession:
    """
    An ONNX Runtime session bound to one input and one set of outputs on a device.

    :param session: ``onnxruntime.InferenceSession`` that runs on the device's work stream.
    :param size: (H, W) of the images.
    :param outputs: shape, without the batch, and dtype of each output.

    ``image`` is the block the session reads, (1, H, W, 3) uint8; ``results`` the blocks it
    writes.
    """

    def __init__(
        self, session: Any, device: Device, size: tuple[int, int],
        outputs: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
    ) -> None:  # fmt: skip
        self._session = session
        self.outputs = outputs
        self.image: Block = device.allocate(3 * size[0] * size[1])
        self.results: dict[str, Block] = {}
        self._binding = session.io_binding()
        place = (device.memory, device.number)
        self._binding.bind_input('image', *place, np.uint8, (1, *size, 3), self.image.ptr)
        for name, (shape, kind) in outputs.items():
            dtype = np.dtype(kind)
            self.results[name] = device.allocate(int(np.prod(shape)) * dtype.itemsize)
            self._binding.bind_output(
                name, *place, dtype.type, (1, *shape), self.results[name].ptr
            )
        self._options = import_runtime().RunOptions()
        # By default a run returns only when the device is done.
        self._options.add_run_config_entry('disable_synchronize_execution_providers', '1')

    def run(self) -> None:
        """Queue the network on the work stream."""
        self._session.run_with_iobinding(self._binding, self._options)

    def warm_up(self, device: Device) -> None:
        """Run until engines are built, algorithms chosen and the graph captured."""
        for _ in range(_RUNS_UNTIL_CAPTURED):
            self.run()
        device.record(Queue.WORK).synchronize()
