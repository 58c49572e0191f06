"""Arguments, tables and files that all experiments share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydranet_ros.errors import HydranetError
from hydranet_ros.files import write_atomically


def argument_parser(doc: str | None, module: str) -> argparse.ArgumentParser:
    """
    Return a parser with the option ``--json``.

    :param doc: docstring of the experiment; its first line is the description.
    :param module: last part of the module's name.
    """
    parser = argparse.ArgumentParser(
        prog=f'python -m benchmarks.experiments.{module}',
        description=(doc or '').strip().partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the results to this file')
    return parser


def image_size(text: str) -> tuple[int, int]:
    """
    Return (height, width) of a text such as ``640x480``, for ``type`` of an argument.

    :raises argparse.ArgumentTypeError: if the text has another form.
    """
    width, _, height = text.partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f'{text!r} is not a size; expected WIDTHxHEIGHT.')
    return int(height), int(width)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown, as it is pasted into the documentation."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def write_json(found: Any, path: Path | None) -> None:
    """Write results as JSON; nothing without a path."""
    if path is not None:
        write_atomically(path, (json.dumps(found, indent=1) + '\n').encode())


@contextmanager
def exit_on_error(module: str) -> Iterator[None]:
    """Turn a deliberate error into one line on stderr and exit status 2."""
    try:
        yield
    except HydranetError as err:
        print(f'{module}: {err}', file=sys.stderr)
        sys.exit(2)
