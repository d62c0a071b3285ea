"""How long events are kept, and what a workbook needs them for."""

from __future__ import annotations

import math

from pydantic import Field

from clv_helpers.config.validation import Strict

LONGEST_LOOKBACK = 12  # months
DAYS_OF_MONTH = 28  # of the shortest


class Retention(Strict):
    """How long events are kept: in whole months before the month of `as_of`. A refresh forgets older ones by itself.

    What is known of customers, who was assigned to a campaign and the ledger stay; so does whom no message may reach.
    """

    months: int = Field(ge=1, le=600)
    """how many months of events are kept"""
    email_events: int | None = Field(default=None, ge=1, le=600)
    """how many months of e-mail events; none: as `months`"""

    def months_of(self, dataset: str) -> int:
        """How many months of a dataset's events are kept."""
        return (self.email_events or self.months) if dataset == "email_events" else self.months


def check_retention(kept: Retention, needs: dict[str, int], email_needs: dict[str, int]) -> None:
    """Raise ValueError where something asks for more months than are kept; `needs`: key of the params → months."""
    asked = [("months", kept.months, needs), ("email_events", kept.months_of("email_events"), email_needs)]
    for key, months, reasons in asked:
        reason, least = max(reasons.items(), key=lambda entry: entry[1])
        if months < least:
            raise ValueError(f"retention.{key} is {months}; allowed: at least {least}, for {reason}")


def in_months(days: int) -> int:
    """Months that are sure to hold so many days."""
    return math.ceil(days / DAYS_OF_MONTH)
