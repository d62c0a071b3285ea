"""Which touches are credited with purchases: messages that were clicked, visits that a campaign brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from sqlglot import exp

from clv_helpers.conditions.checks import condition_problems
from clv_helpers.conditions.condition import Filter, conditions_of, fields_of
from clv_helpers.conditions.row_test import of, row_test
from clv_helpers.conditions.when import ANY_MOMENT
from clv_helpers.config.attributes import attributes_of
from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.validation import Strict
from clv_helpers.engines.dialect import expression

if TYPE_CHECKING:
    from clv_helpers.config.params import Params

TOUCH = """
    SELECT e.customer_id, e.occurred_at, COALESCE(NULLIF($by, ''), $dataset) AS channel
    FROM $events AS e WHERE $met
"""


class Touch(Strict):
    """Events that may be credited with a purchase after them."""

    event: str = Field(min_length=1)
    """a dataset of events"""
    where: Filter = None
    """conditions on the event's own columns, as in rules, but without `when`; a list: all of them; none: each event"""
    by: str = "campaign"
    """the column of texts that names the channel; where it is empty, the channel is the dataset"""


class Attribution(Strict):
    """Credits each purchase to the touches of its customer before it."""

    touches: list[Touch] = Field(min_length=1)
    """what is a touch"""
    window_days: int = Field(default=30, ge=1, le=366)
    """how many days before a purchase a touch may be"""


def check_attribution(params: Params) -> None:
    """Raise ValueError for touches of events or columns that there are none of."""
    from clv_helpers.config.event_rows import event_columns  # which is of params

    for index, touch in enumerate(params.attribution.touches if params.attribution else []):
        place = f"attribution.touches[{index}]"
        if touch.event not in params.event_datasets:
            raise ValueError(f"{place}.event is {touch.event!r}; allowed: {', '.join(params.event_datasets)}")
        known = event_columns(params, touch.event)
        texts = [n for n, each in known.items() if each.type == "text" and not each.personal and n != PRIMARY_IDENTITY]
        if touch.by not in texts:
            allowed = ", ".join(texts) or "a column of texts, which these events lack"
            raise ValueError(f"{place}.by is {touch.by!r}; allowed: {allowed}")
        for at, condition in conditions_of(touch.where, f"{place}.where"):
            if condition.when:
                raise ValueError(f"{at}.when is of a time; allowed: op and value, as window_days says when")
            for problem in condition_problems(at, condition, attributes_of(known), touch.event):
                raise ValueError(str(problem))


def touch_events(params: Params) -> list[exp.Select]:
    """The touches as queries of customer_id, occurred_at and channel."""
    from clv_helpers.config.event_rows import event_columns, event_rows

    found = []
    for touch in params.attribution.touches if params.attribution else []:
        columns = attributes_of(event_columns(params, touch.event))
        asked = {touch.by} | fields_of(touch.where)
        rows = event_rows(params, touch.event, {name.partition(".")[0] for name in asked if "." in name})
        met = exp.true() if touch.where is None else row_test(touch.where, columns, "e", ANY_MOMENT)
        query = expression(TOUCH, by=of("e", touch.by), dataset=touch.event, events=rows, met=met)
        found.append(query.assert_is(exp.Select))
    return found
