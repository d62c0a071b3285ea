"""`clv …`: thin, each command one call into the package. Results go to standard output, progress to standard error."""

from __future__ import annotations

import sys

from clv_helpers.cli import (  # noqa: F401 (each registers its commands)
    activate,
    ask,
    audience,
    batches,
    person,
    refresh,
    report,
    results,
    run,
)
from clv_helpers.cli.options import app
from clv_helpers.errors import UserError


def main() -> None:
    """The entry point: what a person can mend is one sentence, without a stack trace."""
    try:
        app()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
