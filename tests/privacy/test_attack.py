"""Nobody works out a small group from a report: an attacker who has report.html alone, and the docs, tries."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from attack import Found, Truth, amount_between, few_at_the_top, is_recovered, recovered, too_exact
from random_workbooks import (
    Purchase,
    numbers_of,
    open_to_all,
    people_in,
    purchases_of,
    report,
    shop,
    truth_of,
    write_boards,
)

from clv_helpers.config.workbook import ROOT, Workbook
from conftest import often

SHOPS, BOARDS_PER_SHOP, PAIRS = often(6, 2), often(5, 3), often(7, 2)
SHIPPED = ["value", "decile"]


# by hand: the attack finds what is there to find


def chart(title: str, rows: list[dict], kinds: dict[str, str], filters: list[list[int]] | None = None) -> str:
    """A chart as a report holds it."""
    encoding = {f"axis{i}": {"field": name, "type": kind} for i, (name, kind) in enumerate(kinds.items())}
    spec = {"datasets": {"data": rows}, "mark": {"type": "bar"}, "encoding": encoding}
    choices = {"filters": filters, "first": 0} if filters else None
    content = {"title": title, "subtitle": "", "spec": spec, "choices": choices, "headers": {}, "html": ""}
    return f'<script type="application/json" class="spec">{json.dumps(content)}</script>'


def page(*charts: str, options: tuple[str, ...] = ()) -> str:
    """A board with a filter by status."""
    offered = "".join(f"<option>{name}</option>" for name in options)
    select = f"<label>Status<select>{offered}</select></label>" if options else ""
    return f'<div class="charts clv-board">{select}{"".join(charts)}</div>'


LABELS = {"category": {"BASIC", "SILVER", "GOLD", "FREQUENT"}, "month": {"2024-01-01", "2024-02-01"}}
FREQUENT = frozenset({("category", "FREQUENT")})
OPTIONS = ("ALL", "BASIC", "SILVER", "GOLD", "FREQUENT")


def by_choice(*values: float | None) -> list[dict]:
    return [{"value": value, "choice": choice} for choice, value in enumerate(values) if value is not None]


def attacked(report: str, measure: str, value: float, *keys: frozenset) -> list[Found]:
    truth: Truth = {measure: {keys or (FREQUENT,): {value}}}
    return recovered(report, truth, LABELS)


class TestTheAttackItself:
    def test_all_minus_the_other_choices(self) -> None:
        told = chart(
            "Value", by_choice(8_400.40, 5_000.11, 2_000.03, 1_000.26, None), {"value": "quantitative"}, [[0, 5]]
        )
        (found,) = attacked(page(told, options=OPTIONS), "value", 400.0)
        assert found.low == pytest.approx(400, abs=0.2)
        assert "category=FREQUENT" in str(found)

    def test_nothing_is_found_where_another_choice_is_hidden_too(self) -> None:
        told = chart("Value", by_choice(8_400.40, 5_000.11, 2_000.03, None, None), {"value": "quantitative"}, [[0, 5]])
        assert attacked(page(told, options=OPTIONS), "value", 400.0) == []
        gold = frozenset({("category", "GOLD")})
        assert attacked(page(told, options=OPTIONS), "value", 1_400.26, FREQUENT, gold) != []  # both together

    def test_nor_where_numbers_are_rounded(self) -> None:
        told = chart("Value", by_choice(8_500, 5_000, 2_000, 1_000, None), {"value": "quantitative"}, [[0, 5]])
        assert attacked(page(told, options=OPTIONS), "value", 400.0) == []

    def test_a_big_spender_stands_out_of_what_is_rounded(self) -> None:
        told = chart("Value", by_choice(58_000, 5_000, 2_000, 1_000, None), {"value": "quantitative"}, [[0, 5]])
        assert attacked(page(told, options=OPTIONS), "value", 50_000.0) != []

    def test_what_one_chart_hides_another_shows(self) -> None:
        kinds = {"month": "temporal", "category": "nominal", "value": "quantitative"}
        sizes = {"BASIC": 500.5, "SILVER": 200.25, "GOLD": 100.75}
        rows = [{"month": m, "category": c, "value": v} for m in sorted(LABELS["month"]) for c, v in sizes.items()]
        months = [{"month": m, "value": 841.5} for m in sorted(LABELS["month"])]
        apart = chart("By status", rows, kinds)
        together = chart("By month", months, {"month": "temporal", "value": "quantitative"})
        assert attacked(page(apart), "value", 80.0) == []
        (found,) = attacked(page(apart, together), "value", 80.0)
        assert len(found.places) == 2

    def test_a_share_tells_the_sum_that_it_is_of(self) -> None:
        whole = chart("Number", [{"value": 1_000.5}], {"value": "quantitative"})
        shares = [
            {"category": c, "share_of_value": s} for c, s in (("BASIC", 0.523), ("SILVER", 0.251), ("GOLD", 0.1123))
        ]
        parts = chart("Shares", shares, {"category": "nominal", "share_of_value": "quantitative"})
        assert attacked(page(parts), "value", 113.76) == []
        assert attacked(page(whole, parts), "value", 113.76) != []

    def test_a_count_of_people_is_pinned_to_one_number(self) -> None:
        kinds = {"category": "nominal", "customers": "quantitative"}
        counts = [{"category": c, "customers": n} for c, n in (("BASIC", 503), ("SILVER", 201), ("GOLD", 60))]
        whole = chart("Number", [{"customers": 769}], {"customers": "quantitative"})
        assert attacked(page(chart("Counts", counts, kinds), whole), "customers", 5.0) != []
        rounded = [{**row, "customers": round(row["customers"] / 5) * 5} for row in counts]
        whole = chart("Number", [{"customers": 770}], {"customers": "quantitative"})
        assert attacked(page(chart("Counts", rounded, kinds), whole), "customers", 5.0) == []

    def test_charts_that_contradict_each_other_are_not_of_one_thing(self) -> None:
        kinds = {"category": "nominal", "value": "quantitative"}
        rows = [{"category": c, "value": v} for c, v in (("BASIC", 500.5), ("SILVER", 200.25), ("GOLD", 100.75))]
        smaller = chart("Of other months", [{"value": 310.5}], {"value": "quantitative"})
        assert attacked(page(chart("By status", rows, kinds), smaller), "value", 80.0) == []

    def test_a_table_tells_as_much_as_a_chart(self) -> None:
        lines = "".join(f"<tr><td>{c}</td><td>{n}</td></tr>" for c, n in (("ALL", "1,081.5"), ("BASIC", "1,001.25")))
        told = f"<table><tr><th>Status</th><th>Value</th></tr>{lines}<tr><td>FREQUENT</td><td>&lt; 11</td></tr></table>"
        truth: Truth = {"value": {(FREQUENT,): {80.25}}}
        assert recovered(told, truth, {"category": {"BASIC", "FREQUENT"}}) != []

    def test_what_is_recovered(self) -> None:
        assert is_recovered("value", (81, 119), 100)
        assert not is_recovered("value", (79, 119), 100)
        assert not is_recovered("value", (101, 119), 100)  # it does not hold the truth
        assert is_recovered("customers", (4.6, 5.4), 5)
        assert not is_recovered("customers", (3.6, 5.4), 5)
        assert not is_recovered("customers", (19.6, 20.4), 20)  # not small


# random workbooks


def attack_on(workbook: Workbook, names: list[str], folder: Path, most: int = 60) -> tuple[int, list[Found]]:
    """How many numbers of small groups there are to be found, and those found."""
    truth, labels = truth_of(workbook, names)
    told = report(workbook, names, folder)
    return sum(map(len, truth.values())), recovered(told, truth, labels, most=most)


@pytest.mark.parametrize("seed", [3, 12])
def test_no_number_is_more_exact_than_the_rule_and_no_curve_begins_with_few(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "outputs"))
    workbook = shop(tmp_path, *purchases_of(seed))
    told, customers = report(workbook, SHIPPED, tmp_path / "run"), int(people_in(workbook)(frozenset()))
    assert too_exact(told, customers) == []
    assert few_at_the_top(told, customers) == []


def random_attacks(seeds: range, folder: Path, boards: int = BOARDS_PER_SHOP) -> Iterator[tuple[str, int, list[Found]]]:
    """Attacks on workbooks: of each seed a shop, with the shipped boards and so many sets of its own."""
    for seed in seeds:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CLV_OUTPUTS_DIR", str(folder / f"outputs{seed}"))
            workbook = shop(folder / f"shop{seed}", *purchases_of(seed))
            for number in range(boards):
                names = [*(SHIPPED if number == 0 else []), *write_boards(workbook, 1_000 * seed + number)]
                hidden, found = attack_on(workbook, names, folder / f"run{seed}_{number}")
                yield f"shop {seed}, boards {number}", hidden, found


def listed(found: list[Found]) -> str:
    return "\n".join(map(str, found[:40]))


def test_no_small_group_is_recovered_from_8_workbooks(tmp_path: Path) -> None:
    attacks = list(random_attacks(range(2, 4), tmp_path, boards=4))
    assert len(attacks) == 8
    assert sum(hidden for _, hidden, _ in attacks) > 100  # there is something to be found
    assert [f"{place}: {each}" for place, _, found in attacks for each in found] == []


@pytest.mark.slow
def test_no_small_group_is_recovered_from_many_workbooks(tmp_path: Path) -> None:
    attacks = list(random_attacks(range(100, 100 + SHOPS), tmp_path))
    hidden, found = sum(h for _, h, _ in attacks), [(place, each) for place, _, f in attacks for each in f]
    by_measure = Counter(each.measure for _, each in found)
    print(f"\n{len(attacks)} workbooks, {hidden} numbers of small groups, {len(found)} recovered: {dict(by_measure)}")
    for place, each in found[:60]:
        print(f"  {place}: {each}")
    assert len(attacks) == SHOPS * BOARDS_PER_SHOP
    assert found == []


def test_without_protection_groups_are_recovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "outputs"))
    workbook = shop(tmp_path, *purchases_of(5))
    _, found = attack_on(open_to_all(workbook), write_boards(workbook, 5), tmp_path / "run")
    assert found != []


# two reports


def one_more(seed: int, folder: Path, quantile: float) -> tuple[float, float, float]:
    """The bounds of a purchase that only the second of two reports knows, and its amount."""
    purchases, regions = purchases_of(seed)
    ordered = sorted(purchases, key=lambda p: p.amount)
    like = ordered[int(quantile * (len(ordered) - 1))]  # an amount as others have been, of one who has bought
    day = sorted(p.day for p in purchases)[len(purchases) * 2 // 3]
    more = Purchase(like.customer, day, like.amount, like.status)
    told, numbers = [], []
    for name, rows in (("before", purchases), ("after", [*purchases, more])):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CLV_OUTPUTS_DIR", str(folder / f"{name}{seed}"))
            workbook = shop(folder / f"{name}_shop{seed}", rows, regions)
            names = [*SHIPPED, *write_boards(workbook, seed)]
            told.append(report(workbook, names, folder / f"{name}_run{seed}"))
            rows_of = numbers_of(workbook, names)
            numbers.append({(m, k): float(row[m]) for k, _, row in rows_of for m in ("value", "spend") if row.get(m)})
    low, high = 0.0, np.inf
    for measure in ("value", "spend"):
        holds = {
            key
            for name, key in numbers[0].keys() & numbers[1].keys()
            if name == measure and abs(numbers[1][name, key] - numbers[0][name, key] - like.amount) < 1e-6
        }
        assert holds
        bounds = amount_between(*told, measure, holds)
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return low, high, like.amount


def test_one_purchase_more_is_not_read_off_two_reports(tmp_path: Path) -> None:
    low, high, amount = one_more(3, tmp_path, quantile=0.5)
    assert not is_recovered("spend", (low, high), amount), f"{low:,.2f} to {high:,.2f}, it is {amount:,.2f}"


@pytest.mark.slow
def test_one_purchase_more_is_not_read_off_many_pairs_of_reports(tmp_path: Path) -> None:
    read_off = []
    for seed in range(300, 300 + PAIRS):
        quantile = (0.1, 0.5, 0.9, 0.99)[seed % 4]
        low, high, amount = one_more(seed, tmp_path, quantile)
        print(f"shop {seed}: {amount:,.2f} lies between {low:,.2f} and {high:,.2f}")
        if is_recovered("spend", (low, high), amount):
            read_off.append((seed, quantile, low, high, amount))
    assert read_off == []


# the airline: five members of one status


@pytest.fixture(scope="module")
def five_frequent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbook]:
    """The small airline, in which five members alone hold the status FREQUENT; all others who did are SILVER."""
    from clv_helpers import simulate
    from conftest import SMALL, build_all

    folder = tmp_path_factory.mktemp("five")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder))
        workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides=SMALL, run="attacked")
        simulate.make_sources(workbook)
        keep_five(workbook)
        patch.setattr(simulate, "make_sources", lambda _: {})  # the files are as they shall be
        yield build_all(workbook)


def keep_five(workbook: Workbook) -> None:
    """Leave the status FREQUENT to five of those who hold it now."""
    import pandas as pd

    file = workbook.folder / "source" / "loyalty_events.parquet"
    events = pd.read_parquet(file)
    last = events.sort_values("occurred_at").groupby("membership_number").loyalty_status.last()
    five = sorted(last[last == "FREQUENT"].index)[:5]
    others = (events.loyalty_status == "FREQUENT") & ~events.membership_number.isin(five)
    events.loc[others, "loyalty_status"] = "SILVER"
    events.to_parquet(file, index=False)


@pytest.mark.slow
def test_five_frequent_members_of_the_airline_are_not_recovered(five_frequent: Workbook, tmp_path: Path) -> None:
    names = [*SHIPPED, "audiences", "campaign_results"]
    truth, _ = truth_of(five_frequent, names)
    assert any(key >= FREQUENT for group in truth["value"] for key in group)
    _, found = attack_on(five_frequent, names, tmp_path, most=100)
    assert found == [], listed(found)


# whole runs


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_no_small_group_is_recovered_from_the_report_of_a_whole_run(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "outputs"))
    workbook = shop(tmp_path, *purchases_of(seed))
    names = [*SHIPPED, *write_boards(workbook, seed)]
    command = [Path(sys.executable).with_name("clv"), "run", str(workbook.file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    (told,) = workbook.folder.glob("runs/*/report.html")
    truth, labels = truth_of(workbook, names)
    found = recovered(told.read_text("utf-8"), truth, labels, most=200)
    assert found == [], listed(found)
