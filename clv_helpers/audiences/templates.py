"""Six audiences to begin with, each offered where the workbook has the columns and events that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clv_helpers.audiences.catalog import Catalog
from clv_helpers.config.settings import Words

BEFORE = {"event": "purchases", "when": {"before": "15 months ago"}}
PAUSED = {"event": "purchases", "when": {"rolling": ["15 months ago", "3 months ago"]}}
MAILED = {"event": "email_events", "where": {"all": [{"field": "campaign", "op": "in", "value": []}]}}
NO_PURCHASE = {"event": "purchases", "absent": True, "within": "14 days"}


@dataclass(frozen=True)
class Template:
    """An audience to begin with: its title, whom it is meant for, its rule, and the columns that this needs.

    A column of events is named after its dataset, as `email_events.campaign`.
    """

    title: str
    about: str
    parts: list[dict[str, Any]]
    needs: tuple[str, ...]


TEMPLATES = (
    Template(
        "Best {customers}, lapsing",
        "In the best tenth over their lifetime, with the latest {purchase} four months to a year ago.",
        [
            {"field": "decile_lifetime", "op": "at most", "value": 1},
            {"field": "last_purchase_on", "when": {"rolling": ["1 year ago", "4 months ago"]}},
        ],
        ("decile_lifetime", "last_purchase_on"),
    ),
    Template(
        "About to lapse",
        "In the best three tenths by predicted value, and more likely to stay away than to come again.",
        [
            {"field": "decile_predicted", "op": "at most", "value": 3},
            {"field": "probability_purchase", "op": "less than", "value": 0.5},
        ],
        ("decile_predicted", "probability_purchase"),
    ),
    Template(
        "New and promising",
        "First {purchase} within half a year, and in the best three tenths by predicted value.",
        [
            {"field": "first_purchase_on", "when": {"in_last": "6 months"}},
            {"field": "decile_predicted", "op": "at most", "value": 3},
        ],
        ("first_purchase_on", "decile_predicted"),
    ),
    Template(
        "One {purchase} only",
        "A single {purchase} so far.",
        [{"field": "purchases", "op": "equals", "value": 1}],
        ("purchases",),
    ),
    Template(
        "Back again",
        "A {purchase} in the last three months, none in the year before that, and one before.",
        [{"event": "purchases", "when": {"in_last": "3 months"}}, {"not": PAUSED}, BEFORE],
        ("purchases.occurred_at",),
    ),
    Template(
        "Never bought from this mail",
        "Got a campaign's mail, and no {purchase} within two weeks: choose the campaign.",
        [{"sequence": [MAILED, NO_PURCHASE]}],
        ("email_events.campaign", "purchases.occurred_at"),
    ),
)


def offered(catalog: Catalog, words: Words) -> list[dict[str, Any]]:
    """The templates that this workbook has the columns for, in its words: title, about, rule."""
    known = {*catalog.profile, *(f"{name}.{each}" for name, columns in catalog.events.items() for each in columns)}
    spoken = words.model_dump()
    return [
        {
            "title": template.title.format(**spoken),
            "about": template.about.format(**spoken),
            "rule": {"all": template.parts},
        }
        for template in TEMPLATES
        if known.issuperset(template.needs)
    ]
