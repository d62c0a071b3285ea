"""What the commands share: the app, the options that several of them take, and how they print.

Every command imports what it calls when it is called: so that help, and a slip of the pen, are answered at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clv_helpers import __version__

if TYPE_CHECKING:
    from clv_helpers.config.workbook import Workbook
else:
    Workbook = Path  # to typer, which reads the signatures; the parser makes a workbook of it


def _workbook(params: str) -> Workbook:
    from clv_helpers.config.workbook import Workbook

    return Workbook.open(params)


app = typer.Typer(help="Customer lifetime value, from the signals to the campaign's results.", no_args_is_help=True)
_ABOUT = "the workbook's params file, such as params/airline.yml"
Params = Annotated[Path, typer.Argument(help=_ABOUT)]
Opened = Annotated[Workbook, typer.Argument(help=_ABOUT, metavar="PARAMS", parser=_workbook)]
AsOf = Annotated[str, typer.Option("--as-of", help="compute as of this day (2025-07-01), or latest")]
Set = Annotated[list[str] | None, typer.Option("--set", help="key=value: change the params for this run (repeatable)")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"clv {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="say which version this is")
    ] = False,
) -> None:
    """Customer lifetime value, from the signals to the campaign's results."""


def say(as_json: bool, value: dict[str, Any], lines: Iterable[str]) -> None:
    """Print a command's result: the one JSON object of `--json`, or lines for people."""
    for line in [json.dumps(value, indent=2, default=str, ensure_ascii=False)] if as_json else lines:
        print(line)


def progress(line: str) -> None:
    """Progress for people, on standard error: out of the way of what is piped on."""
    print(line, file=sys.stderr, flush=True)


def opened(params: Path, as_of: str, changes: list[str] | None) -> Workbook:
    """The workbook, with `--as-of` and `--set`. Raises ParamsError."""
    from clv_helpers.config.workbook import Workbook

    return Workbook.open(params, as_of, parse_changes(params, changes))


def parse_changes(params: Path, changes: list[str] | None) -> dict[str, Any]:
    """The `--set key=value` options as dotted key → value. Raises ParamsError for one of another form."""
    from ruamel.yaml.error import YAMLError

    from clv_helpers.config.validation import ParamsError, Problem, parse_value

    pairs = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not key or not equals:
            raise ParamsError(str(params), [Problem("--set", repr(change), "key=value, such as value.unit=km")])
        try:
            pairs[key] = parse_value(value)
        except YAMLError:
            raise ParamsError(str(params), [Problem(f"--set {key}", repr(value), "a value of YAML")]) from None
    return pairs
