"""What needs no model: the same rate as before, and last year again; and how a forecast leans on it where it is better.

Half of each, with its figures as they are or brought to the model's total, or the baseline alone. What comes of it is
linear in both, kept times the model's and weight times the baseline's: the engine computes it with the weights bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from clv_helpers.engines.dialect import expression
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.records import Blend

# Purchases and spend of the next $days, by what is known of a customer; spend is never below 0, whatever was refunded.
BASELINES = {
    "same_rate": (
        "COALESCE(frequency * $days / NULLIF(CAST(age_days AS DOUBLE), 0), 0)",
        "COALESCE(frequency * $days / NULLIF(CAST(age_days AS DOUBLE), 0), 0) "
        "* GREATEST(spend, 0) / NULLIF(frequency + 1, 0)",
    ),
    "last_year": ("purchases_before * $ratio", "GREATEST(spend_before, 0) * $ratio"),
}
BLENDS = [
    Blend(baseline, share, scaled)  # type: ignore[arg-type]  # the keys are the names
    for baseline in BASELINES
    # not all of one at the model's total: it would forecast nothing of anybody who has not come back
    for share, scaled in ((0.5, True), (0.5, False), (1.0, False))
]
TOTALS = """
    SELECT
        CAST(SUM(CAST(s.expected_purchases AS DECIMAL(18, 6))) AS DOUBLE) AS purchases,
        CAST(SUM(CAST(s.expected_purchases * h.expected_spend AS DECIMAL(18, 4))) AS DOUBLE) AS spend,
        CAST(SUM(CAST(h.baseline_purchases AS DECIMAL(18, 6))) AS DOUBLE) AS baseline_purchases,
        CAST(SUM(CAST(h.baseline_spend AS DECIMAL(18, 4))) AS DOUBLE) AS baseline_spend
    FROM (
        SELECT frequency, recency_days, age_days, cell, $expected_spend AS expected_spend,
            $baseline_purchases AS baseline_purchases, $baseline_spend AS baseline_spend
        FROM $source AS k
    ) AS h
    JOIN $scores AS s ON s.frequency = h.frequency AND s.recency_days = h.recency_days AND s.age_days = h.age_days
        AND s.cell = h.cell
"""


@dataclass(frozen=True)
class Weights:
    """By how much the model's forecast and the baseline's count; and all purchases by both."""

    kept: float = 1.0
    purchases: float = 0.0
    spend: float = 0.0
    baseline_total: float = 0.0

    @property
    def bindings(self) -> dict[str, Any]:
        """As the tables are built with them."""
        return {"kept": self.kept, "baseline_purchases_weight": self.purchases, "baseline_spend_weight": self.spend}


def expressions(baseline: str, days: int, ratio: float) -> dict[str, exp.Expr]:
    """The baseline's purchases and spend of a customer, as the engine computes them; 0 where it has no part.

    `ratio`: `days`, over the days of the last year that are known.
    """
    found = BASELINES.get(baseline, ("0.0", "0.0"))
    names = ("baseline_purchases", "baseline_spend")
    return {name: expression(text, days=days, ratio=ratio) for name, text in zip(names, found, strict=True)}


def weights(session: Session, blend: Blend, source: exp.Expr, scores: exp.Expr, bindings: dict[str, Any]) -> Weights:
    """The weights of a blend, for the customers of `source` with these scores. Cost: a pass over them, where needed."""
    if not blend.baseline:
        return Weights()
    found = session.rows(TOTALS, **bindings, source=source, scores=scores)[0]
    if not found["baseline_purchases"] or not found["baseline_spend"]:
        return Weights()
    scale = {name: found[name] / found[f"baseline_{name}"] if blend.scaled else 1.0 for name in ("purchases", "spend")}
    return Weights(
        1 - blend.share, blend.share * scale["purchases"], blend.share * scale["spend"], found["baseline_purchases"]
    )
