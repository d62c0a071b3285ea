"""Which visitors are bots: in which events they are looked for, and what is known of some of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from clv_helpers.config.datasets import ColumnContract
from clv_helpers.config.validation import Strict

if TYPE_CHECKING:
    from clv_helpers.config.params import Params


class Bots(Strict):
    """Scores visitors by a decision tree that learns from those of whom it is known whether they are bots."""

    events: str = Field(min_length=1)
    """the dataset of events that bots make: visits, pages seen"""
    label: str = Field(min_length=1)
    """a column of it of true and false, empty where that is not known: its own, or a lookup's, such as
    `reviewed.is_bot`"""


def check_bots(params: Params) -> None:
    """Raise ValueError for events or a label that there are none of."""
    from clv_helpers.config.event_rows import event_columns

    bots = params.bots
    if bots is None:
        return
    datasets = [name for name in params.event_datasets if name in params.sources]
    if bots.events not in datasets:
        raise ValueError(f"bots.events is {bots.events!r}; allowed: {', '.join(datasets)}")
    columns: Mapping[str, ColumnContract] = event_columns(params, bots.events)
    booleans = [name for name, each in columns.items() if each.type == "boolean"]
    if bots.label not in booleans:
        allowed = ", ".join(booleans) or "a column of type boolean, which this dataset and its lookups lack"
        raise ValueError(f"bots.label is {bots.label!r}; allowed: {allowed}")
