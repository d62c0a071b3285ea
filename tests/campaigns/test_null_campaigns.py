"""What is concluded, over many campaigns of which the truth is known: nothing is claimed that chance alone brings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from null_campaigns import DECILES, SPENDS, Drawn, draw
from scipy.stats import binom

from clv_helpers.campaigns import estimates
from clv_helpers.campaigns.decile_estimates import Strata, effects_by_decile, shrunken

CELLS = [
    (spend, customers, control)
    for spend in SPENDS
    for customers in (2_000, 5_000, 20_000, 64_000)
    for control in (0.1, 0.2, 0.5)
]
COST, MARGIN = 0.02, 0.2


@dataclass
class Said:
    """Of many campaigns without an effect, the share of which each thing is said."""

    shown: float
    covers: float
    conversion_covers: float
    deciles_shown: float
    some_decile_added: float
    some_decile_took: float
    deciles_differ: float
    somebody_recommended: float


def said_of(drawn: Drawn, campaigns: int) -> Said:
    holds, bought, shown, added, took, differ, somebody, deciles = ([] for _ in range(8))
    for index in range(campaigns):
        cells = drawn.cells(index)
        if index < 300 and cells.converted.sum(axis=0).min() > 0:
            conversion = estimates.conversion(cells).difference
            bought.append(conversion.low <= 0 <= conversion.high)
        if not estimates.enough_buyers(cells.together).all():
            continue
        whole, strata = estimates.revenue(cells).difference, effects_by_decile(DECILES, cells, 0.0)
        holds.append(whole.low <= 0 <= whole.high)
        deciles.append(strata.known.sum())
        added.append(any(effect.low > 0 for effect in strata.effects))
        took.append(any(effect.high < 0 for effect in strata.effects))
        differ.append(strata.heterogeneity_p < 0.05)
        somebody.append(strata.shows_gain(whole) and bool((strata.shrunken * MARGIN > COST).any()))
    shown = len(holds) / campaigns
    shares = (float(np.sum(said) / campaigns) for said in (added, took, differ, somebody))
    covers = float(np.mean(holds)) if holds else np.nan
    return Said(shown, covers, float(np.mean(bought or [1])), float(np.sum(deciles) / campaigns), *shares)


@pytest.mark.slow
def test_over_two_thousand_null_campaigns_a_cell() -> None:
    """24 cells; prints its table. Claims are bound by the promise itself, without an allowance for chance.

    Where an interval is shown it covers 93 to 97 %; with an allowance (binomial, 99.9 %) where few campaigns show one.
    """
    campaigns, wrong = 2_000, []
    print("\nspend       customers control | shown covers conv. | deciles any+ any- differ | recommended")
    for seed, (spend, customers, control) in enumerate(CELLS):
        said = said_of(draw(seed, spend, customers, control, campaigns), campaigns)
        print(
            f"{spend:<11} {customers:>9,} {control:>7.0%} | {said.shown:>5.0%} {said.covers:>6.1%} "
            f"{said.conversion_covers:>5.1%} | {said.deciles_shown:>7.1f} {said.some_decile_added:>4.1%} "
            f"{said.some_decile_took:>4.1%} {said.deciles_differ:>6.1%} | {said.somebody_recommended:.1%}"
        )
        wrong += [] if keeps_its_promise(said, campaigns) else [(spend, customers, control, said)]
    assert not wrong


def keeps_its_promise(said: Said, campaigns: int) -> bool:
    shown = round(said.shown * campaigns)
    low, high = np.array([0.93, 0.97]) * shown
    if shown < campaigns:
        low, high = binom.ppf([0.001, 0.999], shown, [0.93, 0.97])
    covers = not shown or low <= round(said.covers * shown) <= high
    return covers and said.some_decile_added <= 0.05 and said.somebody_recommended <= 0.03


@pytest.mark.parametrize(
    ("spend", "customers", "control", "shown"),
    [("0.9 % buy", 64_000, 0.1, True), ("20 % buy", 5_000, 0.2, True), ("0.9 % buy", 2_000, 0.1, False)],
)
def test_null_campaigns_get_no_claim(spend: str, customers: int, control: float, shown: bool) -> None:
    """600 campaigns; the bounds of the slow test, with the binomial error (99.9 %) of so few."""
    campaigns = 600
    said = said_of(draw(7, spend, customers, control, campaigns), campaigns)
    assert said.shown == shown
    if shown:
        assert binom.ppf(0.001, campaigns, 0.93) <= said.covers * campaigns <= binom.ppf(0.999, campaigns, 0.97)
    assert said.some_decile_added * campaigns <= binom.ppf(0.999, campaigns, 0.05)
    assert said.somebody_recommended * campaigns <= binom.ppf(0.999, campaigns, 0.03)


def found_in(drawn: Drawn, campaigns: int) -> dict[str, tuple[float, float]]:
    """The share of deciles with an effect that are found, and of campaigns with a false one.

    By each arm's own variance at 95 %, as it once was, and now.
    """
    effect = drawn.truth > 0
    found: dict[str, list[np.ndarray]] = {"own variance, 95 %": [], "now": []}
    for index in range(campaigns):
        cells = drawn.cells(index)
        mean = cells.sum_y / cells.customers
        own = (cells.sum_yy / cells.customers - mean**2) / (cells.customers - 1)
        found["own variance, 95 %"].append(mean[:, 0] - mean[:, 1] > 1.96 * np.sqrt(own.sum(axis=1)))
        found["now"].append(np.array([of.low > 0 for of in effects_by_decile(DECILES, cells, 0.0).effects]))
    power = {name: np.array(each) for name, each in found.items()}
    return {name: (each[:, effect].mean(), each[:, ~effect].any(axis=1).mean()) for name, each in power.items()}


@pytest.mark.parametrize(
    ("spend", "customers", "control", "lift", "least"),
    [("20 % buy", 20_000, 0.2, 0.8, 0.8), ("20 % buy", 64_000, 0.1, 0.5, 0.75), ("0.9 % buy", 64_000, 0.5, 2.5, 0.7)],
)
def test_effects_of_the_best_deciles_are_found(
    spend: str, customers: int, control: float, lift: float, least: float
) -> None:
    """Deciles 1 to 3 buy more often, the others do not: most of the three are found, and hardly ever another."""
    found = found_in(draw(11, spend, customers, control, 200, np.where(DECILES <= 3, lift, 0)), 200)
    print(f"\n{spend}, {customers:,}, {control:.0%} control, +{lift:.0%} in deciles 1 to 3 (found, false):", found)
    assert found["now"][0] >= least
    assert found["now"][1] <= 0.05


# The airline's planted effects in EUR per member, the size of each decile, and the standard error it has there.
AIRLINE = {
    "double-miles": (
        [71.0, 60.2, 51.8, 38.1, 28.3, 18.2, 13.9, 9.8, 5.1, 0.0],
        [1076, 939, 790, 582, 529, 548, 493, 362, 258, 201],
        [25.4, 17.8, 20.7, 17.8, 23.7, 14.9, 37.7, 12.4, 18.3, 16.4],
    ),
    "come-back-bonus": (
        [37.8, 32.5, 28.6, 18.4, 9.3, 4.8, 0.0, 0.0, 0.0, 0.0],
        [276, 449, 558, 687, 718, 734, 758, 849, 916, 946],
        [10.3, 10.4, 9.7, 10.8, 5.2, 4.8, 4.6, 4.3, 5.3, 3.2],
    ),
}


@pytest.mark.parametrize(("campaign", "before"), [("double-miles", 0.74), ("come-back-bonus", 0.83)])
def test_the_next_audience_gets_what_is_attainable(campaign: str, before: float) -> None:
    """Over 2,000 draws of the airline's planted effects: the share of the value of writing to just whom it pays."""
    truth, size, error = map(np.array, AIRLINE[campaign])
    draws, rng = 2_000, np.random.default_rng(5)
    cells = draw(1, "20 % buy", 1_000, 0.2, 1).cells(0)
    cells = replace(cells, customers=np.stack([size * 0.8, size * 0.2], axis=1))
    value = size * (truth * MARGIN - COST)
    got = {"each decile's own interval": 0.0, "everyone, where an effect is shown": 0.0, "shrunken": 0.0}
    for estimate in truth + rng.normal(size=(draws, 10)) * error:
        shares = size / size.sum()
        whole = estimates.as_difference(shares @ estimate, shares**2 @ error**2, 1.96)
        strata = Strata(
            known=size < 0,
            effects=[],
            tail=estimates.TAIL,
            heterogeneity_p=np.nan,
            shrunken=shrunken(DECILES, estimate, error**2, cells),
        )
        goes_on = strata.shows_gain(whole)
        got["each decile's own interval"] += value @ ((estimate - 1.96 * error) * MARGIN > COST)
        got["everyone, where an effect is shown"] += value.sum() * goes_on
        got["shrunken"] += value @ (strata.shrunken * MARGIN > COST) * goes_on
    attained = {name: total / draws / value.clip(0).sum() for name, total in got.items()}
    print(f"\n{campaign} (was {before:.0%}):", {name: f"{share:.1%}" for name, share in attained.items()})
    assert attained["shrunken"] >= 0.97


