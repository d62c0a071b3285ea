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
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError


def main() -> None:
    """The entry point: what a person can mend is one sentence, without a stack trace. No error names a customer."""
    try:
        app()
    except UserError as error:
        print(_hidden(str(error)), file=sys.stderr)
        sys.exit(1)
    except Exception:  # noqa: BLE001 (told like any other, but without customers)
        print(_hidden(traceback.format_exc()), file=sys.stderr, end="")
        sys.exit(1)


def _hidden(text: str) -> str:
    """An error of a command on a workbook, with … for each customer in it but those that were asked for."""
    from clv_helpers.report.last_look import LastLook

    for params in (each for each in sys.argv[1:] if Path(each).suffix in (".yml", ".yaml")):
        with contextlib.suppress(UserError):  # the params are what is wrong: then no table was read
            text = LastLook(Workbook.open(params)).hidden(text, asked=" ".join(sys.argv[1:]))
    return text
