"""`clv new`: from files to a workbook: sampled, read, asked about where in doubt, summed, and described in YAML.

`sample` looks at files, `guess` at headers and what stands below them, `draft` holds the params as they become,
`doubts` has the questions, `counting` reads all rows as a run does, `text` writes.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from clv_helpers.config.params import Params
from clv_helpers.config.validation import validate
from clv_helpers.files import write_atomically
from clv_helpers.run.new import draft, elsewhere, from_database, sample
from clv_helpers.run.new.counting import Sums, sums
from clv_helpers.run.new.doubts import MOST, Question, answered, questions
from clv_helpers.run.new.draft import Draft
from clv_helpers.run.new.sample import NewWorkbookError
from clv_helpers.run.new.text import params_text


def __getattr__(name: str) -> Any:
    """The desk, imported when first asked for: the command needs no widgets."""
    if name != "desk":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.clicking").desk


__all__ = [
    "MOST",
    "Draft",
    "NewWorkbookError",
    "Question",
    "Sums",
    "answered",
    "desk",
    "empty",
    "file_of",
    "questions",
    "reading",
    "sums",
    "write",
]


def file_of(name: str) -> Path:
    """Where the params of a new workbook go. Raises NewWorkbookError for a file that is there, and for an odd name."""
    file = Path(name if name.endswith((".yml", ".yaml")) else f"{name}.yml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", file.stem):
        raise NewWorkbookError(f"the name is {file.stem!r}; allowed: letters, digits, _ and -, such as my_shop")
    if file.exists():
        raise NewWorkbookError(f"{file} is there already, and stays as it is; allowed: another name")
    return file


@contextmanager
def reading(file: Path, source: str | Path, table: str = "") -> Iterator[Draft]:
    """The draft of a workbook from a file, a folder, a pattern or an address, as long as the samples are at hand.

    Or from a table of a database, of which `source` is the address. Raises NewWorkbookError for files that cannot be
    read, or whose columns are not recognised; for an address as `elsewhere.at_hand`. Cost: one pass over the files,
    whose rows are held meanwhile.
    """
    if from_database.is_database(str(source)):
        with from_database.reading(file, str(source), table) as made:
            yield made
        return
    with elsewhere.at_hand(str(source)) as origin:
        files = origin.source if origin else Path(source)
        with sample.read(files) as samples:
            yield replace(draft.draft(file, files, samples), origin=origin)


def empty(file: Path) -> Draft:
    """The draft of a workbook whose data are not there yet, to be filled in."""
    return draft.empty(file)


def write(made: Draft, file: Path, origin: str = "") -> None:
    """Write the params, once they are known to be right; whole, or not at all. Raises ParamsError, NewWorkbookError."""
    written = from_database.as_written(made) if made.database else made.at_origin()
    validate(Params, written.raw, str(file))
    file_of(str(file))
    write_atomically(file, params_text(written, origin))
