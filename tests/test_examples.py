"""The examples of the public functions run."""

from __future__ import annotations

import doctest
import inspect
from typing import Any

import pytest

import clv_helpers
from clv_helpers import Workbook

ROOMS = [name for name in clv_helpers.__all__ if name != "Workbook"]


def public() -> list[tuple[str, Any]]:
    functions = [(f"Workbook.{name}", member) for name, member in inspect.getmembers(Workbook, inspect.isroutine)]
    for room in ROOMS:
        module = getattr(clv_helpers, room)
        functions += [(f"{room}.{name}", getattr(module, name)) for name in module.__all__]
    return [(name, function) for name, function in functions if ">>>" in (function.__doc__ or "")]


@pytest.mark.parametrize(("name", "function"), public())
def test_example_runs(workbook: Workbook, name: str, function: Any) -> None:
    names = {
        "wb": workbook,
        "Workbook": Workbook,
        **{room: getattr(clv_helpers, room) for room in ROOMS},
    }
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in doctest.DocTestFinder(recurse=False).find(function, name, globs=names):
        runner.run(example)
    assert runner.failures == 0


def test_most_of_what_a_notebook_calls_has_an_example() -> None:
    assert len(public()) >= 40
