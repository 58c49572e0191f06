"""Step 6: one frame under NVIDIA's ``compute-sanitizer``, which finds wrong memory accesses."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from hydranet_ros.doctor.full.images import street_images
from hydranet_ros.doctor.full.outcome import failed, not_run, passed
from hydranet_ros.doctor.full.timing import SIZE, WANTED, camera_of
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.perception.pipeline import Perception

PROGRAM = 'compute-sanitizer'
_USUAL = '/usr/local/cuda/bin'
_ERROR = 99
_SUMMARY = re.compile(r'ERROR SUMMARY: .*')


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Run this module under the sanitizer.

    :param arguments: ``model``, ``provider``, ``cache``.
    """
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=_USUAL)
    if program is None:
        yield not_run(f'{PROGRAM} is not installed; it is part of the CUDA toolkit')
        return
    command = [program, '--tool', 'memcheck', '--error-exitcode', str(_ERROR), sys.executable,
               '-m', __name__, arguments['model'], arguments['provider'],
               arguments['cache']]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors='replace', check=False)
    print(done.stdout, done.stderr, sep='\n')
    summary = _SUMMARY.search(done.stdout)
    text = summary[0].lower() if summary else f'the process ended with {done.returncode}'
    yield passed(text) if done.returncode == 0 and summary else failed(text)


def main(model: str, provider: str, cache: str) -> None:
    """Process one frame with a cloud."""
    options = EngineOptions(provider=provider, cache_directory=Path(cache))
    with closing(Engine(Path(model), options)) as engine:
        image = street_images(1, SIZE)[0]
        Perception(engine).process(image, camera_of(SIZE), wanted=WANTED)


if __name__ == '__main__':
    main(*sys.argv[1:])
