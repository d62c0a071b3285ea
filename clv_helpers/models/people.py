"""What of a workbook's columns is about people, as their lineage tells: whom they name, and what counts people."""

from __future__ import annotations

import functools

from sqlglot import exp

from clv_helpers.config.datasets import DATASETS, PRIMARY_IDENTITY
from clv_helpers.config.tables import PYTHON_TABLES
from clv_helpers.config.workbook import Workbook
from clv_helpers.models.column_lineage import ROWS, Column, Graph, Made, name_of

# Columns of tables that Python writes and that name a person.
NAMING = (PRIMARY_IDENTITY, "row_hash", "delivered_hash", "identity")


class People:
    """What the lineage of a workbook says of people. Cost: of the first question on a table, 10 to 100 ms."""

    def __init__(self, workbook: Workbook):
        self.graph, self.contracts = Graph(workbook), {name: workbook.params.contract(name) for name in DATASETS}
        self.of_people = functools.cache(self._of_people)

    def named_by(self, column: Column) -> list[Column]:
        """The way from a column to one that names a person and whose values it carries; empty: it names nobody."""
        return self.graph.way_to(column, self._names)

    def are_about_people(self, columns: list[Column]) -> bool:
        """Whether any of the columns is made of what is known of customers."""
        return any(self.of_people(column) for column in columns)

    def made_by(self, query: exp.Query) -> dict[str, Made]:
        """What the columns of a query, in small letters, are made of."""
        return self.graph.of_query(query)

    def _names(self, column: Column) -> bool:
        table, name = column
        dataset = table.removeprefix("lake.")
        if dataset in self.contracts and dataset != table:
            found = self.contracts[dataset].get(name) or DATASETS[dataset].get(name)
            return found is not None and found.personal
        return table in PYTHON_TABLES and name in NAMING

    def _of_people(self, column: Column) -> bool:
        """Whether its lineage ends in rows of customers, in what came in of them, or in a result over them.

        Not so of a dimension: the months between the first purchase and the last are the calendar's.
        """
        name = column[0].rpartition(".")[2]
        if (
            name.startswith("dim_")
            and self._is_ours(column[0])
            and PRIMARY_IDENTITY not in self.graph.columns(column[0])
        ):
            return False
        found = self.graph.lineage(column)
        # a 1 in each row of one of our tables, which is summed later, counts that table's rows
        ones = [table for (table, name), of in found.values.items() if not of and name != ROWS and self._is_ours(table)]
        return any(map(self._came_in, found.sources)) or any(self._of_people((table, ROWS)) for table in ones)

    def _is_ours(self, table: str) -> bool:
        return table in self.graph.tables and self.graph.tables[table].is_ours

    def _came_in(self, column: Column) -> bool:
        table, name = column
        if table in PYTHON_TABLES:
            return not PYTHON_TABLES[table].metadata and name != ROWS
        return table.removeprefix("lake.") in self.contracts


def way_in_words(way: list[Column]) -> str:
    """The way of a column, from where it came in."""
    return " → ".join(name_of(step) for step in reversed(way))
