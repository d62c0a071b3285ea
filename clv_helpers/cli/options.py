"""What the commands share: the app, the options that several of them take, and how they print."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from clv_helpers import __version__
from clv_helpers.config.validation import ParamsError, Problem, parse_value

app = typer.Typer(help="Customer lifetime value, from the signals to the campaign's results.", no_args_is_help=True)
Params = Annotated[Path, typer.Argument(help="the workbook's params file, such as params/airline.yml")]
AsOf = Annotated[str, typer.Option("--as-of", help="compute as of this day (2025-07-01), or latest")]
Set = Annotated[list[str], typer.Option("--set", help="key=value: change the params for this run (repeatable)")]
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


def as_text(value: Any) -> str:
    """One JSON object, as `--json` prints it."""
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)


def progress(line: str) -> None:
    """Progress for people, on standard error: out of the way of what is piped on."""
    print(line, file=sys.stderr, flush=True)


def parse_changes(params: Path, changes: list[str]) -> dict[str, Any]:
    """The `--set key=value` options as dotted key → value. Raises ParamsError for one of another form."""
    pairs = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not key or not equals:
            raise ParamsError(str(params), [Problem("--set", repr(change), "key=value, such as value.unit=km")])
        pairs[key] = parse_value(value)
    return pairs
