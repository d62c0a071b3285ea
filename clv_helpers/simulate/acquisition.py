"""By which channel the simulated members joined, and what it cost: members of some bring more than those of others.

A channel is drawn by what a member will spend per day, so that nobody's flights change by it. Its cost is a bill per
month: what a member costs, times the members of that month, give or take a fifth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clv_helpers.simulate.flights import as_timestamp


@dataclass(frozen=True)
class Channel:
    """How often members join by it, how it draws good ones (0: any), and what a member costs in EUR."""

    weight: float
    pull: float
    cost: float


CHANNELS = {
    "search": Channel(0.35, 0.0, 110.0),
    "partner": Channel(0.20, 0.5, 350.0),
    "social": Channel(0.30, -0.35, 150.0),
    "referral": Channel(0.15, 0.25, 30.0),
}
SPREAD = 0.1  # of the logarithm of a month's bill


def channels_and_costs(seed: int, truth: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """The channel of each member, and a row per month and channel with its cost.

    Example:
        >>> truth = pd.DataFrame({"flights_per_day": [0.1, 0.2], "mean_fare": [90.0, 80.0], "joined_day": [0, 40]})
        >>> channels_and_costs(1, truth)[1]["month"].tolist()
        ['2023-01', '2023-02']
    """
    chance = np.random.default_rng([seed, 11])  # of its own: nothing else of the airline changes by it
    spends = (truth["flights_per_day"] * truth["mean_fare"]).rank(pct=True).to_numpy() - 0.5
    weights = np.stack([each.weight * np.exp(2 * each.pull * spends) for each in CHANNELS.values()])
    ends = np.cumsum(weights / weights.sum(axis=0), axis=0)
    drawn = (chance.random(len(truth)) > ends[:-1]).sum(axis=0)
    channel = pd.Series(np.array(list(CHANNELS))[drawn], index=truth.index)
    month = pd.Series(as_timestamp(truth["joined_day"])).dt.strftime("%Y-%m")
    joined = truth.groupby([month.rename("month"), channel.rename("channel")]).size().reset_index(name="members")
    bill = joined["channel"].map({name: each.cost for name, each in CHANNELS.items()}) * joined["members"]
    joined["cost"] = (bill * np.exp(chance.normal(0, SPREAD, len(joined)))).round(2)
    return channel, joined[["month", "channel", "cost"]]
