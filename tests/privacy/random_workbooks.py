"""Workbooks that an analyst could have, made up: few customers, one group of them small, and boards of one's own.

`shop(seed, folder)` makes the tables of one; `boards(seed, shop)` writes boards for it; `report(shop)` is its
report.html, by the code that writes every report, but without notebooks; `truth_of(shop)` is what the report hides.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from attack import PEOPLE, TOTALS, Truth
from sqlglot import exp

from clv_helpers import dashboards, derived, ingest, models
from clv_helpers.charts import Widget
from clv_helpers.charts.rows import narrowing, population, read_rows, source_of
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.filters import offers
from clv_helpers.report import writing
from clv_helpers.report.run_record import RunRecord, StageRecord

MIN_CELL = 11
FIRST = dt.date(2024, 1, 1)
STATUSES = ("BASIC", "SILVER", "GOLD", "FREQUENT", "SENATOR", "CREW")
REGIONS = ("North", "South", "East", "West")
SUMS = ("value", "spend", "purchases")
MEASURES = (*PEOPLE, *SUMS)
OWN_SQL = {
    "groups": "SELECT b.category, b.region, b.frequency_band, b.frequency_order, COUNT(*) AS customers, "
    "SUM(v.spend) AS spend, SUM(v.value) AS value, CAST(SUM(v.spend) AS DOUBLE) / COUNT(*) AS spend_per_customer "
    "FROM insights.dim_customer_band AS b JOIN derived.customer_value AS v ON v.customer_id = b.customer_id "
    "GROUP BY b.category, b.region, b.frequency_band, b.frequency_order",
    "months": "SELECT m.month, b.category, b.region, COUNT(DISTINCT m.customer_id) AS customers, "
    "SUM(m.spend) AS spend, SUM(m.purchases) AS purchases "
    "FROM insights.fact_customer_month AS m JOIN insights.dim_customer_band AS b ON b.customer_id = m.customer_id "
    "GROUP BY m.month, b.category, b.region",
}
# What boards of one's own can be made of: the table or SQL file, its columns, what of it can be summed.
TABLES = {
    "groups": (["category", "region", "frequency_band"], ["customers", "spend", "value"]),
    "months": (["month", "category", "region"], ["spend", "purchases"]),
    "insights.fact_decile_profile": (["decile", "category", "region", "recency_band"], ["customers", "spend"]),
    "insights.fact_value_by_month": (["month", "category"], ["value", "spend", "purchases"]),
    "insights.fact_value_by_decile": (["decile", "category", "lookback"], ["customers", "value", "spend"]),
}
FILTERS = {
    "category": {"table": "insights.fact_value_by_decile", "label": "Status"},
    "region": {"table": "insights.dim_customer_band", "label": "Region"},
    "decile": {"table": "insights.fact_decile_profile", "label": "Decile"},
    "lookback": {"table": "insights.fact_value_by_decile", "label": "Look-back", "order_by": "lookback_order",
                 "default": "12 months"},
}  # fmt: skip


@dataclass(frozen=True)
class Purchase:
    """A purchase of one customer."""

    customer: str
    day: dt.date
    amount: float
    status: str


def purchases_of(seed: int) -> tuple[list[Purchase], dict[str, str]]:
    """Purchases of 200 to 3,000 customers over 3 to 15 months, and each customer's region.

    Sizes of groups have a heavy tail: in nine workbooks of ten one status has 1 to 10 customers, who may spend much.
    """
    rng = np.random.default_rng(seed)
    customers = int(np.exp(rng.uniform(np.log(200), np.log(3_000))))
    status = _grouped(rng, STATUSES[: rng.integers(2, 7)], customers, small=rng.random() < 0.9)
    region = _grouped(rng, REGIONS[: rng.integers(2, 5)], customers, small=rng.random() < 0.3)
    days, level = int(rng.integers(3, 16)) * 30, float(rng.uniform(3, 6))
    smallest = min(set(status), key=lambda name: status.count(name))
    much = float(np.exp(rng.choice([0, 0, 1, 2])))  # the small group spends as others do, or several times as much
    rows = []
    for number in range(customers):
        worth = float(rng.lognormal(0, 0.6)) * (much if status[number] == smallest else 1)
        for day in rng.integers(0, days, 1 + rng.poisson(float(rng.gamma(1, 2.5)))):
            amount = round(worth * float(rng.lognormal(level, 0.5)), 2)
            rows.append(Purchase(f"c{number}", FIRST + dt.timedelta(days=int(day)), amount, status[number]))
    return rows, {f"c{number}": name for number, name in enumerate(region)}


def _grouped(rng: np.random.Generator, names: tuple[str, ...], customers: int, small: bool) -> list[str]:
    """Each customer's group: sizes by a Pareto's tail; the last group, where it is small, of 1 to 10."""
    few = int(rng.integers(1, 11)) if small else 0
    large = names[:-1] if small else names
    shares = rng.pareto(1.2, len(large)) + 0.3
    drawn = list(rng.choice(large, customers - few, p=shares / shares.sum()))
    return [str(name) for name in drawn] + [names[-1]] * few


def shop(folder: Path, purchases: list[Purchase], regions: dict[str, str], min_cell: int = MIN_CELL) -> Workbook:
    """A workbook of these purchases, with its tables of stages 1 and 2. CLV_OUTPUTS_DIR names its outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{p.customer},{p.day},{p.amount},{p.status}" for p in purchases]
    (folder / "purchases.csv").write_text("\n".join(["customer,day,spent,status", *lines]), encoding="utf-8")
    lines = [f"{customer},{region}" for customer, region in regions.items()]
    (folder / "customers.csv").write_text("\n".join(["customer,region", *lines]), encoding="utf-8")
    given: dict[str, Any] = {
        "title": "A shop",
        "category": "category",
        "min_cell": min_cell,
        "sources": {
            "purchases": {
                "path": "purchases.csv",
                "columns": {"customer_id": "customer", "occurred_at": "day", "amount": "spent", "category": "status"},
            },
            "customers": {"path": "customers.csv", "columns": {"customer_id": "customer", "region": "region"}},
        },
    }
    (folder / "shop.yml").write_text(yaml.safe_dump(given), encoding="utf-8")
    workbook = Workbook.open(folder / "shop.yml", run="attacked")
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    models.refresh(workbook, "profile", "insights")
    return workbook


