"""Shared by the tests of stage 5: a workbook of one's own to activate, and what to read from it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

from clv_helpers import activation
from clv_helpers.config.workbook import Workbook
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
    return dict(zip(rows["step"], rows["customers"], strict=True))


def sent(workbook: Workbook) -> set[str]:
    """Who is to be sent by the last decision."""
    return set(workbook.query("activation.decision", outcome="sent")["customer_id"])


def activated(workbook: Workbook, **overrides: object) -> activation.ActivationResult:
    """Decide, and deliver the first planned activation."""
    workbook = changed(workbook, **overrides) if overrides else workbook
    return activation.activate(workbook, workbook.params.activations[0])


def everyone_in(workbook: Workbook, limit: int = 600) -> None:
    """Make customers the audience: of the small airline's 600 some 420 may be written to."""
    with workbook.engine.write() as session:
        session.run("DELETE FROM audiences.membership_period WHERE audience = 'best_now_quiet'")
    join(workbook, "TRUE", limit)


def join(workbook: Workbook, which: str, limit: int = 600) -> None:
    """Let the first customers of whom a condition holds into the audience, as an evaluation would."""
    with workbook.engine.write() as session:
        session.run(
            "INSERT INTO audiences.membership_period SELECT 'best_now_quiet', customer_id, 1, $at, $at, NULL, 'h', 1 "
            f"FROM profile.attribute WHERE {which} ORDER BY customer_id LIMIT $limit",
            at=dt.datetime(2025, 12, 1),
            limit=limit,
        )


def leave(workbook: Workbook, which: str) -> None:
    """Take customers of whom a condition holds out of the audience."""
    with workbook.engine.write() as session:
        session.run(f"DELETE FROM audiences.membership_period WHERE {which}")


def checked_files(folder: Path) -> list[Path]:
    """The data files of a finished set: those of the manifest, which tells the truth about each, and no others.

    The files of the control group are checked alike, and not among them.
    """
    manifests = sorted(folder.glob("manifest-*.json"))
    contents = [json.loads(manifest.read_text()) for manifest in manifests]
    listed, control = ([entry for content in contents for entry in content[key]] for key in ("files", "control"))
    for entry in [*listed, *control]:
        content = (folder / entry["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
    names = {entry["name"] for entry in listed}
    assert {file.name for file in folder.iterdir()} == names | {file.name for file in manifests} | {
        entry["name"] for entry in control
    }
    return [folder / name for name in sorted(names)]
