"""What an engine says of a statement, without the values of rows in it: messages go to reports, logs and alerts."""

from __future__ import annotations

import re

# Raised before any row is read: what they quote is the SQL itself.
OF_THE_SQL = {"BinderException", "CatalogException", "ParserException", "AnalysisException", "ParseException"}
QUOTED = re.compile(r"'.*'|\".*\"")  # to the last one: a value may hold quotes itself
NUMBER = re.compile(r"(?<!Line: )(?<![\w.])-?\d[\d.]*(?![\w.])")
ADDRESS = re.compile(r"\S+@\S+")
EXPLAINED = re.compile(r": (?!\d+$).*")  # what stands after a colon is a value, or a piece of one


def is_of_the_sql(error: Exception) -> bool:
    """Whether an engine's error is about the SQL itself, and was raised before any row was read."""
    return type(error).__name__ in OF_THE_SQL


def without_values(error: Exception, sql: str = "") -> str:
    """The first line of an engine's error; what it quotes stays where it stands in the SQL too, else is `…`.

    Example:
        >>> import duckdb
        >>> try: duckdb.sql("SELECT CAST(x AS INT) FROM (SELECT 'ada' || '@example.com' AS x)").fetchall()
        ... except duckdb.Error as error: print(without_values(error))
        Could not convert string … to INT32 when casting from source column x
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = " ".join(re.sub(r"^[\w ]+ (Error|Exception): ", "", lines[0]).split())
    if is_of_the_sql(error):
        return text

    def kept(found: re.Match[str]) -> str:
        inside = found[0].strip("'\"")
        return found[0] if inside and re.search(rf"(?<!\w){re.escape(inside)}(?!\w)", sql) else "…"

    return NUMBER.sub(kept, ADDRESS.sub(kept, EXPLAINED.sub("", QUOTED.sub(kept, text))))
