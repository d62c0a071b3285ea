"""A refresh gives what a build from nothing gives, and does no more than what changed."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.models.table_file import DAILY

SCHEMAS = ("derived", "profile", "insights")
PARAMS = """
title: A small airline
as_of: {as_of}
sources:
  purchases:
    path: nowhere.csv
    columns:
      event_id: event_id
      customer_id: customer_id
      occurred_at: occurred_at
      transaction_type: transaction_type
      category: category
      mileage: {{from: mileage, type: decimal}}
      amount: amount
      shelf: {{from: shelf, type: text, attribute: true}}
  customers: {{path: nowhere.csv}}
value: {{column: mileage, unit: miles, transaction_types: [FLIGHT, GIFT]}}
spend: {{column: amount, unit: EUR, transaction_types: [FLIGHT]}}
category: category
literal_guide_windows: true
"""
START = dt.datetime(2024, 1, 15)
EVENT = ("customer_id", "occurred_at", "transaction_type", "category", "mileage", "amount", "shelf")

moments = st.integers(0, 500).map(lambda day: START + dt.timedelta(days=day, hours=day % 24))
events = st.tuples(
    st.sampled_from("abcdefghijkl"),
    moments,
    st.sampled_from(["FLIGHT", "FLIGHT", "GIFT", "OTHER"]),
    st.sampled_from(["Gold", "Silver", ""]),
    st.integers(-3, 30).map(lambda n: n * 10),
    st.integers(-500, 5000).map(lambda n: n / 100),
    st.sampled_from(["", "top", "low"]),
)
people = st.tuples(
    st.sampled_from("abcxyz"), st.sampled_from(["North", "South"]), st.sampled_from(["", "A@b.org", "c@d.org"])
)


class Airline:
    """A workbook in a folder of its own, fed batch by batch."""

    def __init__(self, folder: Path, as_of: str = "latest"):
        self.folder = folder
        (folder / "w.yml").write_text(PARAMS.format(as_of=as_of))
        self.workbook = Workbook.open(folder / "w.yml")
        self.batches = 0

    def bring(self, rows: list[tuple], dataset: str = "purchases") -> int:
        """Ingest rows (the event's number first) as one batch; gives the batch's number."""
        self.batches += 1
        header = ("event_id", *EVENT) if dataset == "purchases" else ("customer_id", "region", "email")
        file = self.folder / f"{dataset}_{self.batches}.csv"
        with file.open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
        return ingest.ingest_files(self.workbook, dataset, [file])[0].batch_id

    def refresh(self) -> dict[str, str]:
        """The mode of each table."""
        return {row.table: row.mode for row in models.refresh(self.workbook, *SCHEMAS)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """The published tables by their columns, without rejected rows: repeats come by batches."""
        with self.workbook.engine.read() as session:
            names = [name for name in session.tables() if name.split(".")[0] in SCHEMAS]
            names = [name for name in names if not name.endswith(DAILY)]  # their days are those of the refreshes
            frames = {name: session.frame(f"SELECT * FROM {name} ORDER BY ALL") for name in names}
            counted = "SELECT * FROM derived.not_counted WHERE NOT becomes LIKE 'rejected, %'"
            frames["derived.not_counted"] = session.frame(f"{counted} ORDER BY ALL")
        frames.pop("derived.rejected_reason")
        return frames

    def forget(self) -> None:
        """Without checkpoints a refresh starts from nothing."""
        with self.workbook.engine.write() as session:
            session.run("DELETE FROM lake.checkpoint")


@pytest.fixture
def small(outputs: Path, tmp_path: Path) -> Airline:
    return Airline(tmp_path)


def equal(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame, obj=name, check_exact=True)


def test_what_is_of_a_customer_lies_together(small: Airline) -> None:
    """In tables that are followed customer by customer: DuckDB finds one without reading them whole."""
    small.bring([(n, "lkjihgfedcba"[n % 12], START, "FLIGHT", "Gold", 100 + n, 50, "top") for n in range(60)])
    small.refresh()
    with small.workbook.engine.read() as session:
        for name in ("derived.customer_day", "derived.customer_value", "profile.attribute"):
            customers = [
                customer for (customer,) in session.connection.sql(f"SELECT customer_id FROM {name}").fetchall()
            ]
            assert customers == sorted("abcdefghijkl"), name


batches = st.lists(st.lists(st.integers(0, 39), max_size=12), min_size=1, max_size=4)


@settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    rows=st.lists(events, min_size=40, max_size=40),
    splits=batches,
    customers=st.lists(people, max_size=3),
    as_of=st.sampled_from(["latest", "2024-09-10"]),
    taken_back=st.booleans(),
)
def test_any_split_gives_what_one_build_gives(rows, splits, customers, as_of, taken_back) -> None:
    """Batches overlap (repeats), are empty, late and out of order, as they come from `splits`."""
    numbered = [(f"e{number}", *row) for number, row in enumerate(rows)]
    numbered[0] = ("e0", "a", START, "FLIGHT", "Gold", 10, 1.0, "top")  # so that something lies before as_of
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", folder)
        (Path(folder) / "parts").mkdir()
        (Path(folder) / "whole").mkdir()
        parts = Airline(Path(folder) / "parts", as_of)
        parts.bring(numbered[:1])
        parts.refresh()
        if taken_back:
            wrong = parts.bring([("wrong", "a", START, "FLIGHT", "Gold", 999, 9.99, "low")])
            parts.refresh()
        for split in splits:
            if split:
                parts.bring([numbered[number] for number in split])
            parts.refresh()
        for number, person in enumerate(customers):
            parts.bring([person], "customers")
            if number % 2:
                parts.refresh()
        if taken_back:
            ingest.revert(parts.workbook, wrong)
        parts.refresh()
        found = parts.tables()
        parts.forget()
        parts.refresh()
        equal(found, parts.tables())

        patch.setenv("CLV_OUTPUTS_DIR", f"{folder}/other")
        whole = Airline(Path(folder) / "whole", as_of)
        seen = sorted({0, *(number for split in splits for number in split)}, reverse=True)
        whole.bring([numbered[number] for number in seen])
        for person in customers:
            whole.bring([person], "customers")
        whole.refresh()
        equal(found, whole.tables())


def test_second_refresh_has_nothing_to_do(small: Airline) -> None:
    small.bring([("e1", "a", START, "FLIGHT", "Gold", 10, 1.0, "top")])
    assert set(small.refresh().values()) == {"full", "view"}
    assert set(small.refresh().values()) == {"unchanged"}
