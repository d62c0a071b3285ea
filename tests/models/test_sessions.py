"""Sessions are what pandas makes of the same events, and incremental as in full."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import audiences, ingest, models
from clv_helpers.config.params import load_params
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook

PARAMS = """\
title: A small shop
sources:
  purchases: {path: orders.csv}
  web:
    is: events
    path: web_*.csv
    sessions: 30 minutes
    columns: {event_id: id, customer_id: visitor, occurred_at: at}
  app:
    is: events
    path: app_*.csv
    sessions: 1 hour
    columns: {event_id: id, customer_id: visitor, occurred_at: at}
"""
PAUSES = {"web": 30, "app": 60}


def write_events(folder: Path, dataset: str, number: int, rows: list[tuple[str, str, dt.datetime]]) -> None:
    lines = [f"{event},{customer},{at.isoformat(sep=' ')}" for event, customer, at in rows]
    (folder / f"{dataset}_{number}.csv").write_text("\n".join(["id,visitor,at", *lines, ""]), encoding="utf-8")


def by_pandas(rows: list[tuple[str, str, dt.datetime]], dataset: str, as_of: dt.datetime) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["id", "customer_id", "at"])
    frame = frame[frame["at"] < as_of].sort_values(["customer_id", "at"], kind="stable")
    pause = frame.groupby("customer_id")["at"].diff()
    frame["first"] = (pause.isna() | (pause > pd.Timedelta(minutes=PAUSES[dataset]))).astype(int)
    frame["session_number"] = frame.groupby("customer_id")["first"].cumsum()
    grouped = frame.groupby(["customer_id", "session_number"])["at"].agg(["min", "max", "size"]).reset_index()
    seconds = (grouped["max"].dt.floor("s") - grouped["min"].dt.floor("s")).dt.total_seconds()
    return grouped.assign(dataset=dataset, minutes=(seconds / 60).round(4))


def random_events(chance: random.Random, dataset: str, count: int) -> list[tuple[str, str, dt.datetime]]:
    """Events of few people on few days, many of them exactly as far apart as a session's pause, or at one moment."""
    steps = [dt.timedelta(minutes=m, microseconds=u) for m in (0, 1, 30, 60, 600) for u in (-1, 0, 1)]
    at, rows = dt.datetime(2024, 1, 2, 9), []
    for number in range(count):
        at += max(dt.timedelta(), chance.choice(steps))
        rows.append((f"{dataset}{number}", chance.choice("abc"), at))
    return rows


def check(workbook: Workbook, events: dict[str, list], as_of: dt.date) -> None:
    found = workbook.query("derived.session").sort_values(["dataset", "customer_id", "session_number"])
    moment = dt.datetime.combine(as_of, dt.time())
    expected = pd.concat([by_pandas(events[dataset], dataset, moment) for dataset in ("app", "web")])
    assert list(zip(found["dataset"], found["customer_id"], found["session_number"], strict=True)) == list(
        zip(expected["dataset"], expected["customer_id"], expected["session_number"], strict=True)
    )
    assert list(found["occurred_at"]) == list(expected["min"])
    assert list(found["ended_at"]) == list(expected["max"])
    assert list(found["events"]) == list(expected["size"])
    assert [float(minutes) for minutes in found["minutes"]] == pytest.approx(list(expected["minutes"]), abs=1e-4)
    assert found["session_id"].is_unique


@pytest.mark.parametrize("seed", range(3))
def test_sessions_are_those_of_pandas_whichever_way_events_come(outputs: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    (tmp_path / "orders.csv").write_text("customer_id,occurred_at,amount\na,2024-01-01,1\nb,2024-01-01,1\n")
    (tmp_path / "shop.yml").write_text(PARAMS, encoding="utf-8")
    workbook = Workbook.open(tmp_path / "shop.yml")
    events = {dataset: random_events(chance, dataset, 60) for dataset in PAUSES}
    came: dict[str, list] = {"web": [], "app": []}
    shuffled = {dataset: chance.sample(rows, len(rows)) for dataset, rows in events.items()}
    for number in range(3):
        for dataset, rows in shuffled.items():
            part = rows[number::3]
            write_events(tmp_path, dataset, number, part)
            came[dataset] += part
        ingest.ingest_files(workbook)
        built = {row.table: row for row in models.refresh(workbook, "derived")}
        assert built["derived.session"].is_changed
        newest = max(at for rows in came.values() for _, _, at in rows)
        check(workbook, came, newest.date() + dt.timedelta(days=1))


def test_a_rule_asks_for_sessions_as_for_events(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("customer_id,occurred_at,amount\na,2024-01-01,1\nb,2024-01-01,1\n")
    (tmp_path / "shop.yml").write_text(PARAMS, encoding="utf-8")
    day = dt.datetime(2024, 1, 2, 9)
    minutes = {"a": [0, 10, 25, 200], "b": [0, 31, 62]}
    rows = [(f"{who}{m}", who, day + dt.timedelta(minutes=m)) for who, each in minutes.items() for m in each]
    write_events(tmp_path, "web", 0, rows)
    write_events(tmp_path, "app", 0, [("x", "b", day)])
    workbook = Workbook.open(tmp_path / "shop.yml")
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    folder = tmp_path / "shop" / "audiences"
    folder.mkdir(parents=True)
    (folder / "many.yml").write_text("title: Many\nrule: {event: web_sessions, op: at least, value: 3}\n")
    (folder / "long.yml").write_text(
        "title: Long\nrule: {event: web_sessions, where: {field: minutes, op: at least, value: 25}}\n"
    )
    assert audiences.checks.file_problems(workbook, "long") == []
    assert {row.audience: row.customers for row in audiences.evaluate(workbook)} == {"many": 1, "long": 1}
    assert set(workbook.query("audiences.membership", audience="many")["customer_id"]) == {"b"}
    assert set(workbook.query("audiences.membership", audience="long")["customer_id"]) == {"a"}
    said = audiences.printed(workbook, "many", "text")
    assert said == "Customers with at least 3 web sessions."


def test_no_source_is_called_as_sessions_are(tmp_path: Path) -> None:
    clash = "  web_sessions: {is: events, path: x.csv}\n"
    (tmp_path / "shop.yml").write_text(PARAMS + clash, encoding="utf-8")
    with pytest.raises(ParamsError, match="web_sessions is what the sessions of web are called"):
        load_params(tmp_path / "shop.yml")
