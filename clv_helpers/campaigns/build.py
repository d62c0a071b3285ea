"""Responses and outcomes become the tables of stage 6, in one transaction; what a campaign added is written beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.campaigns.effect import effects
from clv_helpers.contract import EMAIL_NAMESPACE, ColumnType
from clv_helpers.engines.dialect import cast, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.lake import MODEL, refresh_tables
from clv_helpers.params import DEFAULT_CAMPAIGN
from clv_helpers.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

GROUPS = ("campaigns.outcome_group", "experiments.outcome_group")
# What stage 6 reads of stage 5, which may not have run, or have nothing to do.
OF_ACTIVATION: dict[str, tuple[str, dict[str, ColumnType]]] = {
    "assigned": (
        "activation.assignment",
        {
            "campaign": "text", "membership_number": "text", "audience": "text", "arm": "text", "decile": "integer",
            "as_of": "date",
        },
    ),
    "ledger": ("activation.ledger", {"campaign": "text", "as_of": "date"}),
    "waterfall": (
        "activation.fact_waterfall",
        {
            "campaign": "text", "audience": "text", "destination": "text", "step_order": "integer", "step": "text",
            "members": "integer",
        },
    ),
}  # fmt: skip


def build(workbook: Workbook) -> list[dict[str, Any]]:
    """Bring what responses and outcomes are read from up to date, and the effect of each campaign; publish.

    Only new batches are read anew. Gives a row per table, as `lake.refresh` does. Raises StageSkipped where the
    workbook has neither responses nor a control group. Cost: a pass over the messages and over the days of those who
    were assigned; what comes to Python is a row per campaign, audience, decile and arm.
    """
    needs_campaigns(workbook)
    with workbook.engine.write(publish=True) as session:
        rows = _refresh(session, workbook)
        groups = read_groups(session)
        campaigns = _campaigns(session)
        for name, frame in effects(groups, campaigns, workbook.params).items():
            session.load_frame("loaded", frame)
            session.create_table(f"campaigns.{name}", exp.select("*").from_("loaded"))
    return rows


def needs_campaigns(workbook: Workbook) -> None:
    """Raise StageSkipped where there is nothing from which a campaign's result could be told."""
    told = any(workbook.has(name) for name in ("assignments", "experiments"))
    if not told and not any(each.control for each in workbook.params.activations):
        workbook.needs("email_events", "Stage 6")


def read_groups(session: Session) -> pd.DataFrame:
    """The sums of all campaigns: a row per campaign, audience, decile and arm."""
    import pandas as pd

    parts = [session.frame(exp.select("*").from_(table(name))) for name in GROUPS if session.has_table(name)]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def _refresh(session: Session, workbook: Workbook) -> list[dict[str, Any]]:
    own = {"control_arm": workbook.params.control_arm, "no_category": "ALL"}
    if not workbook.has("loyalty_events"):
        return refresh_tables(session, workbook, "experiments", bindings={**own, "as_of": None})
    settings = workbook.params.campaign(DEFAULT_CAMPAIGN)
    session.create_table("campaigns.setting", _settings(workbook))
    own |= {
        "window_days": settings.window_days,
        "before_days": settings.before_days,
        "has_members": workbook.has("members"),
        "email_namespace": EMAIL_NAMESPACE,
        **{name: _or_empty(session, *of) for name, of in OF_ACTIVATION.items()},
    }
    schemas = ("derived", "profile", "campaigns", "experiments", *MODEL)
    return refresh_tables(session, workbook, *schemas, bindings=own)


def _or_empty(session: Session, name: str, columns: dict[str, ColumnType]) -> exp.Expression:
    if session.has_table(name):
        return table(name)
    typed = exp.select(*(cast(exp.null(), kind).as_(column, quoted=True) for column, kind in columns.items()))
    return typed.where(exp.false()).subquery()


def _settings(workbook: Workbook) -> exp.Expression:
    """A row per campaign that the params name: how its effect is measured."""
    chosen = {name: workbook.params.campaign(name) for name in workbook.params.campaigns if name != DEFAULT_CAMPAIGN}
    rows = [
        exp.select(
            literal(name).as_("campaign"),
            cast(literal(each.sent_on), "date").as_("sent_on"),
            cast(literal(each.window_days), "integer").as_("window_days"),
            cast(literal(each.before_days), "integer").as_("before_days"),
        )
        for name, each in chosen.items()
    ]
    if not rows:
        kinds: dict[str, ColumnType] = {
            "campaign": "text", "sent_on": "date", "window_days": "integer", "before_days": "integer"
        }  # fmt: skip
        typed = exp.select(*(cast(exp.null(), kind).as_(name) for name, kind in kinds.items()))
        return typed.where(exp.false())
    return exp.union(*rows, distinct=False) if rows[1:] else rows[0]


def _campaigns(session: Session) -> list[str]:
    """All campaigns that are known, those without a control group too, the oldest first."""
    if not session.has_table("campaigns.dim_campaign"):
        return []
    found = session.rows("SELECT campaign FROM campaigns.dim_campaign ORDER BY sent_on, campaign")
    return [row["campaign"] for row in found]
