"""A small workbook with everything that can hold a person: what is exported, forgotten and compared."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pandas as pd

from clv_helpers import activation, audiences, ingest
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.refresh_all import refresh_all

PERSON, EMAIL, NAME = "N-000007", "kofi.fischer.7@example.com", "Kofi Fischer"
PARAMS = """
title: A shop and its people
as_of: 2025-01-10
category: category
sources:
  purchases: {path: "events_*.csv"}
  customers:
    path: customers.csv
    columns:
      customer_id: customer_id
      email: email
      first_name: first_name
      last_name: last_name
      region: region
      email_consent: email_consent
      brought_by: {from: brought_by, type: text}
  email_events: {path: mails.csv}
destinations:
  team:
    type: files
    columns: {customer_id: number, email: address, first_name: first, region: place}
activations:
  - {audience: northern, destination: team, campaign: spring, activate: true}
"""
AUDIENCE = """
title: In the north
description: By region.
rule: {field: region, op: equals, value: North}
"""
# what ran, when, and how many it was then: it stays, and tells nothing of a person
RECORDS = {"lake.batch_log", "lake.batches", "lake.checkpoint", "lake.forgotten", "audiences.evaluation"}
RECORDS |= {
    "activation.delivery_run",
    "insights.bridge_audience_destination",
    "activation.part",
    "schedule.refresh_run",
    "lifetime.prediction",
}
UNCOMPARED = {
    "run_id", "intended_at", "settled_at", "activated_at", "assigned_at", "_batch_id", "row_number", "evaluation",
}  # fmt: skip


def write_people(folder: Path, without: str = "", customers: int = 60, extra: str = "") -> Path:
    """The params file of a shop whose data lie beside it; `without`: the same data, less one person."""
    chance = random.Random(11)
    folder.mkdir(parents=True, exist_ok=True)
    people = [f"N-{number:06d}" for number in range(customers)]
    for part in range(2):
        rows = [
            [f"e{part}{n}", chance.choice(people), f"202{3 + part}-{n % 12 + 1:02d}-{n % 28 + 1:02d}", n % 7 + 1.5,
             chance.choice(["GOLD", "SILVER"])]
            for n in range(6 * customers)
        ]  # fmt: skip
        rows += [[f"mine{part}{n}", PERSON, f"202{3 + part}-0{n + 3}-11 10:00:00", 990.25, "GOLD"] for n in range(3)]
        rows.append([f"bad{part}", people[1], "never", 1, "GOLD"])
        rows.append([f"torn{part}", PERSON, "2024-01-01", 1, "GOLD", "and", "more"])
        header = ["event_id", "customer_id", "occurred_at", "amount", "category"]
        _write(folder / f"events_{part}.csv", header, rows, without)
    known = [
        [p, f"guest{n}@example.com", f"First{n}", f"Last{n}", ["North", "South"][n % 2], "true", ""]
        for n, p in enumerate(people)
    ]
    known[7] = [PERSON, EMAIL, *NAME.split(), "North", "true", ""]
    known[8][1] = known[9][1] = "family@example.com"
    known[12][6] = "" if without else PERSON
    header = ["customer_id", "email", "first_name", "last_name", "region", "email_consent", "brought_by"]
    _write(folder / "customers.csv", header, known, without)
    mails = [
        [f"m{n}{kind}", f"m{n}", "winter", person, kind, f"2024-11-0{1 + (kind != 'sent')} 09:00:00"]
        for n, person in enumerate(people)
        for kind in ("sent", "delivered", "opened")
        if kind != "opened" or n % 2
    ]
    header = ["event_id", "message_id", "campaign", "customer_id", "event_type", "occurred_at"]
    _write(folder / "mails.csv", header, mails, without)
    (folder / "people" / "audiences").mkdir(parents=True, exist_ok=True)
    (folder / "people" / "audiences" / "northern.yml").write_text(AUDIENCE)
    (folder / "people.yml").write_text(PARAMS + extra)
    return folder / "people.yml"


def built(params: Path, activates: bool = True) -> Workbook:
    """All tables of a workbook, and its audience handed over."""
    workbook = Workbook.open(params)
    ingest.ingest_files(workbook)
    refresh_all(workbook)
    audiences.evaluate(workbook)
    activation.decide(workbook)
    if activates:
        activation.activate(workbook, workbook.params.activations[0])
        refresh_all(workbook)
        activation.decide(workbook)
    return workbook


def tables_of(workbook: Workbook, without: str = "") -> dict[str, pd.DataFrame]:
    """Every table as published but the records of what ran; `without`: the rows of all other customers."""
    found: dict[str, pd.DataFrame] = {}
    with workbook.engine.read() as session:
        for name in session.tables():
            if name in RECORDS or name.startswith("main."):
                continue
            frame: Any = session.frame(f"SELECT * FROM {name}")
            frame = frame[[column for column in frame if column not in UNCOMPARED]]
            if without and "customer_id" in frame:
                frame = frame[frame["customer_id"] != without]
            found[name] = frame.sort_values(list(frame)).reset_index(drop=True)
    return found


def _write(file: Path, header: list[str], rows: list[list[Any]], without: str) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(row for row in rows if not without or without not in map(str, row))
