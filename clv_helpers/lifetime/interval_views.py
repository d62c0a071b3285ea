"""How the interval of a total is said: from what its width is."""

from __future__ import annotations

from clv_helpers.lifetime.records import LifetimeRecord


def about_width(made: LifetimeRecord, months: int) -> str:
    """One sentence on what the bounds of the total hold, and how they are known."""
    value = made.totals[0]
    if value.origins:
        forecasts = f"{value.origins} forecast{'s' if value.origins > 1 else ''} of the past"
        source = f"as wide as {forecasts} would have been off in this shop"
    else:
        source = "as wide as forecasts elsewhere were off, for this shop's past is too short to try"
    return f"The bounds of the next {months} months' value hold in four cases of five: they are {source}."
