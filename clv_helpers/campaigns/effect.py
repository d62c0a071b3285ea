"""What each campaign added, as tables: by campaign and audience, and by value decile; or why it cannot be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.campaigns import estimates
from clv_helpers.charts.show import percent
from clv_helpers.config.params import Params
from clv_helpers.config.sql_params import NO_CATEGORY

if TYPE_CHECKING:
    import pandas as pd

EVERYONE = NO_CATEGORY  # the audience, and the group of deciles, that the SQL writes as $no_category
SMALLEST_ARM = 20  # of a campaign: with fewer, an interval of heavy-tailed revenue means nothing
RATIO_ALERT, BALANCE_ALERT = 0.001, 0.1
EFFECT_COLUMNS = {
    "campaign": "str", "audience": "str", "measured": "bool", "sentence": "str", "warnings": "str",
    "starts_on": "datetime64[us]", "observed_days": "float64", "window_days": "float64",
    "treated": "float64", "control": "float64", "messages": "float64",
    "treated_mean": "float64", "control_mean": "float64",
    "revenue": "float64", "revenue_low": "float64", "revenue_high": "float64", "revenue_detectable": "float64",
    "cuped": "float64", "cuped_low": "float64", "cuped_high": "float64", "cuped_detectable": "float64",
    "theta": "float64", "variance_removed": "float64",
    "treated_conversion": "float64", "control_conversion": "float64",
    "conversion": "float64", "conversion_low": "float64", "conversion_high": "float64",
    "conversion_detectable": "float64",
    "incremental_revenue": "float64", "incremental_revenue_low": "float64", "incremental_revenue_high": "float64",
    "cost": "float64", "value_per_message": "float64", "value_per_message_low": "float64",
    "value_per_message_high": "float64",
    "planned_control_share": "float64", "sample_ratio_p": "float64",
    "difference_spend_before": "float64", "difference_bought_before": "float64", "difference_decile": "float64",
}  # fmt: skip
DECILE_COLUMNS = {
    "campaign": "str", "audience": "str", "decile": "int64", "treated": "int64", "control": "int64",
    "cuped": "float64", "cuped_low": "float64", "cuped_high": "float64", "cuped_detectable": "float64",
    "conversion": "float64", "conversion_low": "float64", "conversion_high": "float64",
    "value_per_message": "float64", "value_per_message_low": "float64", "value_per_message_high": "float64",
    "verdict": "str",
}  # fmt: skip
QINI_COLUMNS = {"campaign": "str", "share_of_customers": "float64", "added": "float64", "at_random": "float64"}


def effects(groups: pd.DataFrame, campaigns: list[str], params: Params) -> dict[str, pd.DataFrame]:
    """The tables fact_lift, fact_lift_decile and fact_qini, from the sums of all campaigns.

    A campaign whose effect cannot be told has a row in fact_lift with `measured` false, and the reason as `sentence`.
    """
    rows: list[dict[str, Any]] = []
    deciles: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    names = [*campaigns, *sorted(set(groups["campaign"]) - set(campaigns))]
    for campaign in names:
        own = groups[groups["campaign"] == campaign]
        reason = _why_not(campaign, own)
        if reason:
            rows.append({"campaign": campaign, "audience": EVERYONE, "measured": False, "sentence": reason})
            continue
        theta = estimates.slope(estimates.as_cells(own))
        audiences = sorted(set(own["audience"]) - {EVERYONE})
        rows.append(_effect(campaign, EVERYONE, own, theta, params))
        deciles += _by_decile(campaign, EVERYONE, own, theta, params)
        for audience in audiences if len(audiences) > 1 else ():
            part = own[own["audience"] == audience]
            if _sizes(part).min() >= SMALLEST_ARM:
                rows.append(_effect(campaign, audience, part, theta, params))
            deciles += _by_decile(campaign, audience, part, theta, params)
        curves += _curve(campaign, own)
    return {
        "fact_lift": _typed(rows, EFFECT_COLUMNS),
        "fact_lift_decile": _typed(deciles, DECILE_COLUMNS),
        "fact_qini": _typed(curves, QINI_COLUMNS),
    }


def planned_control_share(params: Params, campaign: str) -> float | None:
    """The share that was to be held back: of the activation, or as the params say of another system's draw."""
    shares = [each.control.share for each in params.activations if each.campaign == campaign and each.control]
    return shares[0] if shares else params.campaign(campaign).control_share


