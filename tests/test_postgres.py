"""Our SQL as `clv sql --to postgres` writes it, run by PostgreSQL: each table comes out as DuckDB's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from odd_rows import CAPPED, ODD, add_odd_rows
from postgres_server import Postgres, postgres, programs
from sqlglot import exp

from clv_helpers import simulate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session
from clv_helpers.engines.translate import translate
from clv_helpers.models import all_tables
from clv_helpers.models.table_file import SCHEMAS, SQL_FOLDER
from conftest import SMALL, absent, build_all
from parity import compared

OWN = ("insights.deciles_mileage", "insights.dim_region", "insights.fact_value_by_region")  # the airline's
# Who left, how sizes changed, what was handed over, what came of a forecast: all that is of a later day than the first.
MAY_BE_EMPTY = {
    "audiences.membership_history",
    "kpi.audience_size_change_trend",
    "lifetime.forecast_outcome",
    "kpi.recently_activated_audiences",
    "derived.bot_feature",  # asked for by params/bots.yml
    "profile.own_attribute",  # of an analyst's tables
    "lifetime.customer_last_year",  # the forecast leans on it where last year did better
    "lifetime.customer_covariate",  # the airline's params name no covariates
    "lifetime.customer_cell",
    "lifetime.edge_customer",  # no edge between deciles runs through a band of so few customers
}
ALL = [*(f"{file.parent.name}.{file.stem}" for file in sorted(SQL_FOLDER.glob("*/*.sql"))), *OWN]


class Built(NamedTuple):
    """A workbook, and the query that made each of its tables, with what a run had bound in it."""

    workbook: Workbook
    queries: dict[str, exp.Expression]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    queries = {}
    with pytest.MonkeyPatch.context() as patch:
        for method in ("create_table", "create_view"):
            make = getattr(Session, method)

            def noted(self, name: str, query: exp.Expression, make=make, **more: str) -> None:
                queries[name] = query.copy()
                make(self, name, query, **more)

            patch.setattr(Session, method, noted)
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path_factory.mktemp("built")))
        workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides={**SMALL, **ODD, **CAPPED})
        simulate.make_sources(workbook)
        add_odd_rows(workbook.folder / "source")
        build_all(workbook)
        assert workbook.engine.lake.exists()
    return Built(workbook, queries)


@pytest.fixture(scope="module")
def server(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL that holds all tables, as DuckDB made them."""
    found, folder = programs(), tmp_path_factory.mktemp("rows")
    if found is None:
        absent("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # not below pytest's own folder, which the user postgres may not enter
    with tempfile.TemporaryDirectory(prefix="clv_postgres_") as data, postgres(found, Path(data)) as running:
        with built.workbook.engine.read() as session:
            for name in session.tables():
                running.load(session, name, folder)
        yield running


def test_all_tables_are_here(built: Built) -> None:
    there = all_tables(built.workbook, *SCHEMAS)  # the params make some of files and more beside
    assert {each.name for each in there if not each.is_generated} <= set(ALL)
    assert set(ALL) <= {each.name for each in there} & built.queries.keys()


@pytest.mark.parametrize("name", ALL)
def test_table(server: Postgres, built: Built, name: str) -> None:
    query = built.queries[name]
    with built.workbook.engine.read() as session:
        known = {f"{each.db}.{each.name}" for each in query.find_all(exp.Table) if each.db}
        schema = {each: session.columns(table(each)) for each in known}
        expected = session.frame(exp.select("*").from_(table(name)))
    found = pd.DataFrame(server.rows(translate(query, "postgres", schema)), columns=expected.columns)
    for each, kind in expected.dtypes.items():
        if kind.kind == "M":
            found[each] = pd.to_datetime(found[each], format="ISO8601").astype(kind)
        elif kind.kind != "O":
            found[each] = found[each].astype(kind)
    key = next(each.key for each in all_tables(built.workbook, name.split(".")[0]) if each.name == name)
    assert compared(name, key, found, expected) > 0 or name in MAY_BE_EMPTY
