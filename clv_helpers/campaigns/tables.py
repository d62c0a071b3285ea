"""The tables of stage 6 brought up to date in one transaction: responses, outcomes, and each campaign's effect."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from clv_helpers import progress
from clv_helpers.campaigns.effect import effect_tables
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session
from clv_helpers.models import MODEL, RefreshRow, refresh_tables
from clv_helpers.models.suspects import refreshing

if TYPE_CHECKING:
    import pandas as pd

EFFECTS = ("fact_effect", "fact_effect_decile")
GROUPS = ("campaigns.outcome_group", "experiments.mailing_outcome")


def build(workbook: Workbook) -> list[RefreshRow]:
    """Bring what responses and outcomes are read from up to date, and the effect of each campaign; publish.

    Only new batches are read. Gives a row per table, as `models.refresh` does. Raises StageSkipped where the workbook
    has neither responses nor a control group. Cost: a pass over the messages and over the days of those who were
    assigned; what comes to Python is a row per campaign, audience, decile, arm and wave.

    Example:
        >>> len(campaigns.build(wb)) > 10
        True
    """
    needs_campaigns(workbook)
    with refreshing(workbook) as session:
        return build_within(session, workbook)


def build_within(session: Session, workbook: Workbook) -> list[RefreshRow]:
    """`build` in the caller's transaction."""
    rows = _refresh(session, workbook)
    version = _version(session, workbook)
    if all(session.version(f"campaigns.{name}") == version for name in EFFECTS):
        return rows
    progress.step("effects of the campaigns")
    for name, frame in effect_tables(_read_groups(session), _campaigns(session), workbook.params).items():
        session.load_frame("loaded", frame)
        session.create_table(f"campaigns.{name}", exp.select("*").from_("loaded"))
        session.set_version(f"campaigns.{name}", version)
    return rows


def _version(session: Session, workbook: Workbook) -> str:
    """From what the effects are made, hashed: the groups, the campaigns, the params, and the code."""
    versions = [session.version(name) for name in (*GROUPS, "campaigns.campaign_window")]
    code = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(Path(__file__).parent.glob("*.py"))]
    made_with = [*map(str, versions), workbook.params.model_dump_json(), *code]
    return hashlib.sha256("\n".join(made_with).encode()).hexdigest()


def needs_campaigns(workbook: Workbook) -> None:
    """Raise StageSkipped where there is nothing from which a campaign's result could be known."""
    assigned = any(workbook.has(name) for name in ("assignments", "experiments"))
    if not assigned and not any(plan.control for plan in workbook.params.activations):
        workbook.needs("email_events", "Stage 6")


def _read_groups(session: Session) -> pd.DataFrame:
    """The sums of all campaigns: a row per campaign, audience, decile, arm and wave."""
    import pandas as pd

    parts = [session.frame(f"SELECT * FROM {name}") for name in GROUPS if session.has_table(name)]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def _refresh(session: Session, workbook: Workbook) -> list[RefreshRow]:
    if workbook.has("purchases"):
        return refresh_tables(session, workbook, "derived", "profile", "campaigns", "experiments", *MODEL)
    own = {"control_arm": workbook.params.control_arm, "no_category": NO_CATEGORY, "as_of": None}
    return refresh_tables(session, workbook, "experiments", bindings=own)


def _campaigns(session: Session) -> list[str]:
    """All campaigns that are known, those without a control group too, the oldest first."""
    if not session.has_table("campaigns.campaign_window"):
        return []
    found = session.rows("SELECT campaign FROM campaigns.campaign_window ORDER BY sent_on, campaign")
    return [row["campaign"] for row in found]
