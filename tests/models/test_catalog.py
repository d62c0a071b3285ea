"""The one list of tables: whatever stands in a built workbook is in it, with who writes it and the stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers import models
from clv_helpers.config.datasets import DATASETS
from clv_helpers.config.tables import ALWAYS_THERE, METADATA_TABLES, PYTHON_TABLES
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session
from clv_helpers.models.catalog import CHARTED, file_of, writer_of
from clv_helpers.models.plan import REFRESHED


def test_every_table_that_is_built_is_listed(airline: Workbook) -> None:
    listed = models.table_catalog(airline)
    with airline.engine.write() as session:
        assert set(session.tables()) <= listed.keys()
    assert all(table.one_row and table.written_by for table in listed.values())


def test_a_table_says_its_stage_and_who_writes_it(airline: Workbook) -> None:
    listed = models.table_catalog(airline)
    assert (listed["kpi.audience_size"].stage, listed["campaigns.fact_effect"].stage) == (2, 6)
    assert listed["derived.customer_day"].written_by == "sql/derived/customer_day.sql"
    assert listed["insights.fact_value_by_region"].written_by == "params/airline/sql/fact_value_by_region.sql"
    assert listed["audiences.evaluation"].written_by == writer_of("audiences.evaluation")
    assert listed["lake.checkpoint"].metadata
    assert not listed["lake.purchases"].metadata
    own = next(model for model in models.all_tables(airline) if model.name == "insights.dim_region")
    assert file_of(airline, own) == "params/airline/sql/dim_region.csv"


def test_lists_are_queries_over_it() -> None:
    assert PYTHON_TABLES.keys() > METADATA_TABLES
    assert ALWAYS_THERE["lifetime.customer_lifetime_value"]["lifetime_value"] == "number"
    assert REFRESHED == ("derived", "profile", "audiences", "campaigns", "insights", "kpi")
    assert set(CHARTED) == {"derived", "lifetime", "audiences", "activation", "campaigns", "insights"}


def test_columns_are_known_before_anything_is_built(outputs: Path, airline: Workbook) -> None:
    columns = models.known_columns(Workbook(airline.file, airline.params))
    assert columns["derived.rejected_reason"] == ("dataset", "column_name", "reason", "rejected_rows", "batches")
    assert all(columns[f"lake.{name}"] is None for name in DATASETS)
    assert columns["profile.customer"] is None  # it has what the customers' file has


def test_an_unchanged_refresh_reads_the_state_once(workbook: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """78 scans of the engine's catalogue and as many checkpoints read, before."""
    models.refresh(workbook, *REFRESHED)
    scans, original = [], Session.versions
    monkeypatch.setattr(Session, "versions", lambda self: scans.append(1) or original(self))
    rows = models.refresh(workbook, *REFRESHED)
    # the ledger adds rows without a version: what reads it is built, and compared, each time
    assert [row.table for row in rows if row.is_changed] == ["campaigns.customer_assignment"]
    assert len(rows) > 70
    assert len(scans) <= 2
