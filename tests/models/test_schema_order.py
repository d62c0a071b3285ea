"""A schema of sql/ reads only its own tables and those of schemas before it, and no two tables have one name."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlglot import exp

from clv_helpers.config.tables import PYTHON_TABLES, SCHEMAS
from clv_helpers.models.table_file import SQL_FOLDER, Table, read_tables

ALL = read_tables(*SCHEMAS)
ORDER = list(SCHEMAS)


def read_by(model: Table) -> set[str]:
    """Whatever a file names: in its query, its relations and its checks."""
    checked = {f"{t.db}.{t.name}" for check in model.checks for t in check.find_all(exp.Table) if t.db}
    related = {name for relation in model.relations for name in (relation.table, relation.to_table)}
    return {name for name in model.depends_on | checked | related if "." in name.strip(".")}


def test_every_folder_is_a_schema() -> None:
    assert {folder.name for folder in SQL_FOLDER.iterdir() if folder.is_dir()} <= set(SCHEMAS)


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_a_schema_reads_only_schemas_before_it(model: Table) -> None:
    allowed = ORDER[: ORDER.index(model.schema) + 1]
    assert {name.split(".")[0] for name in read_by(model)} <= set(allowed)


def test_no_two_tables_have_one_name() -> None:
    full = {model.name for model in ALL} | PYTHON_TABLES.keys()
    bare = Counter(name.split(".")[1] for name in full)
    assert {name: times for name, times in bare.items() if times > 1} == {}
