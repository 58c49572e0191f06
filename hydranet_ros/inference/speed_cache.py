"""
Remember which of several right ways to run a model was the fastest on this machine.

Measuring takes a second or more, so the result is kept in the user's cache. A cache that cannot
be read or written costs that second at the next start, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydranet_ros.files import write_atomically
from hydranet_ros.inference.processor import processor_identity
from hydranet_ros.resources import user_cache_directory

logger = logging.getLogger(__name__)


class SpeedCache:
    """
    Measured milliseconds by candidate, for one model on one machine.

    :param folder: folder of all caches, ``None`` for the user's.
    :param facts: everything the times depend on, beside the processor: model, versions, threads.
    """

    def __init__(self, folder: Path | None, facts: Sequence[str]) -> None:
        key = hashlib.sha256('\n'.join([processor_identity(), *facts]).encode()).hexdigest()[:24]
        self._path = (folder or user_cache_directory()) / 'speed' / f'{key}.json'

    def read(self, candidates: Sequence[str]) -> Mapping[str, float] | None:
        """Return the milliseconds of exactly these candidates, ``None`` if they are unknown."""
        try:
            found = json.loads(self._path.read_text(encoding='utf-8'))
            times = {str(name): float(value) for name, value in found.items()}
        except (OSError, ValueError, AttributeError, TypeError, RecursionError):
            return None
        return times if set(times) == set(candidates) else None

    def write(self, times: Mapping[str, float]) -> None:
        """Keep the milliseconds of each candidate."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(times).encode())
        except OSError as err:
            logger.info('Measured times are not kept: %s', err)
