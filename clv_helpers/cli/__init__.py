"""`clv …`: thin, each command one call into the package. Results go to standard output, progress to standard error."""

from __future__ import annotations

import contextlib
import sys
import traceback
from pathlib import Path

from clv_helpers.cli import (  # noqa: F401 (each registers its commands)
    activate,
    ask,
    audience,
    batches,
    new,
    person,
    refresh,
    report,
    results,
    run,
)
from clv_helpers.cli.options import app
from clv_helpers.errors import UserError


def main() -> None:
    """The entry point: what a person can mend is one sentence, without a stack trace. No error names a customer."""
    try:
        app()
    except UserError as error:
        print(_hidden(str(error)), file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 (told like any other, but without customers)
        print(_hidden(_of_a_file(error) or traceback.format_exc().rstrip()), file=sys.stderr)
        sys.exit(1)


def _of_a_file(error: Exception) -> str:
    """What the system has against a file, where that is all that went wrong; else empty."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return ""


def _hidden(text: str) -> str:
    """An error of a command on a workbook, with … for each customer in it but those that were asked for."""
    from clv_helpers.config.workbook import Workbook
    from clv_helpers.report.last_look import LastLook

    for params in (each for each in sys.argv[1:] if Path(each).suffix in (".yml", ".yaml")):
        with contextlib.suppress(UserError, OSError):  # the params are what is wrong, or the files: no table was read
            text = LastLook(Workbook.open(params)).hidden(text, asked=" ".join(sys.argv[1:]))
    return text
