"""The columns that an analyst's SQL adds to the profile, which arithmetic of the params may be over."""

from __future__ import annotations

import re
from pathlib import Path

from sqlglot import exp
from sqlglot.errors import SqlglotError

from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.engines.dialect import parse

ATTRIBUTE = re.compile(r"^-- Attribute of: customer\s*$", flags=re.MULTILINE)


def own_columns(folder: Path) -> list[str]:
    """The columns of the files with `-- Attribute of: customer`; a file that is no table is said where it is built."""
    found: list[str] = []
    for file in sorted(folder.glob("[a-z]*.sql")):
        try:
            text = file.read_text(encoding="utf-8-sig")
            query = parse(text) if ATTRIBUTE.search(text) else None
        except (OSError, UnicodeDecodeError, SqlglotError):
            continue
        found += query.named_selects if isinstance(query, exp.Query) else []
    return [name for name in found if name not in (PRIMARY_IDENTITY, "*")]
