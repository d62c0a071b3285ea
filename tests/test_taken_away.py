"""What is taken out of the params, or put back, never stops a refresh: one key, file, dataset or column at a time.

A third of them a day, and all in `make soak`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from activations import everyone_in
from ruamel.yaml import YAML

from clv_helpers import activation, run
from clv_helpers.config.validation import ParamsError, read_yaml
from clv_helpers.config.workbook import Workbook
from conftest import SMALL, of_the_day

QUICK = ["activations", "sources.email_events", "audience do_not_write"]
ROUTE = ("transaction_details", "region", "distance_band")  # of the lookup, what attributes and rankings ask
TAKEN = {  # needed by what else the params say, and refused there
    f"sources.{dataset}.columns.{name}"
    for dataset, names in {
        "purchases": "customer_id occurred_at category amount mileage",
        "customers": "customer_id channel",
        "email_events": "customer_id message_id campaign event_type occurred_at",
        "assignments": "customer_id campaign arm assigned_at",
        "costs": "month channel cost",
    }.items()
    for name in names.split()
} | {"acquisition", "sources.customers", "sources.routes", *(f"sources.routes.columns.{name}" for name in ROUTE)}


def parts(workbook: Workbook) -> Iterator[str]:
    """All that can be taken away: sections, datasets, columns, audiences and boards."""
    raw = read_yaml(workbook.file)
    yield from ("acquisition", "activations", "destinations", "campaigns", "schedule")
    for dataset, source in raw["sources"].items():
        yield from [f"sources.{dataset}"] * (dataset != "purchases")
        yield from (f"sources.{dataset}.columns.{name}" for name in source["columns"])
    for kind in ("audience", "dashboard"):
        yield from (f"{kind} {file.stem}" for file in sorted((workbook.specs / f"{kind}s").glob("*.yml")))
    yield from ("audience *", "dashboard *")


@pytest.fixture
def delivered(workbook: Workbook, tmp_path: Path) -> Workbook:
    """The small airline with params of its own, one activation of which was handed over."""
    shutil.copytree(workbook.specs, tmp_path / "params" / "airline")
    raw = read_yaml(workbook.file)
    for key, value in SMALL.items():
        section, name = key.split(".")
        raw[section][name] = value
    _write(raw, tmp_path / "params" / "airline.yml")
    own = Workbook.open(tmp_path / "params" / "airline.yml")
    everyone_in(own, 200)
    activation.activate(own, own.params.activations[0])
    run.refresh(own)
    return own


def without(workbook: Workbook, part: str) -> Workbook:
    """The workbook with one part taken away. Raises ParamsError where the rest needs it."""
    kind, _, name = part.partition(" ")
    if name:
        for file in list((workbook.specs / f"{kind}s").glob(f"{name}.yml")):
            file.unlink()
        return workbook
    raw = read_yaml(workbook.file)
    *parents, last = part.split(".")
    place: Any = raw
    for parent in parents:
        place = place[parent]
    del place[last]
    if part == "destinations":
        del raw["activations"]
    _write(raw, workbook.file)
    return Workbook.open(workbook.file)


def _write(raw: dict[str, Any], file: Path) -> None:
    with file.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(raw, stream)


def taken_and_put_back(workbook: Workbook, part: str) -> None:
    kept = workbook.file.parent.parent / "kept"
    shutil.copytree(workbook.file.parent, kept)
    try:
        run.refresh(without(workbook, part))
    finally:
        shutil.rmtree(workbook.file.parent)
        kept.rename(workbook.file.parent)


def test_a_refresh_goes_on_and_what_is_put_back_is_as_it_was(delivered: Workbook) -> None:
    members = delivered.query("audiences.fact_audience").set_index("audience")["customers"].to_dict()
    for part in QUICK:
        taken_and_put_back(delivered, part)
        assert "win-back" in set(delivered.query("insights.dim_campaign")["campaign"]), part
    run.refresh(delivered)
    assert delivered.query("audiences.fact_audience").set_index("audience")["customers"].to_dict() == members


@pytest.mark.slow
def test_a_refresh_goes_on_without_any_one_part(delivered: Workbook) -> None:
    refused, tried = set(), of_the_day(parts(delivered), 3)
    for part in tried:
        try:
            taken_and_put_back(delivered, part)
        except ParamsError:  # said before anything is done
            refused.add(part)
    assert refused == TAKEN & set(tried)
    run.refresh(delivered)
