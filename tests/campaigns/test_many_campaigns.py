"""What is said of an effect where several campaigns were looked at: chance alone must seldom make one sure."""

from __future__ import annotations

import numpy as np

from clv_helpers.campaigns.effect_sentence import shows_effect, shows_effect_among
from clv_helpers.campaigns.estimates import Interval


def drawn(rng: np.random.Generator, effect: float) -> Interval:
    estimate = float(rng.normal(effect, 1))
    return Interval(estimate, estimate - 1.96, estimate + 1.96)


def test_of_many_campaigns_without_effect_one_is_seldom_sure() -> None:
    rng = np.random.default_rng(8)
    tries = [[drawn(rng, 0) for _ in range(8)] for _ in range(1000)]
    alone = np.mean([any(map(shows_effect, campaigns)) for campaigns in tries])
    among = np.mean([any(shows_effect_among(each, 8) for each in campaigns) for campaigns in tries])
    assert alone > 0.25
    assert among <= 0.07  # 5 in 100 are asked for


def test_a_large_effect_is_sure_and_one_campaign_is_judged_as_it_is() -> None:
    rng = np.random.default_rng(9)
    assert all(shows_effect_among(drawn(rng, 8), 8) for _ in range(50))
    every = [drawn(rng, 2) for _ in range(200)]
    assert [shows_effect_among(each, 1) for each in every] == [shows_effect(each) for each in every]
