"""Tables that are made from the params and have no file: they stand in the order of building like any other."""

from __future__ import annotations

from collections.abc import Sequence

from clv_helpers.config.params import Params
from clv_helpers.models.attribute_tables import attribute_tables
from clv_helpers.models.rank_tables import rank_tables
from clv_helpers.models.table_file import Table


def generated_tables(params: Params, own: Sequence[Table]) -> list[Table]:
    """The tables that the params ask for; `own` are the analyst's. One takes the place of a file of its name."""
    return [*rank_tables(params), *attribute_tables(params, own)]
