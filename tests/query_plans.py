"""How DuckDB ran a query: for tests of what it need not read or sort."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb


def operators(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """The operators of a query, which is run, with the rows that each read and gave."""
    [(_, plan)] = connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {query}").fetchall()
    return list(_below(json.loads(plan)))


def _below(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", []):
        yield from _below(child)
