"""Dashboards as files: written whole or not at all, never over another's change, with the comments they had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from clv_helpers.config import yaml_files
from clv_helpers.config.validation import validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.spec import Dashboard
from clv_helpers.engines.guarded_query import parse_select


def file_of(workbook: Workbook, name: str) -> Path:
    """Where a dashboard is kept. Raises ParamsError for a name that is not one of a file."""
    return yaml_files.file_of(workbook, "dashboards", name)


def fingerprint(workbook: Workbook, name: str) -> str:
    """What `save` compares: changes with the file's content; empty where there is no file."""
    return yaml_files.fingerprint(file_of(workbook, name))


def save(workbook: Workbook, name: str, raw: dict[str, Any], read_as: str) -> str:
    """Write a dashboard beside its file and rename it; gives the new fingerprint. Comments of the file stay with the
    widgets they stand in.

    Raises ParamsError where it is no dashboard, SpecChanged where the file is not the one that was read.
    """
    validate(Dashboard, raw, f"dashboards/{name}.yml")
    file = file_of(workbook, name)
    yaml_files.check_unchanged(file, read_as)
    earlier = yaml_files.round_trip().load(file.read_text("utf-8")) if file.exists() else CommentedMap()
    return yaml_files.save(file, yaml_files.dump(merged(earlier, raw)), read_as)


def delete(workbook: Workbook, name: str, read_as: str) -> None:
    """Delete a dashboard's file. Raises SpecChanged where it is not the one that was read."""
    file = file_of(workbook, name)
    yaml_files.check_unchanged(file, read_as)
    file.unlink(missing_ok=True)


def save_sql(workbook: Workbook, name: str, sql: str, read_as: str) -> str:
    """Write a SELECT beside the dashboards, for widgets to name. Raises QueryError for anything else, SpecChanged."""
    parse_select(sql, f"{name}.sql")
    return yaml_files.save(yaml_files.file_of(workbook, "dashboards", name, "sql"), sql.rstrip() + "\n", read_as)


def merged(earlier: Any, now: Any) -> Any:
    """The values of `now` in the form of `earlier`: what did not change keeps its comments and its style."""
    if isinstance(now, dict) and isinstance(earlier, CommentedMap):
        for key in [key for key in earlier if key not in now]:
            del earlier[key]
        for key, value in now.items():
            earlier[key] = merged(earlier.get(key), value)
        return earlier
    if isinstance(now, list) and isinstance(earlier, CommentedSeq):
        return earlier if _same(earlier, now) else _merged_list(earlier, now)
    return earlier if _same(earlier, now) else now


def _merged_list(earlier: CommentedSeq, now: list[Any]) -> Any:
    """Items are known again by being the same, by their title, else by their place."""
    left = list(earlier)
    found: list[Any] = []
    for item in now:
        match = next((old for old in left if _same(old, item)), None)
        if match is None and isinstance(item, dict):
            match = next((old for old in left if isinstance(old, dict) and old.get("title") == item.get("title")), None)
        if match is not None:
            left.remove(match)
        found.append(match)
    items = [merged(old, item) for old, item in zip(found, now, strict=True)]
    if not any(isinstance(item, dict) for item in now):
        return items
    earlier[:] = items
    return earlier


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other if not isinstance(one, dict | list) else one == other
