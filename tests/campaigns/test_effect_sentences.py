"""What is said of a campaign: each outcome for itself, and a sentence in the place of a number that would not hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from null_campaigns import DECILES, draw

from clv_helpers.campaigns.effect import NOT_KNOWN, NOT_WORTH_IT, WORTH_IT, effect_tables
from clv_helpers.config.params import Params
from clv_helpers.config.settings import CampaignSettings

PARAMS = Params.model_validate({"title": "t", "sources": {"experiments": {"path": "x.csv"}}})


def groups(lift: np.ndarray | float = 0.0, control: float = 0.2, spend: str = "20 % buy") -> pd.DataFrame:
    return draw(2, spend, 20_000, control, 1, lift).groups(1)


def effect_of(rows: pd.DataFrame, **settings: float) -> tuple[pd.Series, pd.DataFrame]:
    """The row of the campaign, and its deciles."""
    params = PARAMS.model_copy(update={"campaigns": {"c000": CampaignSettings(**settings)}})
    tables = effect_tables(rows, ["c000"], params)
    return tables["fact_effect"].iloc[0], tables["fact_effect_decile"]


def test_revenue_and_conversion_are_both_said() -> None:
    found, _ = effect_of(groups(0.5))
    assert found["sentence"].startswith("c000 added ")
    assert "USD per customer (95% interval " in found["sentence"]
    counts = (found["treated_buyers"], found["treated"], found["control_buyers"], found["control"])
    assert "bought against" in found["sentence"]
    for count in counts:
        assert f"{5 * round(count / 5):,}" in found["sentence"]  # as any count of people that is shown


def test_no_effect_on_revenue_is_not_said_of_the_campaign_where_more_bought() -> None:
    rows = groups(0.12)
    treated = rows["arm"] == "treated"
    rows.loc[treated, "sum_y"] /= 1.12  # more bought, each for less
    rows.loc[treated, "sum_yy"] /= 1.12**2
    found, deciles = effect_of(rows)
    assert found["cuped_low"] < 0 < found["cuped_high"]
    assert found["conversion_low"] > 0
    assert found["sentence"].startswith("c000: no effect on revenue that a group of this size could show (")
    assert "), but 2" in found["sentence"]
    assert set(deciles["verdict"]) == {NOT_KNOWN}


def test_a_campaign_with_few_buyers_has_conversion_and_no_revenue() -> None:
    found, deciles = effect_of(groups(spend="0.9 % buy", control=0.1))
    assert found["measured"]
    assert "too few customers bought to tell what it added in revenue (an interval needs 20 buyers" in found["sentence"]
    assert np.isfinite(found[["conversion", "conversion_low", "conversion_high"]].astype(float)).all()
    assert found[["cuped", "revenue", "value_per_message", "revenue_per_purchase", "heterogeneity_p"]].isna().all()
    assert deciles[["cuped", "conversion", "shrunken", "shrunken_value"]].isna().all(axis=None)
    assert set(deciles["verdict"]) == {NOT_KNOWN}


@pytest.mark.parametrize(("arm", "other"), [("treated", "control"), ("control", "treated")])
def test_an_arm_without_buyers_gets_a_sentence(arm: str, other: str) -> None:
    rows = groups()
    of_arm = [name for name in rows if name in ("converted", "sum_p", "sum_pp") or "y" in name]
    rows[of_arm] = rows[of_arm].where(rows["arm"] == other, 0)
    found, deciles = effect_of(rows)
    assert not found["measured"]
    assert found["sentence"] == (
        f"c000: nobody of the {arm} group has bought in its window, so its effect cannot be told."
    )
    assert deciles.empty


def test_a_campaign_with_one_buyer_gets_a_sentence() -> None:
    rows = groups()
    bought = [name for name in rows if name in ("converted", "sum_p", "sum_pp") or "y" in name]
    rows[bought] = 0.0
    rows.loc[rows.index[0], bought] = 1.0
    found, _ = effect_of(rows)
    assert not found["measured"]
    assert "nobody of the " in found["sentence"]


def test_a_difference_that_hangs_on_few_buyers_is_not_told() -> None:
    """Rounded as of four people it would be nothing, "+0.0 points", whatever it is."""
    rows = groups(spend="0.9 % buy", control=0.1)
    rows.loc[rows["arm"] == "control", "converted"] = [4, *[0] * ((rows["arm"] == "control").sum() - 1)]
    found, _ = effect_of(rows)
    assert "of the control group" in found["sentence"]
    assert "points" not in found["sentence"]


def test_refunds_beyond_revenue_get_a_sentence() -> None:
    rows = groups()
    rows.loc[rows["arm"] == "control", "sum_y"] *= -1
    found, _ = effect_of(rows)
    assert found["sentence"].startswith(
        "c000: refunds exceed revenue in the control group, so what it added in revenue "
    )
    assert np.isnan(found["cuped"])
    assert np.isnan(found["incremental_revenue"])


def test_the_deciles_that_clear_the_cost_are_worth_it() -> None:
    """Deciles 1 to 3 buy 80 % more often; a message costs so much that it does not pay for the others."""
    found, deciles = effect_of(groups(np.where(DECILES <= 3, 0.8, 0.0)), cost_per_message=10)
    assert found["heterogeneity_p"] < 0.001
    verdicts = deciles.set_index("decile")["verdict"]
    assert (verdicts[[1, 2, 3]] == WORTH_IT).all()
    assert (verdicts[[6, 7, 8, 9, 10]] == NOT_WORTH_IT).all()
    assert (deciles.set_index("decile")["cuped_low"][[2, 3]] > 0).all()


def test_everyone_is_worth_it_where_deciles_do_not_differ() -> None:
    found, deciles = effect_of(groups(0.5), cost_per_message=0.02)
    assert found["heterogeneity_p"] > 0.05
    assert set(deciles["verdict"]) == {WORTH_IT}


def test_revenue_per_message_and_per_purchase() -> None:
    found, _ = effect_of(groups(0.5), cost_per_message=0.5, margin=0.2)
    assert found["revenue_per_message"] == pytest.approx(found["cuped"])  # one message each
    assert found["value_per_message_low"] == pytest.approx(0.2 * found["cuped_low"] - 0.5)
    rows = groups(0.5)
    spent = rows.groupby("arm")[["sum_y", "sum_p"]].sum()
    assert found["treated_per_purchase"] == pytest.approx((spent["sum_y"] / spent["sum_p"])["treated"], rel=0.01)
    assert found["revenue_per_purchase_low"] < 0 < found["revenue_per_purchase_high"]
    unknown, _ = effect_of(rows.assign(sum_p=np.nan, sum_pp=np.nan, sum_yp=np.nan))
    assert np.isnan(unknown["revenue_per_purchase"])
    assert unknown["cuped"] == found["cuped"]
