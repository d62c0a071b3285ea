"""Shared by the tests of stage 5: a workbook of one's own to activate, and what to read from it."""

from __future__ import annotations

from typing import Any

from clv_helpers.workbook import Workbook
from conftest import SMALL


def plan(**changes: Any) -> dict[str, Any]:
    """A planned activation as it stands in a params file."""
    return {"audience": "best_now_quiet", "destination": "email_team", "campaign": "win-back", **changes}


def changed(workbook: Workbook, **overrides: object) -> Workbook:
    """The same workbook with other params."""
    return Workbook.open(workbook.file, overrides={**SMALL, **overrides})


def steps(workbook: Workbook) -> dict[str, int]:
    """The waterfall of the first planned activation."""
    first = workbook.params.activations[0]
    rows = workbook.query("activation.fact_waterfall", campaign=first.campaign, destination=first.destination)
    return dict(zip(rows["step"], rows["members"], strict=True))


def sent(workbook: Workbook) -> set[str]:
    """Who is to be sent by the last decision."""
    return set(workbook.query("activation.decision", outcome="sent")["membership_number"])
