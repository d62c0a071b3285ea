"""Simulated bots of a web shop: crawlers that rush, slow ones that go on all night, and some that mimic people."""

from __future__ import annotations

import numpy as np
import pandas as pd

# By kind: its share, runs, pages a run, seconds from page to page, and by how much these vary (as a share of them).
KINDS = {
    "crawler": (0.4, 3, 300, 0.7, 0.3),
    "slow": (0.35, 4, 150, 45.0, 0.12),
    "mimic": (0.25, 6, 16, 12.0, 0.9),
}
NIGHT_SHARE = 0.7  # of the runs that begin between midnight and five


def bots_views(rng: np.random.Generator, bots: int, first: int, products: int, days: int) -> pd.DataFrame:
    """One row per page that a bot asked for, in the columns of people's; bots are numbered from `first` on.

    No threshold tells them from people: slow ones ask for as few pages a minute as people do, mimics' gaps are as
    irregular, and quick people ask for as many pages a minute as crawlers of the slower sort.
    """
    share = np.array([kind[0] for kind in KINDS.values()])
    kind = rng.choice(len(KINDS), bots, p=share)
    _, runs, pages, gap, spread = (np.array(each)[kind] for each in zip(*KINDS.values(), strict=True))
    bot = np.repeat(np.arange(bots), 1 + rng.poisson(runs - 1))
    length = 2 + rng.poisson(pages[bot] * np.exp(rng.normal(0, 0.5, len(bot))))
    hour = np.where(rng.random(len(bot)) < NIGHT_SHARE, rng.uniform(0, 5, len(bot)), rng.uniform(0, 24, len(bot)))
    begun = rng.integers(0, days, len(bot)) + hour / 24
    pace = gap * np.exp(rng.normal(0, 0.4, bots))
    run = np.repeat(np.arange(len(bot)), length)
    who = bot[run]
    # gamma gaps: their mean is the bot's pace, and their coefficient of variation its spread
    shape = 1 / spread[who] ** 2
    seconds = rng.gamma(shape, pace[who] / shape)
    before = pd.Series(seconds).groupby(run).cumsum().to_numpy() - seconds
    return pd.DataFrame(
        {
            "member": first + who,
            "moment": begun[run] + before / 86_400,
            "seconds": np.round(seconds),
            "product": rng.integers(0, products, len(run)),
            "page": "product",
        }
    )
