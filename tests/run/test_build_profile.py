"""Stage 1 in one call."""

from __future__ import annotations

from pathlib import Path

from clv_helpers import ingest, run
from clv_helpers.config.workbook import Workbook
from conftest import write_shop


def test_tables_come_in_their_order_and_are_published(outputs: Path, tmp_path: Path) -> None:
    shop = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(shop)
    names = [row.table for row in run.build_profile(shop)]
    places = [names.index(name) for name in ("derived.customer_day", "lifetime.customer_lifetime_value")]
    assert places == sorted(places)
    assert names[-1].startswith("profile.")
    assert len(shop.query("profile.customer")) == 3
    assert {row.mode for row in run.build_profile(shop)} <= {"unchanged", "off", "view"}
