"""What a long computation is at, for who waits: one line that changes in place, on a terminal and in a notebook.

Who computes calls `step`; where nobody watches, that is nothing. An executed notebook keeps none of it: there the line
goes to a small file, which `clv run` shows while the notebook runs.
"""

from __future__ import annotations

import contextlib
import functools
import html
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

LONG = 1.0  # seconds from which on a step is told of
OFTEN = 0.1  # seconds between two changes of a line
NOTHING = {"text/html": "", "text/plain": ""}
NOW = ".now"  # in a run's folder, while a notebook of it runs
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


@dataclass
class Step:
    """One step: what is done, since when, with how many rows where that is known, and how long it took."""

    what: str
    began: float = field(default_factory=time.monotonic)
    rows: int | None = None
    seconds: float = 0.0

    @property
    def told(self) -> str:
        """Such as "derived.customer_day, 253,574 rows, 2.3 s"."""
        rows = "" if self.rows is None else f", {self.rows:,} rows"
        return f"{self.what}{rows}, {self.seconds:.1f} s"


@dataclass
class Steps:
    """The steps of one computation. `begun` is called with each that begins, `ended` with each that is done."""

    begun: Callable[[Step], None] = lambda _: None
    ended: Callable[[Step], None] = lambda _: None
    began: float = field(default_factory=time.monotonic)
    done: list[Step] = field(default_factory=list)
    now: Step | None = None

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def begin(self, what: str) -> None:
        """End the step before, and begin another."""
        self.end()
        self.now = Step(what)
        self.begun(self.now)

    def end(self) -> None:
        """End the last step."""
        if self.now:
            self.now.seconds = time.monotonic() - self.now.began
            self.done.append(self.now)
            self.ended(self.now)
            self.now = None

    @property
    def summary(self) -> str:
        """What stays of them: how many, how long, and the longest.

        Example:
            >>> from clv_helpers.progress import Step, Steps
            >>> Steps(done=[Step("reading orders.csv", rows=6919, seconds=2.25), Step("checks", seconds=0.1)]).summary
            '2 steps in 2.4 s; the longest: reading orders.csv, 6,919 rows, 2.2 s'
        """
        longest = max(self.done, key=lambda step: step.seconds)
        count, seconds = len(self.done), sum(step.seconds for step in self.done)
        return f"{count} step{'s' * (count != 1)} in {seconds:.1f} s; the longest: {longest.told}"


_watching: Steps | None = None  # of this process: one computation at a time is watched


def step(what: str) -> None:
    """Say what is done from here on, such as "reading orders.csv"."""
    if _watching:
        _watching.begin(what)


def rows(count: int | None) -> None:
    """Say of how many rows the step is that is being done."""
    if _watching and _watching.now:
        _watching.now.rows = count


@contextlib.contextmanager
def watched(steps: Steps) -> Iterator[Steps]:
    """Watch the steps of a block; where they are watched already, whoever began goes on."""
    global _watching
    if _watching:
        yield _watching
        return
    _watching = steps
    try:
        yield steps
        steps.end()
    finally:
        _watching = None


@contextlib.contextmanager
def on_terminal(*, plain: bool = True, relay: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Show the steps of a block on standard error: a live line on a terminal; else a line for each that took long.

    `plain`: whether lines are written where there is no terminal. `relay`: what another process is at.
    """
    if not sys.stderr.isatty():
        with watched(Steps(ended=_print_if_long if plain else lambda _: None)):
            yield
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    steps, console = Steps(), Console(stderr=True)

    def line() -> Text:
        if not steps.now:
            return Text("")
        parts = (steps.now.what, relay(), f"{time.monotonic() - steps.now.began:.0f} s")
        return Text("  ".join(filter(None, parts)), style="dim", overflow="ellipsis", no_wrap=True)

    with (
        watched(steps),
        Live(get_renderable=line, console=console, refresh_per_second=4, transient=True, redirect_stdout=False),
    ):
        yield


def _print_if_long(step: Step) -> None:
    if step.seconds >= LONG:
        print(step.told, file=sys.stderr, flush=True)


def told(function: Callable[Concatenate[Any, _Args], _Result]) -> Callable[Concatenate[Any, _Args], _Result]:
    """A function of a workbook, whose steps are shown where a notebook calls it.

    To a person in a notebook as a line that changes in place, of which a summary stays where it took long; in a batch
    run in the file that `relayed` reads.
    """

    @functools.wraps(function)
    def called(workbook: Any, *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        with _of_notebook(workbook):
            return function(workbook, *args, **kwargs)

    return called


@contextlib.contextmanager
def _of_notebook(workbook: Any) -> Iterator[None]:
    if _watching:
        yield
    elif workbook.run:
        with _in_file(workbook.folder / "runs" / workbook.run / NOW):
            yield
    elif _in_kernel():
        with _in_cell():
            yield
    else:
        yield


def _in_kernel() -> bool:
    """Whether a Jupyter kernel runs this, and so a cell can change what it shows."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return bool(shell) and hasattr(shell, "kernel")


@contextlib.contextmanager
def _in_cell() -> Iterator[None]:
    from IPython.display import display

    shown = display(NOTHING, raw=True, display_id=True)
    last = 0.0

    def begun(step: Step) -> None:
        nonlocal last
        if time.monotonic() - last >= OFTEN:
            last = time.monotonic()
            shown.update(_line(f"{step.what} … {steps.seconds:.0f} s"), raw=True)

    steps = Steps(begun)
    try:
        with watched(steps):
            yield
    finally:
        took_long = bool(steps.done) and steps.seconds >= LONG
        shown.update(_line(steps.summary) if took_long else NOTHING, raw=True)


def _line(text: str) -> dict[str, str]:
    return {"text/html": f"<p style='margin:0;opacity:.7'>{html.escape(text)}</p>", "text/plain": text}


@contextlib.contextmanager
def _in_file(file: Path) -> Iterator[None]:
    def begun(step: Step) -> None:
        with contextlib.suppress(OSError):  # nobody need see it
            file.write_text(step.what, encoding="utf-8")

    try:
        with watched(Steps(begun if file.parent.is_dir() else lambda _: None)):
            yield
    finally:
        file.unlink(missing_ok=True)


def relayed(folder: Path) -> str:
    """What the notebook that runs in a run's folder is at; empty where it says nothing."""
    try:
        return (folder / NOW).read_text(encoding="utf-8")
    except OSError:
        return ""
