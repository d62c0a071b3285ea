"""The results of stage 6 as plain values: what `clv results` prints, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.campaigns.effect import EVERYONE
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

ESTIMATES = ("revenue", "cuped", "conversion", "value_per_message", "incremental_revenue")


def results(workbook: Workbook, campaign: str = "") -> list[dict[str, Any]]:
    """Per campaign: reach, rates per audience with numerator, denominator and interval, events rejected, and lift.

    Audience ALL is everyone, each once. Where the effect cannot be told, `lift` holds `measured` false and the reason
    as `sentence`. Raises ParamsError for a campaign that is not known.
    """
    effects = workbook.query("campaigns.fact_lift")
    known = list(dict.fromkeys(effects["campaign"]))
    if campaign and campaign not in known:
        allowed = ", ".join(known) or "no campaign is known yet"
        raise ParamsError(str(workbook.file), [Problem("the campaign", repr(campaign), allowed)])
    return [_campaign(workbook, name, effects) for name in ([campaign] if campaign else known)]


def _campaign(workbook: Workbook, name: str, effects: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"campaign": name, "reach": [], "rates": [], "rejected": []}
    if workbook.has("purchases"):
        rows = workbook.query(
            "campaigns.fact_campaign_rate", "audience, kpi_order", campaign=name, decile_group=EVERYONE
        )
        found["rates"] = _rows(rows, "audience", "kpi", "numerator", "denominator", "rate", "low", "high")
        rows = workbook.query("campaigns.fact_campaign_funnel", "audience, destination, step_order", campaign=name)
        found["reach"] = _rows(rows, "audience", "destination", "step", "customers")
        rows = workbook.query("campaigns.rejected_response", campaign=name)
        rows = rows.groupby("reason", as_index=False)["events"].sum()
        found["rejected"] = _rows(rows, "reason", "events")
    own = effects[effects["campaign"] == name]
    deciles = workbook.query("campaigns.fact_lift_decile", "audience, decile", campaign=name)
    found["lift"] = [_lift(row, deciles) for row in _rows(own, *own.columns)]
    return found


def _lift(row: dict[str, Any], deciles: pd.DataFrame) -> dict[str, Any]:
    told = {key: row[key] for key in ("audience", "measured", "sentence")}
    if not row["measured"]:
        return told
    plain = (
        "treated", "control", "messages", "starts_on", "observed_days", "window_days", "treated_mean", "control_mean",
        "treated_conversion", "control_conversion", "cost", "theta", "planned_control_share", "sample_ratio_p",
        "warnings",
    )  # fmt: skip
    told |= {key: row[key] for key in plain}
    told |= {name: _estimate(row, name) for name in ESTIMATES}
    told["standardised_differences"] = {
        name: row[f"difference_{name}"] for name in ("spend_before", "bought_before", "decile")
    }
    own = deciles[deciles["audience"] == row["audience"]]
    told["by_decile"] = [
        {
            **{key: each[key] for key in ("decile", "treated", "control", "verdict")},
            **{name: _estimate(each, name) for name in ("cuped", "conversion", "value_per_message")},
        }
        for each in _rows(own, *own.columns)
    ]
    return told


def _estimate(row: dict[str, Any], name: str) -> dict[str, Any]:
    found = {"estimate": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
    return found | ({"detectable": row[f"{name}_detectable"]} if f"{name}_detectable" in row else {})


def _rows(frame: pd.DataFrame, *columns: str) -> list[dict[str, Any]]:
    """Rows as plain values: whole numbers as such, nothing as None, days as text."""
    return [{name: _plain(row[name]) for name in columns} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d}"
    if hasattr(value, "item"):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value