def _why_not(campaign: str, own: pd.DataFrame) -> str:
    treated, control = _sizes(own)
    if not control:
        return f"{campaign} held back no control group, so what it added cannot be known."
    if min(treated, control) < SMALLEST_ARM:
        return (
            f"{campaign}: {control:,} held back against {treated:,} treated customers are too few to say what it added; "
            f"at least {SMALLEST_ARM} are needed in each arm."
        )
    if "observed_days" in own and own["observed_days"].notna().any() and own["observed_days"].min() < 1:
        window, start = int(own["window_days"].max()), own["starts_on"].max()
        return f"{campaign}: its window of {window} days begins on {start:%d %b %Y}, and no day of it has passed yet."
    return ""


def _sizes(own: pd.DataFrame) -> Any:
    import numpy as np

    by_arm = own.groupby("arm")["customers"].sum()
    return np.array([int(by_arm.get(arm, 0)) for arm in ("treated", "control")])


def _effect(campaign: str, audience: str, own: pd.DataFrame, theta: float, params: Params) -> dict[str, Any]:
    cells, settings = estimates.as_cells(own), params.campaign(campaign)
    plain, cuped, bought = estimates.revenue(cells), estimates.revenue(cells, theta), estimates.conversion(cells)
    assert plain and cuped and bought  # as_cells leaves no stratum with less than 5 in an arm, where each arm has 20
    treated, control = map(int, _sizes(own))
    messages = int(own.loc[own["arm"] == "treated", "messages"].sum())
    per_message = _per_message(cuped, treated, messages, settings.margin, settings.cost_per_message)
    planned = planned_control_share(params, campaign)
    differences = estimates.standardised_differences(own)
    row: dict[str, Any] = {
        "campaign": campaign,
        "audience": audience,
        "measured": True,
        "treated": treated,
        "control": control,
        "messages": messages,
        "treated_mean": cuped.treated,
        "control_mean": cuped.control,
        **_as_columns("revenue", plain),
        **_as_columns("cuped", cuped),
        **_as_columns("conversion", bought),
        "theta": theta,
        "variance_removed": 1 - ((cuped.high - cuped.low) / (plain.high - plain.low)) ** 2
        if plain.high > plain.low
        else 0.0,
        "treated_conversion": bought.treated,
        "control_conversion": bought.control,
        "incremental_revenue": cuped.difference * treated,
        "incremental_revenue_low": cuped.low * treated,
        "incremental_revenue_high": cuped.high * treated,
        "cost": (messages or treated) * settings.cost_per_message,
        **per_message,
        "planned_control_share": planned,
        "sample_ratio_p": None
        if planned is None or audience != EVERYONE
        else estimates.sample_ratio_p(treated, control, planned),
        **{f"difference_{name.replace(' ', '_')}": value for name, value in differences.items()},
    }
    if "observed_days" in own:
        row |= {
            "starts_on": own["starts_on"].min(),
            "observed_days": own["observed_days"].min(),
            "window_days": own["window_days"].max(),
        }
    row["sentence"] = _sentence(row, params.spending.unit)
    reached = int(own.loc[own["arm"] == "control", "messages"].sum())
    row["warnings"] = " ".join(_warnings(row, differences, reached))
    return row


def _per_message(
    cuped: estimates.Estimate, treated: int, messages: int, margin: float, cost: float
) -> dict[str, float]:
    """What a message added, less what it cost. Where no sending is known, one message to each treated customer."""
    messages_each = messages / treated if messages else 1.0
    values = {"": cuped.difference, "_low": cuped.low, "_high": cuped.high}
    return {f"value_per_message{name}": value * margin / messages_each - cost for name, value in values.items()}


