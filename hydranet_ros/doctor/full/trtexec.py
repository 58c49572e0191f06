"""Step 7, last case: the network in ``trtexec``, TensorRT's own program, as a reference."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from hydranet_ros.doctor.full.outcome import failed, not_run, passed

PROGRAM = 'trtexec'
_USUAL = '/usr/src/tensorrt/bin:/usr/local/tensorrt/bin'
_MEDIAN = re.compile(r'GPU Compute Time:.*?median = ([0-9.]+) ms')


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Yield the median time of the network in half precision.

    :param arguments: ``model``, a portable file.
    """
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=_USUAL)
    if program is None:
        yield not_run(f'{PROGRAM} is not installed; it is part of TensorRT')
        return
    command = [program, f'--onnx={arguments["model"]}', '--fp16', '--shapes=image:1x480x640x3',
               '--useCudaGraph', '--useSpinWait', '--duration=3']  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors='replace', check=False)
    print(done.stdout, done.stderr, sep='\n')
    median = _MEDIAN.search(done.stdout)
    if done.returncode or median is None:
        yield failed(f'{PROGRAM} ended with {done.returncode} and without a time')
    else:
        yield passed(f'float16: network {median[1]} ms', median_ms=float(median[1]))