def write_boards(workbook: Workbook, seed: int) -> list[str]:
    """One or two random boards of one's own, in the place of those written before. Gives their names."""
    rng = np.random.default_rng(seed)
    folder = workbook.specs / "dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("own*.yml"):
        file.unlink()
    for name, sql in OWN_SQL.items():
        (folder / f"{name}.sql").write_text(sql, encoding="utf-8")
    names = [f"own{number}" for number in range(rng.integers(1, 3))]
    for name in names:
        (folder / f"{name}.yml").write_text(yaml.safe_dump(_board(rng), sort_keys=False), encoding="utf-8")
    return names


def _board(rng: np.random.Generator) -> dict[str, Any]:
    filters = [name for name in FILTERS if rng.random() < 0.5] or ["category"]
    if "decile" in filters and len(filters) > 2:
        filters.remove("decile")  # more than 80 choices are not kept
    widgets = [_widget(rng, number) for number in range(rng.integers(2, 5))]
    return {"title": "Own", "filters": [{"column": n, **FILTERS[n]} for n in filters], "widgets": widgets}


def _widget(rng: np.random.Generator, number: int) -> dict[str, Any]:
    """A random picture of sums over one or two columns, or of their number alone."""
    table = str(rng.choice(list(TABLES)))
    columns, measures = TABLES[table]
    axes = [str(name) for name in rng.permutation(columns)[: rng.choice([0, 0, 1, 1, 2])]]
    measure = {"column": str(rng.choice(measures)), "aggregate": "sum"}
    shown: dict[str, Any] = {"title": f"Picture {number} of {measure['column']} of {table}"}
    shown["table" if "." in table else "sql"] = table
    if "category" in columns and "." in table and table != "insights.fact_decile_profile" and "category" not in axes:
        shown["filters"] = {"category": "ALL"}
    if table == "insights.fact_value_by_decile" and "lookback" not in axes:
        shown["filters"] = {**shown.get("filters", {}), "lookback": "12 months"}
    if not axes:
        return {**shown, "mark": "number", "y": measure}
    if len(axes) == 1:
        if rng.random() < 0.3:
            return {**shown, "mark": "table", "columns": [axes[0], measure]}
        return {**shown, "mark": "bar", "x": axes[0], "y": measure}
    if rng.random() < 0.5:
        return {**shown, "mark": "heatmap", "x": axes[0], "y": axes[1], "color": measure}
    return {**shown, "mark": "bar", "x": axes[0], "y": measure, "color": axes[1]}


