"""
The cache of models that OpenVINO has compiled.

OpenVINO's own cache loads a file with changed bytes without an error, and the results are wrong.
So each file here begins with the digest of its content.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from hydranet_ros.files import write_atomically
from hydranet_ros.inference.processor import processor_identity
from hydranet_ros.resources import user_cache_directory

if TYPE_CHECKING:
    from hydranet_ros.inference.session import SessionRequest

logger = logging.getLogger(__name__)
_DIGEST_BYTES = 32


class BlobCache:
    """
    The compiled form of one model for one device.

    :param device: name of the device in OpenVINO.
    :param facts: everything else that the compiled form depends on: version and properties.
    """

    def __init__(self, request: SessionRequest, device: str, facts: str) -> None:
        folder = request.options.cache_directory or user_cache_directory()
        content = hashlib.sha256(request.model).hexdigest()
        key = '\n'.join([content, processor_identity(), device, str(request.size), facts])
        name = hashlib.sha256(key.encode()).hexdigest()[:24]
        self._path = folder / 'openvino' / f'{name}.blob'

    def read(self) -> bytes | None:
        """Return what was written, ``None`` if it is missing or damaged."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return None
        digest, blob = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return blob if hashlib.sha256(blob).digest() == digest else None

    def write(self, make: Callable[[], bytes]) -> None:
        """
        Keep a compiled model; a failure is logged and costs time at the next start only.

        :param make: returns the compiled model; may raise ``RuntimeError``.
        """
        try:
            blob = make()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, hashlib.sha256(blob).digest() + blob)
        except (OSError, RuntimeError) as err:
            logger.info('The model compiled by OpenVINO is not kept: %s', err)
