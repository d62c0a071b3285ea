"""The list of all tables that a workbook can have: what a row is, the stage, who writes each, and its columns."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from clv_helpers.config.tables import ALWAYS_THERE, METADATA_TABLES, PYTHON_TABLES, SCHEMAS
from clv_helpers.config.workbook import Workbook
from clv_helpers.models.own_tables import read_own_tables
from clv_helpers.models.plan import REFRESHED, all_tables, unknown_table
from clv_helpers.models.table_file import Table

# Schemas of which a chart may show whatever has no customers.
CHARTED = tuple(schema.name for schema in SCHEMAS.values() if schema.charted)


@dataclass(frozen=True)
class CatalogTable:
    """One table: its columns where they are known before it is built, and who writes it, in words.

    `metadata`: kept by the engine itself, a few rows per run.
    """

    name: str
    one_row: str
    written_by: str
    columns: tuple[str, ...] | None = None
    metadata: bool = False

    @property
    def schema(self) -> str:
        """The part of the name before the dot."""
        return self.name.split(".")[0]

    @property
    def stage(self) -> int:
        """The stage of the guide that makes it; 0 for the schedule's."""
        return SCHEMAS[self.schema].stage


def table_catalog(workbook: Workbook) -> dict[str, CatalogTable]:
    """Every table that anything makes, by name: those of sql/, the analyst's own, what came in, what Python writes.

    Raises TableError as all_tables does.

    Example:
        >>> models.table_catalog(wb)["insights.dim_date"].one_row
        'a day.'
    """
    datasets = sorted(workbook.params.datasets)
    tables = [CatalogTable(f"lake.{name}", "a row that came in.", writer_of("lake")) for name in datasets]
    tables += [
        CatalogTable(name, table.one_row, writer_of(name), tuple(table.columns) or None, table.metadata)
        for name, table in PYTHON_TABLES.items()
    ]
    for model in all_tables(workbook, *SCHEMAS):
        for name in model.makes:
            columns = _listed_columns(model) if name == model.name else None
            place = file_of(workbook, model)
            tables.append(CatalogTable(name, model.one_row, place, columns, name in METADATA_TABLES))
    # a table that Python keeps in being, empty, has its SQL file beside: that is its row of the list
    return {table.name: table for table in tables}


def known_columns(workbook: Workbook) -> dict[str, tuple[str, ...] | None]:
    """The columns of every table that anything makes; None where no SQL lists them. Raises TableError.

    Example:
        >>> models.known_columns(wb)["insights.dim_namespace"]
        ('namespace', 'is_primary', 'identities', 'shared_identities')
    """
    stays = {name for name, schema in SCHEMAS.items() if name in REFRESHED or name == "lake"}
    tables = table_catalog(workbook).values()
    # a stage may add columns to what its SQL lists
    return {t.name: t.columns if t.schema in stays and t.name not in ALWAYS_THERE else None for t in tables}


def unknown_tables(workbook: Workbook) -> list[str]:
    """A sentence for each table that an analyst's own SQL reads and that nobody makes, with the file and the line.

    Example:
        >>> models.unknown_tables(wb)
        []
    """
    known = table_catalog(workbook)
    return [
        unknown_table(model, name, mention, sorted(known))
        for model in read_own_tables(workbook.specs / "sql")
        for name, mention in model.mentions
        if name not in known
    ]


def writer_of(name: str) -> str:
    """The part of the package whose Python writes a table."""
    return SCHEMAS[name.split(".")[0]].writer


def file_of(workbook: Workbook, model: Table) -> str:
    """Where a table's file stands: in the package, or beside the params; or the params, of which it is made."""
    if model.is_generated:
        return f"params/{workbook.file.name}"
    return f"sql/{model.schema}/{model.file.name}" if model.is_ours else f"params/{workbook.name}/sql/{model.file.name}"


def _listed_columns(model: Table) -> tuple[str, ...] | None:
    """The columns of a table whose SELECT names each of them."""
    parts = model.query.selects
    unnamed = any(part.is_star or isinstance(part, exp.Placeholder) or not part.output_name for part in parts)
    return None if unnamed or not parts else tuple(part.output_name for part in parts)
