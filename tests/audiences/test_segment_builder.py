"""The segment builder without a browser: a file opened, changed, undone, saved beside another's change."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from clv_helpers import audiences
from clv_helpers.audiences.segment_builder import Builder
from clv_helpers.config.workbook import Workbook
from clv_helpers.config.yaml_files import SpecChanged
from clv_helpers.errors import UserError

NAME = "best_now_quiet"


@pytest.fixture
def own(airline: Workbook, tmp_path: Path) -> Workbook:
    """The airline's tables, with audiences of this test's own to write to."""
    shutil.copytree(airline.specs, tmp_path / "airline")
    workbook = Workbook(tmp_path / "airline.yml", airline.params)
    workbook.__dict__["engine"] = airline.engine
    return workbook


def test_a_batch_run_gives_one_output(airline: Workbook) -> None:
    batch = replace(airline, run="2026-01-01")
    batch.__dict__["engine"] = airline.engine  # several airlines are built in a session
    output = audiences.builder(batch, NAME)
    assert len(output.parts) == 3


def test_opened_changed_and_saved_as_a_copy(own: Workbook) -> None:
    builder = Builder(own, NAME)
    assert "members" in builder.count.value
    before, title = builder.draft.raw, builder.head["title"][0]
    title.value = "Another title"
    assert builder.draft.raw["title"] == "Another title"
    builder.change(lambda draft: draft.undo())
    assert builder.draft.raw == before
    assert title.value == before["title"]
    builder.change(lambda draft: draft.redo())
    builder.copy()
    builder.save()
    assert audiences.load(own, f"{NAME}_copy").title == "Another title"
    assert "saved as audiences/best_now_quiet_copy.yml" in builder.status.value
    assert audiences.load(own, NAME).title == before["title"]


def test_anothers_change_is_not_written_over(own: Workbook) -> None:
    builder = Builder(own, NAME)
    file = own.specs / "audiences" / f"{NAME}.yml"
    file.write_text(file.read_text("utf-8") + "# changed meanwhile\n")
    with pytest.raises(SpecChanged, match=f"audiences/{NAME}.yml was changed by another"):
        builder.save()


def test_an_incomplete_rule_is_not_saved(own: Workbook) -> None:
    builder = Builder(own)
    builder.name.value = "nobody"
    with pytest.raises(UserError, match="The rule is empty"):
        builder.save()
    assert "The rule is empty" in builder.count.value
    assert "nobody" not in audiences.names(own)


def test_rankings_of_the_params_are_blocks_and_come_back_from_the_file(own: Workbook) -> None:
    builder = Builder(own)
    blocks = builder.blocks
    blocks.blocks.value = "place in miles by status"
    assert "s place within one status, from 1 (the best) to 10: Sum of purchases.mileage, where" in blocks.about.value
    assert list(blocks.lookback.options) == ["3 months", "12 months"]
    assert "ALL" not in blocks.category.options  # they are ranked within a status alone
    assert blocks.category.value in blocks.category.options
    blocks.category.value, blocks.lookback.value = "GOLD", "12 months"
    blocks.op.value, blocks.value.value = "at most", "2"
    blocks.add.click()
    asked = {"map": "miles_by_status", "category": "GOLD", "lookback": "12 months", "op": "at most", "value": 2}
    assert builder.draft.raw["rule"] == {"all": [asked]}
    with own.engine.read() as session:
        met = session.scalar(
            "SELECT COUNT(*) AS n FROM derived.customer_rank WHERE name = 'miles_by_status' AND category = 'GOLD' "
            "AND lookback = '12 months' AND place <= 2"
        )
    assert builder.estimate is not None and builder.estimate.count == met > 0
    builder.head["title"][0].value, builder.name.value = "Best of gold", "best_of_gold"
    builder.save()
    assert audiences.load(own, "best_of_gold").to_raw()["rule"] == {"all": [asked]}
    again = Builder(own, "best_of_gold")
    assert again.draft.raw == builder.draft.raw
    assert "place in miles by status" in again.rows.children[1].description
    blocks.blocks.value = "decile within a status"
    assert blocks.category.value == "ALL" and blocks.lookback.value == 12