def _as_columns(name: str, found: estimates.Estimate) -> dict[str, float]:
    return {
        name: found.difference,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
        f"{name}_detectable": found.detectable,
    }


def _by_decile(campaign: str, audience: str, own: pd.DataFrame, theta: float, params: Params) -> list[dict[str, Any]]:
    """A row per decile; what cannot be told, as an arm has fewer than min_cell customers, has no estimate."""
    rows, settings = [], params.campaign(campaign)
    least = max(params.min_cell, estimates.SMALLEST_STRATUM)
    for decile, cells in estimates.by_decile(own).items():
        treated, control = map(int, cells.customers[0])
        row: dict[str, Any] = {
            "campaign": campaign, "audience": audience, "decile": decile, "treated": treated, "control": control,
            "verdict": "too few",
        }  # fmt: skip
        if min(treated, control) >= least:
            cuped, bought = estimates.revenue(cells, theta), estimates.conversion(cells)
            assert cuped and bought
            row |= _as_columns("cuped", cuped) | _as_columns("conversion", bought)
            messages = int(cells.messages[0, 0])
            row |= _per_message(cuped, treated, messages, settings.margin, settings.cost_per_message)
            row["verdict"] = _verdict(row["value_per_message_low"], row["value_per_message_high"])
        rows.append(row)
    return rows


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "worth it"
    return "costs more than it adds" if high < 0 else "not known"


def _curve(campaign: str, own: pd.DataFrame) -> list[dict[str, Any]]:
    points = estimates.qini(own)
    end = points[-1][1] if points else 0.0
    return [
        {"campaign": campaign, "share_of_customers": share, "added": added, "at_random": share * end}
        for share, added in points
    ]


def _sentence(row: dict[str, Any], unit: str) -> str:
    whom = row["campaign"] if row["audience"] == EVERYONE else f"{row['campaign']} to {row['audience']}"
    interval = f"{row['cuped_low']:.2f} to {row['cuped_high']:.2f}"
    days = f" in {row['observed_days']:.0f} days" if row.get("observed_days") else ""
    if row["cuped_low"] > 0:
        return f"{whom} added {row['cuped']:.2f} {unit} per customer{days} (95% interval {interval})."
    if row["cuped_high"] < 0:
        return f"{whom} took away {-row['cuped']:.2f} {unit} per customer{days} (95% interval {interval})."
    return (
        f"{whom}: no effect that a group of this size could show: {row['cuped']:.2f} {unit} per customer{days} "
        f"(95% interval {interval}); it would have found {row['cuped_detectable']:.2f} or more in four cases of five."
    )


def _warnings(row: dict[str, Any], differences: dict[str, float], reached: int) -> list[str]:
    found = []
    if reached:
        what = "1 message" if reached == 1 else f"{reached:,} messages"
        found.append(f"{what} went to customers who were to be held back: the effect comes out too small.")
    ratio = row["sample_ratio_p"]
    if ratio is not None and ratio < RATIO_ALERT:
        share = row["control"] / (row["treated"] + row["control"])
        found.append(
            f"The split is not as drawn: {percent(share)} control, {percent(row['planned_control_share'])} planned "
            f"(p = {ratio:.1g}); do not believe the effect before the reason is known."
        )
    uneven = [f"{name} ({value:+.2f})" for name, value in differences.items() if abs(value) > BALANCE_ALERT]
    if uneven:
        found.append(
            f"The arms differed before the campaign by more than {BALANCE_ALERT} standard deviations in "
            + ", ".join(uneven)
            + "."
        )
    if row.get("observed_days") and row["observed_days"] < row["window_days"]:
        found.append(f"Its window is open: {row['observed_days']:.0f} of {row['window_days']:.0f} days have passed.")
    return found


def _typed(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    for name, kind in columns.items():
        if kind == "str":
            frame[name] = frame[name].astype(object).fillna("")
        frame[name] = frame[name].astype(kind)
    return frame