def test_ratio_metrics_hold_the_truth() -> None:
    """Revenue per purchase and per message, where customers buy and are written to unevenly often: 500 campaigns."""
    rng, per, held = np.random.default_rng(3), 4_000, {"purchase": 0, "message": 0}
    for _ in range(500):
        messages = np.where(np.arange(per) < per * 0.7, rng.integers(1, 4, per), 0)
        bought = rng.poisson(0.3 * rng.gamma(2, 0.5, per) * (1 + 0.5 * messages))
        spent = bought * 1.0 * rng.gamma(2, 25, per)
        rows = pd.DataFrame({"audience": "ALL", "decile": 1, "arm": np.where(messages > 0, "treated", "control")})
        of = {"y": spent, "x": 0 * spent, "m": messages, "p": bought}
        rows = rows.assign(customers=1, converted=(bought > 0) * 1, bought_before=0)
        rows = rows.assign(**{f"sum_{name}": value for name, value in of.items()})
        rows = rows.assign(
            **{f"sum_{a}{b}": of[a] * of[b] for a, b in ("yy", "xx", "mm", "pp", "xy", "ym", "xm", "yp")}
        )
        cells = estimates.as_cells(rows.groupby(["audience", "decile", "arm"], as_index=False).sum())
        message, purchase = estimates.per_message(cells, 0.0), estimates.per_purchase(cells).difference
        held["message"] += message.low <= 0.3 * 0.5 * 50 <= message.high  # each message: 0.15 purchases of 50
        held["purchase"] += purchase.low <= 0 <= purchase.high
    assert min(held.values()) >= binom.ppf(0.001, 500, 0.95)
    assert max(held.values()) <= binom.ppf(0.999, 500, 0.97)
