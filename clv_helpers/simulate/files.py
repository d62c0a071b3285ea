"""The simulated files of a workbook: made once, and left alone while the params ask for the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clv_helpers import progress
from clv_helpers.config.settings import Simulation
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import write_atomically, write_parquet
from clv_helpers.simulate.acquisition import CHANNELS
from clv_helpers.simulate.airline import simulate
from clv_helpers.simulate.flights import FARES, FLIGHTS, SEASON
from clv_helpers.simulate.mailing import CAMPAIGNS, RESPONSES
from clv_helpers.simulate.two_lists import simulate_two_lists
from clv_helpers.simulate.web_shop import simulate_web_shop

SOURCES = ("members", "loyalty_events", "email_events", "assignments", "routes", "costs")
WEB_SHOP_SOURCES = ("products", "customers", "web_events", "orders", "reviewed")
TWO_LISTS_SOURCES = ("customers", "cards", "orders", "checked")
# The settings that make the data of each business; an airline was made before there was another.
SETTINGS = {
    "airline": {"members", "years", "seed"},
    "web_shop": {"business", "members", "years", "bots", "seed"},
    "two_lists": {"business", "members", "in_both", "seed"},
}


class SimulationError(UserError):
    """The folder holds the files of another simulation."""


@progress.told
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
    write, names = {
        "airline": (write_airline, SOURCES),
        "web_shop": (write_web_shop, WEB_SHOP_SOURCES),
        "two_lists": (write_two_lists, TWO_LISTS_SOURCES),
    }[settings.business]
    progress.step(f"simulating {settings.business.replace('_', ' ')}")
    record, asked = truth(workbook) or write(settings, folder), _told(settings)
    if record["settings"] != asked or set(record["rows"]) != set(names):
        raise SimulationError(
            f"{folder} holds a simulation with {record['settings']} and {', '.join(record['rows'])}, and the "
            f"params ask for {asked} and {', '.join(names)}; delete {workbook.folder} to simulate again"
        )
    return {**record["settings"], **record["rows"]}


def _told(settings: Simulation) -> dict[str, Any]:
    """The settings that make the data; of what data may have besides, what they have."""
    told = settings.model_dump(include=SETTINGS[settings.business])
    if settings.business == "airline":
        told |= settings.model_dump(include={"season", "change_per_year"}, exclude_defaults=True)
    return told


def write_airline(settings: Simulation, folder: Path) -> dict[str, Any]:
    """Simulate, and write the sources and truth_members as Parquet, truth.json last; gives what that holds."""
    airline = simulate(settings)
    told = {
        "flights_mbg_nbd_per_day": FLIGHTS,
        "fares_gamma_gamma": FARES,
        "season": list(SEASON) if settings.season else [],
        "change_per_year": settings.change_per_year,
        "email_responses": RESPONSES,
        "campaign_strength": {name: strength for name, _, strength in CAMPAIGNS},
        "campaign_effects": airline.truth_campaigns,
        "channels": {name: asdict(each) for name, each in CHANNELS.items()},
    }
    return _write(settings, folder, airline, SOURCES, told, also="truth_members")


def write_web_shop(settings: Simulation, folder: Path) -> dict[str, Any]:
    """Simulate, and write the sources and truth_visitors as Parquet, truth.json last; gives what that holds."""
    shop = simulate_web_shop(settings)
    told = {
        "browsed": int(shop.truth_visitors["browsed"].sum()),
        "bots": int(shop.truth_visitors["is_bot"].sum()),
    }
    return _write(settings, folder, shop, WEB_SHOP_SOURCES, told, also="truth_visitors")


def write_two_lists(settings: Simulation, folder: Path) -> dict[str, Any]:
    """Simulate, and write the sources as Parquet, truth.json last; gives what that holds."""
    lists = simulate_two_lists(settings.members, settings.seed, settings.in_both)
    told = {
        "on_both": int(lists.checked["is_same"].sum()),
    }
    return _write(settings, folder, lists, TWO_LISTS_SOURCES, told)


def _write(
    settings: Simulation, folder: Path, made: Any, sources: tuple[str, ...], told: dict[str, Any], also: str = ""
) -> dict[str, Any]:
    """Write the sources (and `also`, a table of the truth) as Parquet, truth.json last; gives what that holds."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*sources, *filter(None, [also])):
        write_parquet(getattr(made, name), folder / f"{name}.parquet")
    rows = {name: len(getattr(made, name)) for name in sources}
    record = {"settings": _told(settings), "rows": rows, **told}
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
