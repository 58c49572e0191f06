"""The child process of :class:`hydranet_ros.doctor.children.Child`."""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydranet_ros.errors import HydranetError

EXCEPTION = 'exception'
_GRACE = 5.0


def main(arguments: list[str]) -> None:
    """
    Write what a module's function ``run`` yields, one JSON object a line, then its exception.

    :param arguments: module, arguments of the function as JSON, file of the results, seconds.
    """
    module, values, results, limit = arguments
    # If the parent was killed, nobody else ends a process that hangs.
    signal.alarm(math.ceil(float(limit) + _GRACE))
    status = 0
    with Path(results).open('w', encoding='utf-8') as handle:

        def write(result: Mapping[str, Any]) -> None:
            handle.write(json.dumps(finite(result), allow_nan=False) + '\n')
            handle.flush()

        try:
            for result in importlib.import_module(module).run(json.loads(values)):
                write(result)
        except Exception as err:
            traceback.print_exc()
            expected = isinstance(err, HydranetError)
            write({EXCEPTION: str(err) if expected else f'{type(err).__name__}: {err}'})
            status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Libraries of GPUs may hang or crash while the interpreter frees them; the results are known.
    os._exit(status)


def finite(value: Any) -> Any:
    """Return a value with each number that JSON cannot hold as text: nan, inf, -inf."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


if __name__ == '__main__':
    main(sys.argv[1:])
