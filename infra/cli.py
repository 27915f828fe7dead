"""The command line `lakehouse`: assembles the commands and turns errors into messages and exit codes.

Does not belong here: what a command does; each group has its module under `infra/commands`.
"""

from __future__ import annotations

import importlib
import sys
import traceback

import click
import typer
from boto3.exceptions import Boto3Error
from botocore.exceptions import ClientError
from rich.console import Console
from typer.rich_utils import rich_format_error

from infra.commands import INTERRUPTED, groups_for
from lakehouse.errors import ConfigurationError, LakehouseError
from lakehouse.store import store_errors

INTERRUPTION = "Interrupted. Servers that were started go on: see `lakehouse status`, or stop them with `lakehouse down`."


def main() -> None:
    """Run a command and exit with its code."""
    verbose = "--verbose" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--verbose"]
    app = new_app()
    for group in groups_for(arguments):
        importlib.import_module(f"infra.commands.{group}").register(app)
    sys.exit(run(app, arguments, verbose=verbose))


def run(app: typer.Typer, arguments: list[str], *, verbose: bool) -> int:
    """Carry out a command; returns the exit code."""
    try:
        with store_errors():
            return app(args=arguments, prog_name="lakehouse", standalone_mode=False) or 0
    except LakehouseError as error:
        return explain(error, verbose=verbose)
    except (ClientError, Boto3Error) as error:
        return explain(_refused(error), verbose=verbose)
    except click.ClickException as error:
        rich_format_error(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        Console(stderr=True).print(INTERRUPTION)
        return INTERRUPTED


def new_app() -> typer.Typer:
    """The command line without any command; the callback keeps a lone command from becoming the whole of it."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback(help="A lakehouse for authentication events. Errors are short; --verbose adds the stack.")(lambda: None)
    return app


def explain(error: LakehouseError, *, verbose: bool) -> int:
    """Print an error for people and return its exit code."""
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold red]Error:[/] {_escaped(error.message)}", soft_wrap=True)
    if error.next_step:
        console.print(f"Next: {_escaped(error.next_step)}", soft_wrap=True)
    if verbose:
        console.print(_escaped("".join(traceback.format_exception(error))), soft_wrap=True)
    return error.exit_code


def _refused(error: Exception) -> LakehouseError:
    refused = ConfigurationError(f"the store refused: {error}", next_step="run `lakehouse doctor`; it tries the keys and the buckets")
    refused.__cause__ = error
    return refused


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
