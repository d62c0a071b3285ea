"""What the commands share: the app, the options that several of them take, and how they print.

Every command imports what it calls when it is called: so that help, and a slip of the pen, are answered at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from clv_helpers import __version__

if TYPE_CHECKING:
    from clv_helpers.config.workbook import Workbook
else:
    Workbook = Path  # to typer, which reads the signatures; the parser makes a workbook of it


def _workbook(params: str) -> Workbook:
    from clv_helpers.config.workbook import Workbook

    return Workbook.open(params)


COMMANDS = {  # as help shows them: by what one wants to do
    "Start": ("new", "check", "run", "lab", "simulate"),
    "Data": ("ingest", "batches", "revert", "replay", "refresh", "stream"),
    "Look": ("report", "board", "results", "lifetime", "model", "sql", "lineage"),
    "Act": ("audience", "destinations", "activate"),
    "Operate": ("schedule", "person"),
}
COLORS = {
    **dict.fromkeys(("success", "already ingested", "added revenue", "predicted", "✓"), "green"),
    **dict.fromkeys(("failed", "took revenue away"), "red"),
    **dict.fromkeys(("reverted", "refused", "rejected", "not evaluated", "partly", "–", "!"), "yellow"),
}
ORDER = [name for names in COMMANDS.values() for name in names]


class _Command(TyperCommand):
    """A command whose help calls a number N and a text TEXT, and a switch nothing."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))


class _Group(TyperGroup):
    """The commands in the order of COMMANDS."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))


def _plain(parameters: list[Any]) -> list[Any]:
    for each in parameters:
        if each.param_type_name == "option" and each.metavar is None:
            kind = each.type_descriptor
            number = kind.annotation in (int, float)
            each.metavar = "" if each.is_flag else None if kind.is_choice else "N" if number else "TEXT"
        elif each.param_type_name == "argument" and not each.type_descriptor.is_choice:
            each.display_type_rich = lambda **_: ""  # its name says more than that it is a text
    return parameters


app = typer.Typer(cls=_Group, no_args_is_help=True)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def command(*examples: str, **settings: Any) -> Callable[[_Function], _Function]:
    """Register a function as the command of its name, in its group of COMMANDS, with examples below its help."""

    def register(function: _Function) -> _Function:
        name = function.__name__
        group = next(group for group, names in COMMANDS.items() if name in names)
        told = "\n\n".join(f"  clv {name} {example}" for example in examples)
        epilog = "Example" + "s" * (len(examples) > 1) + ":\n\n" + told if examples else None
        return app.command(cls=_Command, rich_help_panel=group, epilog=epilog, **settings)(function)

    return register


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
    """Customer lifetime value, from the signals to the campaign's results.

    clv new my_shop --from orders.csv     makes a workbook of your orders, and its report

    clv run params/airline.yml     runs the six notebooks of a simulated airline
    """


def say(as_json: bool, value: dict[str, Any], lines: Iterable[str]) -> None:
    """Print a command's result: the one JSON object of `--json`, or lines for people."""
    for line in [json.dumps(value, indent=2, default=str, ensure_ascii=False)] if as_json else lines:
        print(line)


def colored(text: str, color: str, to: TextIO | None = None) -> str:
    """A text in a colour where a person looks at standard output (or `to`), and has not refused colours (NO_COLOR)."""
    return typer.style(text, fg=color) if (to or sys.stdout).isatty() and not os.environ.get("NO_COLOR") else text


def judged(text: str, word: str = "", to: TextIO | None = None) -> str:
    """A text in the colour of its word (else of itself): green is done, red failed, yellow is to be looked at."""
    color = COLORS.get(word or text)
    return colored(text, color, to) if color else text


def shortened(text: str, width: int) -> str:
    """A text on one line of at most so many signs.

    Example:
        >>> shortened("Members whose decile is 1", 10)
        'Members w…'
    """
    return text if len(text) <= width else text[: width - 1] + "…"


def notice(line: str) -> None:
    """Progress for people, on standard error: out of the way of what is piped on."""
    mark = line[:1]
    print(judged(mark, to=sys.stderr) + line[1:], file=sys.stderr, flush=True)


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
