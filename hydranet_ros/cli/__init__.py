"""
The command ``hydranet``.

Each other module of this package is one command; a new command is one new module. A module has
either a function ``command``, whose name is that of the module with hyphens, and optionally
``CONTEXT_SETTINGS``, or a typer application ``app`` with subcommands. It imports what the command
needs inside the function, so that ``hydranet --help`` is fast and no command needs the packages of
another.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from typing import Annotated

import typer

from hydranet_ros import __version__
from hydranet_ros.errors import HydranetError, missing_package

app = typer.Typer(
    name='hydranet', no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    help='Semantic mask, metric depth and colored point cloud from one camera image.',
)  # fmt: skip


def _print_version(requested: bool) -> None:
    if requested:
        print(f'hydranet_ros {__version__}')
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            '--version', callback=_print_version, is_eager=True, help='Print the version and exit.'
        ),
    ] = False,
) -> None:
    pass


def _add_commands() -> None:
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f'{__name__}.{info.name}')
        name = info.name.replace('_', '-')
        if hasattr(module, 'command'):
            settings = getattr(module, 'CONTEXT_SETTINGS', None)
            app.command(name, context_settings=settings)(module.command)
        elif hasattr(module, 'app'):
            app.add_typer(module.app, name=name)


_add_commands()


def main() -> None:
    """Run the command line; an expected error is one line on stderr and exit status 2."""
    try:
        app()
    except HydranetError as err:
        _fail(str(err))
    except ModuleNotFoundError as err:
        remedy = missing_package(err)
        if not remedy:
            raise
        _fail(remedy)
    except BrokenPipeError:
        # The reader of the output is gone; Python must not write to it when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(message: str) -> None:
    print(f'hydranet: {message}', file=sys.stderr)
    sys.exit(2)
