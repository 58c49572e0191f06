"""Proven sessions whose images and outputs are in the memory of a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.gpu.device import Device
from hydranet_ros.inference.gpu.runner import DeviceRunner
from hydranet_ros.inference.gpu.session import DeviceSession
from hydranet_ros.inference.lru_cache import LruCache
from hydranet_ros.inference.model_file import OUTPUT_TYPES
from hydranet_ros.inference.onnx_providers import OnnxProvider
from hydranet_ros.inference.onnx_session import DevicePlacement, first_line
from hydranet_ros.inference.proving import output_shape, require_proof
from hydranet_ros.inference.sessions import SessionOpener

_SESSIONS_KEPT = 3
Size = tuple[int, int]


class DeviceSessions:
    """
    The sessions of one model on one device, each for a set of outputs and an image size.

    A session replays a CUDA graph if the model allows one. Each runs the self-test first.

    :param runner: runs frames on the device.
    :param report: receives a line when a session runs without a CUDA graph, and the notes of the
        provider.
    :param path: the model file, for messages.
    """

    def __init__(
        self, opener: SessionOpener, runner: DeviceRunner, report: Callable[[str], object],
        path: Path,
    ) -> None:  # fmt: skip
        self._opener = opener
        self._runner = runner
        self._report = report
        self._path = path
        self._graphs = True
        self._sessions: LruCache[DeviceSession] = LruCache(_SESSIONS_KEPT)

    def get(self, outputs: frozenset[str], size: Size) -> DeviceSession:
        """
        Return the session for these outputs and images of (H, W).

        :raises ProviderError: if the provider cannot be used or gives wrong results.
        :raises ModelError: if the network cannot run on images of this size.
        """
        return self._sessions.get((outputs, size), lambda: self._open(outputs, size))

    def clear(self) -> None:
        """Free every session."""
        self._sessions.clear()

    def _open(self, outputs: frozenset[str], size: Size) -> DeviceSession:
        try:
            return self._try_open(outputs, size)
        except ProviderError:
            raise
        except Exception as err:
            if not self._graphs:
                raise ModelError(
                    f'{self._path} failed on an image of {size[1]}x{size[0]}: {first_line(err)}'
                ) from err
            self._graphs = False
            self._report(f'{self._path.name} runs without a CUDA graph: {first_line(err)}.')
            self._sessions.clear()  # they run on the old stream
            self._runner.device.renew()
            return self._open(outputs, size)

    def _try_open(self, outputs: frozenset[str], size: Size) -> DeviceSession:
        device: Device = self._runner.device
        provider, candidate = self._opener.provider, self._opener.candidate
        if not isinstance(provider, OnnxProvider):
            raise ProviderError(f'{candidate} does not run on an NVIDIA GPU.')
        types = {name: (output_shape(name, 1, size)[1:], OUTPUT_TYPES[name]) for name in outputs}
        request = self._opener.request(candidate, outputs, size)
        opened = provider.runtime_session(
            request, DevicePlacement(device.work, size, self._graphs)
        )
        session = DeviceSession(opened, device, size, types)
        session.warm_up(device)
        self._prove(session, size)
        for note in provider.notes(opened):
            self._report(f'{self._path.name}: {note}')
        return session

    def _prove(self, session: DeviceSession, size: Size) -> None:
        """
        Run the self-test of this size on the device.

        :raises ProviderError: if the results are wrong.
        """
        candidate = self._opener.candidate
        test = self._opener.reference(candidate, size)
        if test is None:
            return
        frame = self._runner.start(session, test.image())
        for name in session.outputs:
            frame.take(name)
        require_proof(test, frame.fetch().wait(), candidate.precision)