def report(workbook: Workbook, names: list[str], folder: Path) -> str:
    """report.html of boards and of the views of stages 1 and 2 that a shop has, written as after a run."""
    outputs = [dashboards.board(workbook, *names)]
    if "value" in names:
        outputs += [derived.metrics(workbook), derived.deciles(workbook), derived.concentration(workbook)]
        outputs += [derived.recency_frequency(workbook)]
    parts = [part for output in outputs for part in output.parts or (output,)]
    cells = [{"cell_type": "code", "source": "", "outputs": [{"data": part.bundle} for part in parts]}]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "3_dashboard.ipynb").write_text(json.dumps({"cells": cells}, default=str), encoding="utf-8")
    given = workbook.params.model_dump(mode="json", exclude_none=True)
    stages = [StageRecord(3, "3_dashboard", "done")]
    record = RunRecord("attacked", "shop", "shop.yml", str(FIRST), {}, given, "", {}, str(FIRST), stages)
    return writing.write(workbook, record, folder).read_text(encoding="utf-8")


# what is true


def truth_of(workbook: Workbook, names: list[str], min_cell: int = MIN_CELL) -> tuple[Truth, dict[str, set[str]]]:
    """What the groups of fewer than `min_cell` people hold, of all charts and choices; and all columns' values.

    A row's people are at most those of its status and region: who buys in three months is not three people.
    """
    most = people_in(workbook)
    truth: Truth = defaultdict(lambda: defaultdict(set))
    labels: dict[str, set[str]] = defaultdict(set)
    lines: dict[tuple, dict[frozenset, tuple[float, dict[str, float]]]] = defaultdict(dict)
    for key, people, row in numbers_of(workbook, names):
        for name, value in key:
            labels[name].add(value)
        people = min(people if people is not None else math.inf, most(key))
        if not 0 < people < min_cell:
            continue
        numbers = {measure: float(row[measure]) for measure in MEASURES if row.get(measure) is not None}
        for measure, number in numbers.items():
            truth[measure][(key,)].add(number)
        for part in key:  # the small ones of a line, together
            lines[part[0], key - {part}, tuple(numbers)][key] = (people, numbers)
    for (_, _, measures), parts in lines.items():
        if len(parts) > 1 and sum(people for people, _ in parts.values()) < min_cell:
            for measure in measures:
                truth[measure][tuple(sorted(parts, key=sorted))].add(sum(n[measure] for _, n in parts.values()))
    return truth, labels


def numbers_of(workbook: Workbook, names: list[str]) -> Iterator[tuple[frozenset, float | None, dict[str, Any]]]:
    """The rows behind all charts of boards, for each choice: what each is about, its people, itself."""
    with workbook.engine.read() as session:
        for name in names:
            board = dashboards.load(workbook, name)
            offered = offers(session, workbook, board)
            for widget in board.widgets:
                if widget.table and not session.has_table(widget.table):
                    continue
                known = list(session.columns(source_of(session, workbook, widget).copy()))
                last = [{o.column: list(o.choices.values())[-1]} for o in offered]
                wired = [o for o, f in zip(offered, last, strict=True) if narrowing(widget, f, known)]
                for values in itertools.product(*(o.choices.values() for o in wired)):
                    chosen = {o.column: v for o, v in zip(wired, values, strict=True)}
                    narrowed = {n: v for n, v in chosen.items() if v is not None}
                    rows = read_rows(session, workbook, widget, narrowed)
                    people = population(widget, list(rows.columns))
                    for row in rows.to_dict("records"):
                        yield _about(widget, row, narrowed), row.get(people) if people else None, row


def people_in(workbook: Workbook) -> Callable[[frozenset], float]:
    """The people that a group can have, by the columns that say something of a customer."""
    columns = ("category", "region")
    with workbook.engine.read() as session:
        rows = session.frame(exp.select(*columns).from_("insights.dim_customer_band")).to_dict("records")
    counts: Counter[frozenset] = Counter()
    for row in rows:
        for chosen in ((), ("category",), ("region",), columns):
            counts[frozenset((n, str(row[n])) for n in chosen)] += 1
    return lambda key: counts[frozenset(part for part in key if part[0] in columns)]


def _about(widget: Widget, row: dict[str, Any], narrowed: dict[str, Any]) -> frozenset:
    shown = [f.column for f in widget.fields if not f.aggregate and f.column not in MEASURES]
    parts = {**{n: v for n, v in narrowed.items() if not isinstance(v, tuple)}, **{n: row[n] for n in shown}}
    texts = {n: str(v)[:10] if hasattr(v, "year") else str(v) for n, v in parts.items()}
    return frozenset((n, v) for n, v in texts.items() if v not in TOTALS and "share_of" not in n and "_per_" not in n)


def open_to_all(workbook: Workbook) -> Workbook:
    """The same workbook, whose reports hide nothing."""
    return replace(workbook, params=workbook.params.model_copy(update={"min_cell": 1}))
