"""The simulated files of a workbook: made once, and left alone while the params ask for the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clv_helpers.config.params import Simulation
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import write_atomically, write_parquet
from clv_helpers.simulate.airline import simulate
from clv_helpers.simulate.flights import FARES, FLIGHTS
from clv_helpers.simulate.mailing import CAMPAIGNS, RESPONSES

SOURCES = ("members", "loyalty_events", "email_events", "assignments")


class SimulationError(UserError):
    """The folder holds the files of another simulation."""


def make_sources(workbook: Workbook) -> dict[str, Any]:
    """Write the simulated files that the params ask for, unless they are there already.

    Gives the settings and the row counts. Raises SimulationError where the folder holds another simulation.

    Example:
        >>> simulate.make_sources(wb)["members"]
        600
    """
    settings = workbook.params.simulate
    if settings is None:
        return {"simulated": "nothing: this workbook reads real files"}
    folder = workbook.folder / "source"
    record = truth(workbook) or write_airline(settings, folder)
    if record["settings"] != settings.model_dump() or set(record["rows"]) != set(SOURCES):
        raise SimulationError(
            f"{folder} holds a simulation with {record['settings']} and {', '.join(record['rows'])}, and the "
            f"params ask for {settings.model_dump()} and {', '.join(SOURCES)}; delete {workbook.folder} to "
            "simulate again"
        )
    return {**record["settings"], **record["rows"]}


def write_airline(settings: Simulation, folder: Path) -> dict[str, Any]:
    """Simulate, and write the sources and truth_members as Parquet, truth.json last; gives what that holds."""
    airline = simulate(settings)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*SOURCES, "truth_members"):
        write_parquet(getattr(airline, name), folder / f"{name}.parquet")
    record = {
        "settings": settings.model_dump(),
        "rows": {name: len(getattr(airline, name)) for name in SOURCES},
        "flights_mbg_nbd_per_day": FLIGHTS,
        "fares_gamma_gamma": FARES,
        "email_responses": RESPONSES,
        "campaign_strength": {name: strength for name, _, strength in CAMPAIGNS},
        "campaign_effects": airline.truth_campaigns,
    }
    write_atomically(folder / "truth.json", json.dumps(record, indent=2))
    return record


def truth(workbook: Workbook) -> dict[str, Any]:
    """The ground truth, as truth.json holds it; empty where the workbook is not simulated.

    Example:
        >>> sorted(simulate.truth(wb)["campaign_effects"])
        ['card-offer', 'come-back-bonus', 'double-miles']
    """
    file = workbook.folder / "source" / "truth.json"
    if workbook.params.simulate is None or not file.exists():
        return {}
    return json.loads(file.read_text(encoding="utf-8"))
