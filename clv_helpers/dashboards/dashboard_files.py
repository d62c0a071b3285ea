"""Dashboards as files, and the SQL files beside them, as the composer writes them."""

from __future__ import annotations

from typing import Any

from clv_helpers.config import yaml_files
from clv_helpers.config.validation import validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.spec import Dashboard
from clv_helpers.editors import files
from clv_helpers.engines.guarded_query import parse_select


def save(workbook: Workbook, name: str, raw: dict[str, Any], read_as: str) -> str:
    """Write a dashboard; gives its new fingerprint. Comments of the file stay with the widgets they stand in.

    Raises ParamsError where it is no dashboard, SpecChanged where the file is not the one that was read.
    """
    validate(Dashboard, raw, f"dashboards/{name}.yml")
    return files.save(yaml_files.file_of(workbook, "dashboards", name), raw, read_as)


def save_sql(workbook: Workbook, name: str, sql: str, read_as: str) -> str:
    """Write a SELECT beside the dashboards, for widgets to name. Raises QueryError for anything else, SpecChanged."""
    parse_select(sql, f"{name}.sql")
    return yaml_files.save(yaml_files.file_of(workbook, "dashboards", name, "sql"), sql.rstrip() + "\n", read_as)
