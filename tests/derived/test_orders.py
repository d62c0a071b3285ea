"""An order is one purchase, whatever its lines, days and refunds; a refresh gives what a build from nothing gives."""

from __future__ import annotations

import collections
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

HEADER = ("line", "customer", "day", "order", "pays_back", "kind", "spent", "returned")
PARAMS = """
title: Orders
as_of: {as_of}
min_cell: 1
sources:
  purchases:
    path: nowhere.csv
    columns: {{event_id: line, customer_id: customer, occurred_at: day, order_id: order, refund_of: pays_back,
               category: kind, amount: spent, refunded: returned}}
category: category
"""
START = dt.datetime(2024, 1, 15)


class Orders:
    """A workbook of order lines, in a folder of its own, fed batch by batch."""

    def __init__(self, folder: Path, as_of: str = "2024-12-01"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.batches = folder, 0
        (folder / "w.yml").write_text(PARAMS.format(as_of=as_of))
        self.workbook = Workbook.open(folder / "w.yml")

    def bring(self, rows: list[tuple]) -> int:
        self.batches += 1
        file = self.folder / f"lines_{self.batches}.csv"
        with file.open("w", newline="") as stream:
            csv.writer(stream).writerows([HEADER, *rows])
        return ingest.ingest_files(self.workbook, "purchases", [file])[0].batch_id

    def refresh(self, *schemas: str) -> dict[str, str]:
        return {row.table: row.mode for row in models.refresh(self.workbook, *(schemas or ("derived",)))}

    def table(self, name: str):
        with self.workbook.engine.read() as session:
            return session.frame(f"SELECT * FROM {name} ORDER BY ALL")

    def days(self) -> dict[tuple[str, str], tuple[float, int]]:
        """Spend and purchases by customer and day."""
        summed = self.table("derived.customer_day").groupby(["customer_id", "day"])[["spend", "purchases"]].sum()
        return {(who, f"{day:%m-%d}"): (float(spend), int(count)) for (who, day), (spend, count) in summed.T.items()}


@pytest.fixture
def orders(outputs: Path, tmp_path: Path) -> Orders:
    return Orders(tmp_path)


def line(
    number: int, customer: str, day: str, order: str, spent: str, pays_back: str = "", kind: str = "x", returned=""
):
    return (f"l{number}", customer, f"2024-{day}", order, pays_back, kind, spent, returned)


CASES = {
    "lines of an order are one purchase": (
        [line(1, "a", "01-03", "o1", "10", kind="tea"), line(2, "a", "01-03", "o1", "5", kind="cups")],
        {("a", "01-03"): (15, 1)},
    ),
    "an order over two days counts on its first": (
        [line(1, "a", "01-05", "o1", "10"), line(2, "a", "01-03 23:59", "o1", "5"), line(3, "a", "01-05", "o2", "1")],
        {("a", "01-03"): (15, 1), ("a", "01-05"): (1, 1)},
    ),
    "one number of two customers is two orders": (
        [line(1, "a", "01-03", "o1", "10"), line(2, "b", "01-04", "o1", "5")],
        {("a", "01-03"): (10, 1), ("b", "01-04"): (5, 1)},
    ),
    "rows without an order are as they were": (
        [line(1, "a", "01-03", "", "10"), line(2, "a", "01-03", "", "5"), line(3, "a", "01-03 10:00", "", "1"),
         line(4, "a", "01-03 10:00", "", "2"), line(5, "a", "01-03", "o1", "4")],
        {("a", "01-03"): (22, 4)},
    ),
    "a document that pays an order back counts on the order's day": (
        [line(1, "a", "01-03", "o1", "10"), line(2, "a", "03-09", "c1", "-4", "o1")],
        {("a", "01-03"): (6, 1)},
    ),
    "one that names no known order counts on its own": (
        [line(1, "a", "01-03", "o1", "10"), line(2, "a", "03-09", "c1", "-4", "o9"),
         line(3, "b", "02-01", "c2", "-1", "o1")],
        {("a", "01-03"): (10, 1), ("a", "03-09"): (-4, 0), ("b", "02-01"): (-1, 0)},
    ),
    "an order that was paid back whole is no purchase": (
        [line(1, "a", "01-03", "o1", "10"), line(2, "a", "03-09", "c1", "-10", "o1"),
         line(3, "b", "01-03", "o2", "7", returned="7"), line(4, "b", "01-04", "", "7", returned="7"),
         line(5, "b", "01-06", "", "0")],
        {("a", "01-03"): (0, 0), ("b", "01-03"): (0, 0), ("b", "01-04"): (0, 0), ("b", "01-06"): (0, 1)},
    ),
    "an order whose amounts are not known is one": (
        [line(1, "a", "01-03", "o1", "")], {("a", "01-03"): (0, 1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_an_order_counts_as(orders: Orders, case: str) -> None:
    lines, expected = CASES[case]
    orders.bring(lines)
    orders.refresh()
    assert orders.days() == expected


def test_an_order_counts_in_the_category_of_its_first_row(orders: Orders) -> None:
    orders.bring(
        [
            line(1, "a", "01-03 10:00", "o1", "10", kind="tea"),
            line(2, "a", "01-03 11:00", "o1", "5", kind="cups"),
            line(3, "a", "01-03 09:00", "o1", "-1", kind="bags"),
        ]
    )
    orders.refresh()
    found = orders.table("derived.customer_day").set_index("category")
    assert found["purchases"].to_dict() == {"tea": 1, "cups": 0, "bags": 0}
    assert found["spend"].astype(float).to_dict() == {"tea": 10, "cups": 5, "bags": -1}


lines = st.tuples(
    st.sampled_from("abcd"),
    st.integers(0, 60).map(lambda day: START + dt.timedelta(days=day, hours=day % 3)),
    st.sampled_from(["", "o1", "o2", "o3"]),
    st.sampled_from(["", "", "", "o1", "o2", "o9"]),
    st.sampled_from(["tea", "cups", ""]),
    st.integers(-4, 20).map(str),
    st.sampled_from(["", "0", "3"]),
)


def by_hand(rows: list[tuple]) -> dict[tuple[str, str], tuple[float, int]]:
    """Spend and purchases by customer and day, order by order."""
    days: dict[tuple[str, str], list[float]] = collections.defaultdict(lambda: [0.0, 0])
    first: dict[tuple[str, str], dt.datetime] = {}
    for _, who, at, order, pays_back, *_ in rows:
        if order and not pays_back:
            first[who, order] = min(at, first.get((who, order), at))
    sums: dict[tuple[str, str], float] = collections.defaultdict(float)
    bought, loose = set(), collections.defaultdict(int)
    for _, who, at, order, pays_back, _, spent, returned in rows:
        of, amount = pays_back or order, float(spent) - float(returned or 0)
        on = first.get((who, of), at) if of else at
        days[who, f"{on:%m-%d}"][0] += amount
        is_bought = amount > 0 or (amount == 0 and returned in ("", "0"))
        if of:
            sums[who, of] += amount
            if is_bought and not pays_back:
                bought.add((who, of))
        elif is_bought:
            midnight = at.time() == dt.time()
            loose[who, at] += 1 if midnight or not loose[who, at] else 0
    for who, of in bought:
        days[who, f"{first[who, of]:%m-%d}"][1] += sums[who, of] > 0
    for (who, at), count in loose.items():
        days[who, f"{at:%m-%d}"][1] += count
    return {key: (spend, int(count)) for key, (spend, count) in days.items()}


@settings(max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    rows=st.lists(lines, min_size=25, max_size=25),
    splits=st.lists(st.lists(st.integers(0, 24), min_size=1, max_size=8), min_size=1, max_size=3),
)
def test_any_split_of_orders_gives_what_one_build_gives(rows, splits) -> None:
    numbered = [(f"l{number}", *row) for number, row in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", folder)
        parts = Orders(Path(folder) / "parts")
        # customers whom no split touches, so that a refresh by parts is the shorter way
        many = [(f"m{n}", f"z{n}", START, f"o{n % 3}", "", "tea", "5", "") for n in range(60)]
        parts.bring(many)
        parts.refresh()
        for split in splits:
            parts.bring([numbered[number] for number in dict.fromkeys(split)])
            modes = parts.refresh()
        assert modes["derived.customer_order"] in ("rows", "unchanged")
        names = ("derived.customer_order", "derived.customer_day", "derived.customer_value", "derived.summary")
        found = {name: parts.table(name) for name in names}
        seen = sorted({number for split in splits for number in split})
        expected = by_hand([numbered[number] for number in seen])
        assert {key: each for key, each in parts.days().items() if key[0][0] != "z"} == expected
        with parts.workbook.engine.write() as session:
            session.run("DELETE FROM lake.checkpoint")
        parts.refresh()
        for name, frame in found.items():
            pd.testing.assert_frame_equal(frame, parts.table(name), obj=name, check_exact=True)
