"""Lift against an independent version on rows, and against a known truth: how often do the intervals hold it?"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from source_files import write_source

from clv_helpers import campaigns, ingest, simulate
from clv_helpers.campaigns import estimates
from clv_helpers.campaigns.effect import effect_tables
from clv_helpers.config.params import Params
from clv_helpers.config.workbook import Workbook
from clv_helpers.files import write_parquet

EXPERIMENTS, CUSTOMERS, SHARE = 200, 500, 0.3
DRAWN_ON = dt.date(2024, 6, 3)
FLIGHT_ADDED = (0.30, 0.26, 0.22, 0.16, 0.12, 0.08, 0.06, 0.04, 0.02, 0.0)


def as_groups(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of customers (audience, decile, arm, y, x) as outcome_group has them."""
    rows = rows.assign(
        customers=1, converted=(rows["y"] > 0) * 1, bought_before=(rows["x"] > 0) * 1,
        m=(rows["arm"] == "treated") * 1, p=(rows["y"] > 0) * 1,
    )  # fmt: skip
    rows = rows.assign(**{f"sum_{name}": rows[name] for name in "yxmp"})
    rows = rows.assign(
        **{f"sum_{a}{b}": rows[a] * rows[b] for a, b in ("yy", "xx", "mm", "pp", "xy", "ym", "xm", "yp")}
    )
    names = list(estimates.SUMS)
    return rows.groupby(["audience", "decile", "arm"], as_index=False)[names].sum()


def some_rows(seed: int, customers: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.gamma(0.5, 100, customers)
    return pd.DataFrame(
        {
            "audience": "a",
            "decile": rng.integers(1, 4, customers),
            "arm": np.where(rng.random(customers) < 0.4, "control", "treated"),
            "x": x,
            "y": np.where(rng.random(customers) < 0.4, 0.3 * x + rng.gamma(1, 30, customers), 0),
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_one_stratum_of_two_equal_arms_is_students_test(seed: int) -> None:
    """Where both arms hold as many, how their variances are shared out changes nothing."""
    rows = some_rows(seed).assign(decile=1)
    rows = rows.assign(arm=np.where(np.arange(len(rows)) % 2, "control", "treated"))
    found = estimates.revenue(estimates.as_cells(as_groups(rows))).difference
    arms = [rows.loc[rows["arm"] == arm, "y"] for arm in ("treated", "control")]
    student = stats.ttest_ind(*arms).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((student.low, student.high))
    assert found.estimate == pytest.approx(arms[0].mean() - arms[1].mean())


@pytest.mark.parametrize("seed", range(5))
def test_sums_give_what_rows_give(seed: int) -> None:
    """The stratified estimate with CUPED, computed anew from rows: residuals first, then means and variances."""
    rows = some_rows(seed)
    cells = estimates.as_cells(as_groups(rows))
    by_cell = rows.groupby(["decile", "arm"])
    dx, dy = (rows[name] - by_cell[name].transform("mean") for name in "xy")
    theta = (dx * dy).sum() / (dx**2).sum()
    assert estimates.slope(cells) == pytest.approx(theta)
    adjusted = rows["y"] - theta * (rows["x"] - rows.groupby("decile")["x"].transform("mean"))
    cell = rows.assign(a=adjusted).groupby(["decile", "arm"])["a"].agg(["mean", "var", "size"]).unstack("arm")
    weight = rows.groupby("decile").size() / len(rows)
    difference = (weight * (cell["mean"]["treated"] - cell["mean"]["control"])).sum()
    sizes, buyers = cell["size"], rows[rows["y"] > 0]
    pooled = (cell["var"] * (sizes - 1)).sum(axis=1) / (sizes.sum(axis=1) - 2)
    arms = rows.groupby("arm")["y"]
    rate, count = arms.apply(lambda y: (y > 0).mean()), arms.apply(lambda y: (y > 0).sum())
    borrowed = rate * (buyers["y"] ** 2).mean() - (rate * buyers["y"].mean()) ** 2
    own = (count * arms.var(ddof=0) + 500 * borrowed) / (count + 500)
    relative = own / (own * sizes.sum()).sum() * len(rows)
    error = sum((weight**2 * pooled / sizes[arm] * relative[arm]).sum() for arm in ("treated", "control")) ** 0.5
    found = estimates.revenue(cells, theta).difference
    assert found.estimate == pytest.approx(difference)
    assert 1.95 < (found.high - found.estimate) / error < 2.0
    assert found.detectable == pytest.approx(2.803 * error, rel=0.01)


def test_conversion_is_newcombes_published_interval() -> None:
    """Newcombe (1998), table II, method 10: 56/70 against 48/80, and 9/10 against 3/10."""
    for (a, m, b, n), expected in {(56, 70, 48, 80): (0.0524, 0.3339), (9, 10, 3, 10): (0.1705, 0.8090)}.items():
        rows = pd.DataFrame({"audience": "a", "decile": 1, "arm": ["treated"] * m + ["control"] * n, "x": 0.0}).assign(
            y=[1.0] * a + [0.0] * (m - a) + [1.0] * b + [0.0] * (n - b)
        )
        found = estimates.conversion(estimates.as_cells(as_groups(rows))).difference
        assert (found.low, found.high) == pytest.approx(expected, abs=5e-5)


def test_sample_ratio_is_the_chi_square_test() -> None:
    assert estimates.sample_ratio_p(850, 150, 0.2) == pytest.approx(stats.chisquare([850, 150], [800, 200]).pvalue)
    assert estimates.sample_ratio_p(800, 200, 0.2) == 1


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=12), st.integers(0, 99))
def test_no_stratum_is_lost_and_none_stays_small(sizes: list[tuple[int, int]], seed: int) -> None:
    if min(map(sum, zip(*sizes, strict=True))) < 5:
        return
    rng = np.random.default_rng(seed)
    rows = [
        {"audience": "a", "decile": decile, "arm": arm, "x": rng.random(), "y": rng.random()}
        for decile, pair in enumerate(sizes, 1)
        for arm, count in zip(("treated", "control"), pair, strict=True)
        for _ in range(count)
    ]
    cells = estimates.as_cells(as_groups(pd.DataFrame(rows)))
    assert cells.customers.sum() == len(rows)
    assert cells.customers.min() >= 5
    assert cells.sum_y.sum() == pytest.approx(sum(row["y"] for row in rows))


@pytest.mark.parametrize("planted", [1, 0])
def test_coverage_of_two_thousand_small_experiments(planted: int) -> None:
    """The estimators alone, on sums made by numpy: heavy-tailed revenue, 500 customers, 30 % control. 95 % is meant."""
    rng = np.random.default_rng(planted)
    times, count = 2000, 2000 * CUSTOMERS
    rate, fare_rate = rng.gamma(0.75, 1 / 45, count), np.maximum(rng.gamma(3.5, 1 / 150, count), 1e-6)
    spent = [
        np.where(n > 0, rng.gamma(np.maximum(4 * n, 1e-9), 1 / fare_rate), 0) for n in rng.poisson(rate * [[365], [28]])
    ]
    x = spent[0]
    tenth = np.ceil(np.argsort(np.argsort(-x)) * 10 / (x > 0).sum() + 1e-9).clip(1, 10)
    decile = np.where(x > 0, tenth, 0).astype(int)
    control = rng.permuted(np.tile(np.arange(CUSTOMERS) < SHARE * CUSTOMERS, (times, 1)), axis=1).ravel()
    chance = np.array([0.0, *FLIGHT_ADDED])[decile] * planted
    y = spent[1] + np.where(~control & (rng.random(count) < chance), rng.gamma(4, 1 / fare_rate), 0)
    truth = (chance * 4 / fare_rate).reshape(times, CUSTOMERS).mean(axis=1)
    held = {"plain": 0, "cuped": 0}
    cell = (np.arange(count) // CUSTOMERS * 11 + decile) * 2 + control
    values = {
        "customers": np.ones(count),
        "converted": (y > 0) * 1.0,
        "sum_y": y,
        "sum_yy": y**2,
        "sum_x": x,
        "sum_xx": x**2,
        "sum_xy": x * y,
    }
    sums = {name: np.bincount(cell, value, times * 22).reshape(times, 11, 2) for name, value in values.items()}
    for index in range(times):
        own = {name: sums.get(name, sums["converted"])[index] for name in estimates.SUMS}
        own = {name: value[own["customers"].sum(axis=1) > 0] for name, value in own.items()}
        cells = estimates.pooled(estimates.Cells(**own))
        for name, theta in (("plain", 0.0), ("cuped", estimates.slope(cells))):
            found = estimates.revenue(cells, theta).difference
            held[name] += found.low <= truth[index] <= found.high
    for name, times_held in held.items():
        assert 0.935 <= times_held / times <= 0.965, name


# --- against a known truth, through the whole of the engine ---------------------------------------------------------


def lookalike_airline(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Flights of the customers of 200 small experiments (fares and rates as the airline's), their arms, and the truth.

    The effect is the simulator's: by decile, a probability of one flight more. Every experiment comes twice, once with
    the effect and once without, on the same customers.
    """
    rng = np.random.default_rng(seed)
    count = EXPERIMENTS * CUSTOMERS
    rate = rng.gamma(0.75, 1 / 45, count)
    fare_rate = np.maximum(rng.gamma(3.5, 1 / 150, count), 1e-6)
    before, after = rng.poisson(rate * 365), rng.poisson(rate * 28)
    number = np.array([f"N{index:06d}" for index in range(count)])
    customer = np.concatenate([np.repeat(np.arange(count), before), np.repeat(np.arange(count), after)])
    day = np.concatenate([-1 - rng.integers(0, 365, before.sum()), rng.integers(0, 28, after.sum())])
    fare = np.round(np.maximum(rng.gamma(4, 1 / fare_rate[customer]), 0.01), 2)
    month = (dt.date(2024, 6, 1) - DRAWN_ON).days
    spent = pd.Series(fare[day < month]).groupby(customer[day < month]).sum().round(2)
    digest = np.array([hashlib.md5(each.encode()).hexdigest() for each in number[spent.index]])
    decile = np.zeros(count, dtype=int)
    for tenth, places in enumerate(np.array_split(np.lexsort((digest, -spent.to_numpy())), 10), 1):
        decile[spent.index.to_numpy()[places]] = tenth
    experiment = np.arange(count) // CUSTOMERS
    place = np.empty(count)
    order = np.lexsort((rng.random(count), decile, experiment))
    place[order] = np.arange(count) % CUSTOMERS
    control = np.floor((place + 1) * SHARE) > np.floor(place * SHARE)
    chance = np.array([0.0, *FLIGHT_ADDED])[decile]
    extra = np.flatnonzero(~control & (rng.random(count) < chance))
    truth = pd.Series(chance * 4 / fare_rate).groupby(experiment).mean()
    flights = pd.DataFrame({"customer": number[customer], "day": day, "fare": fare, "added": False})
    added = np.round(np.maximum(rng.gamma(4, 1 / fare_rate[extra]), 0.01), 2)
    days = rng.integers(0, 28, len(extra))
    flights = pd.concat([flights, pd.DataFrame({"customer": number[extra], "day": days, "fare": added, "added": True})])
    drawn = pd.DataFrame(
        {
            "customer": number,
            "campaign": [f"e{each:03d}" for each in experiment],
            "arm": np.where(control, "control", "treated"),
        }
    )
    return flights, drawn, truth


@pytest.fixture(scope="module")
def experiments(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, pd.DataFrame]:
    """The effects that stage 6 finds in 200 experiments: with the planted effect (True) and without."""
    flights, drawn, truth = lookalike_airline(seed=9)
    found = {}
    for planted in (True, False):
        folder = tmp_path_factory.mktemp("experiments")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
            rows = flights if planted else flights[~flights["added"]]
            rows = rows.assign(at=pd.Timestamp(DRAWN_ON) + pd.to_timedelta(rows["day"], unit="D"))
            write_parquet(rows[["customer", "at", "fare"]], folder / "flights.parquet")
            write_parquet(drawn.assign(at=pd.Timestamp(DRAWN_ON)), folder / "drawn.parquet")
            (folder / "many.yml").write_text(
                "title: Many experiments\n"
                "as_of: 2024-07-01\n"
                "sources:\n"
                "  purchases:\n"
                "    path: flights.parquet\n"
                "    columns: {customer_id: customer, occurred_at: at, amount: fare}\n"
                "  assignments:\n"
                "    path: drawn.parquet\n"
                "    columns: {customer_id: customer, campaign: campaign, arm: arm, assigned_at: at}\n"
                f"campaigns: {{default: {{control_share: {SHARE}}}}}\n"
            )
            workbook = Workbook.open(folder / "many.yml")
            ingest.ingest_files(workbook)
            campaigns.build(workbook)
            rows = workbook.query("campaigns.fact_effect", order_by="campaign", audience="ALL")
            found[planted] = rows.assign(truth=truth.to_numpy() if planted else 0.0)
    return found


def covered(rows: pd.DataFrame, name: str) -> float:
    return ((rows[f"{name}_low"] <= rows["truth"]) & (rows["truth"] <= rows[f"{name}_high"])).mean()


class TestAgainstTheTruth:
    def test_every_experiment_is_measured(self, experiments) -> None:
        for rows in experiments.values():
            assert len(rows) == EXPERIMENTS
            assert rows["measured"].all()
            assert (rows["sample_ratio_p"] > 0.9).all()

    @pytest.mark.parametrize("name", ["revenue", "cuped"])
    def test_intervals_hold_the_planted_effect(self, experiments, name: str) -> None:
        assert 0.92 <= covered(experiments[True], name) <= 0.98

    @pytest.mark.parametrize("name", ["revenue", "cuped", "conversion"])
    def test_no_effect_is_seldom_called_one(self, experiments, name: str) -> None:
        assert 1 - covered(experiments[False], name) <= 0.07

    def test_cuped_is_narrower_on_average_and_unbiased(self, experiments) -> None:
        rows = experiments[True]
        width = {name: (rows[f"{name}_high"] - rows[f"{name}_low"]).mean() for name in ("revenue", "cuped")}
        assert width["cuped"] < 0.97 * width["revenue"]
        error = rows["cuped"] - rows["truth"]
        assert abs(error.mean()) < 3 * error.std() / len(rows) ** 0.5

    def test_detectable_effect_is_found_in_four_cases_of_five(self, experiments) -> None:
        """The effect planted here is near the detectable one: the share found follows the power that this implies."""
        rows = experiments[True]
        error = rows["cuped_detectable"] / (1.959964 + 0.841621)
        power = stats.norm.sf(1.959964 - rows["truth"] / error).mean()
        assert (rows["cuped_low"] > 0).mean() == pytest.approx(power, abs=0.1)


def test_the_simulator_adds_what_its_truth_says() -> None:
    """More flights among the treated, by the stated probability; the campaign without an effect adds none."""
    from clv_helpers.config.settings import Simulation

    airline = simulate.simulate(Simulation(members=6000, years=3, seed=4))
    events = airline.loyalty_events
    flights = events[events["transaction_type"] == "STATUS_MILES"]
    for campaign, effect in airline.truth_campaigns.items():
        assigned = airline.assignments[airline.assignments["campaign"] == campaign].set_index("membership_number")
        since = flights["occurred_at"] - flights["membership_number"].map(assigned["assigned_at"])
        after = flights[(since >= pd.Timedelta(0)) & (since < pd.Timedelta(days=28))]
        spent = after.groupby("membership_number")["amount"].sum().reindex(assigned.index).fillna(0)
        arms = spent.groupby(assigned["arm"]).agg(["mean", "var", "size"])
        difference = arms.loc["treated", "mean"] - arms.loc["control", "mean"]
        error = (arms["var"] / arms["size"]).sum() ** 0.5
        assert abs(difference - effect["revenue_per_customer"]) < 3 * error
        assert len(assigned) * simulate.mailing.CONTROL_SHARE == pytest.approx(
            (assigned["arm"] == "control").sum(), abs=1
        )
    assert airline.truth_campaigns["card-offer"]["revenue_per_customer"] == 0
    assert airline.truth_campaigns["double-miles"]["revenue_per_customer"] > 10


# --- what is reported ------------------------------------------------------------------------------------------------

PARAMS = Params.model_validate({"title": "t", "sources": {"experiments": {"path": "x.csv"}}})


def effect_of(rows: pd.DataFrame, **params: object) -> pd.Series:
    groups = as_groups(rows).assign(campaign="c")
    changed = PARAMS.model_copy(update=params)
    return effect_tables(groups, ["c"], changed)["fact_effect"].iloc[0]


def test_the_order_of_rows_changes_no_digit() -> None:
    """The engine gives the sums in any order, and sums of floats depend on it: two runs must agree to the bit."""
    groups = as_groups(pd.concat([some_rows(1), some_rows(2).assign(audience="b")])).assign(campaign="c")
    expected = effect_tables(groups, ["c"], PARAMS)
    for seed in range(20):
        tables = effect_tables(groups.sample(frac=1, random_state=seed), ["c"], PARAMS)
        for name, table in tables.items():
            pd.testing.assert_frame_equal(table, expected[name], check_exact=True)


def test_ten_people_get_a_sentence_in_place_of_a_number() -> None:
    found = effect_of(some_rows(1, customers=10))
    assert not found["measured"]
    assert found["sentence"] == (
        "c: <11 treated and <11 control customers are too few to know its effect; at least 20 are needed in each arm."
    )
    assert np.isnan(found["cuped"])


def test_no_control_group_gets_a_sentence() -> None:
    found = effect_of(some_rows(1).assign(arm="treated"))
    assert found["sentence"] == "c has no control group, so its effect cannot be known."


def test_uneven_split_and_arms_that_differed_before_are_warned_of() -> None:
    rows = some_rows(1)
    rows.loc[rows["arm"] == "treated", "x"] += 200
    found = effect_of(rows, campaigns={"c": settings(control_share=0.2)})
    assert "The arms are not split as planned: 4" in found["warnings"]
    assert "differed before the campaign by more than 0.1 standard deviations in spend before (+" in found["warnings"]


def settings(**keys: object):
    from clv_helpers.config.settings import CampaignSettings

    return CampaignSettings(**keys)


def test_value_per_message_is_revenue_by_margin_less_cost() -> None:
    found = effect_of(some_rows(1), campaigns={"c": settings(cost_per_message=0.5, margin=0.2)})
    assert found["value_per_message"] == pytest.approx(found["cuped"] * 0.2 - 0.5)
    assert found["cost"] == pytest.approx(0.5 * found["treated"])


def test_decile_sizes_add_up_to_the_arms(airline: Workbook) -> None:
    rows = airline.query("campaigns.fact_effect_decile")
    groups = airline.query("campaigns.outcome_group")
    everyone = rows[rows["audience"] == "ALL"].groupby("campaign")[["treated", "control"]].sum()
    by_arm = groups.pivot_table(index="campaign", columns="arm", values="customers", aggfunc="sum")
    for campaign, row in everyone.iterrows():
        assert tuple(row) == tuple(by_arm.loc[campaign, ["treated", "control"]])


def test_outcomes_agree_with_pandas(airline: Workbook) -> None:
    """Sums by arm of the last four weeks after each draw, from raw events."""
    with airline.engine.read() as session:
        drawn = session.frame("SELECT * FROM campaigns.customer_assignment")
        events = session.frame("SELECT * FROM lake.purchases WHERE transaction_type = 'STATUS_MILES'")
    joined = drawn.merge(events, on="customer_id")
    since = (joined["occurred_at"].dt.normalize() - joined["assigned_on"]).dt.days
    keys = ["campaign", "audience", "decile", "arm"]
    after = joined[(since >= 0) & (since < 28)].groupby([*keys, "customer_id"])["amount"].sum()
    before = joined[(since < 0) & (since >= -365)].groupby([*keys, "customer_id"])["amount"].sum()
    found = airline.query("campaigns.outcome_group").set_index(keys).sort_index()
    assert len(found) > 10
    for name, values in {"sum_y": after, "sum_yy": after**2, "sum_x": before, "sum_xx": before**2}.items():
        expected = values.groupby(keys).sum().reindex(found.index).fillna(0)
        pd.testing.assert_series_equal(found[name], expected, check_names=False)
    assert (found["customers"] == drawn.groupby(keys).size().reindex(found.index)).all()


def test_who_was_assigned_stays_so(workbook: Workbook, tmp_path: Path) -> None:
    """A later file that puts the same people into the other arm changes nothing: the first draw holds."""
    before = workbook.query("campaigns.customer_assignment", order_by="campaign, customer_id")
    swapped = before.assign(
        arm=before["arm"].map({"treated": "control", "control": "treated"}),
        assigned_at=before["assigned_on"] + pd.Timedelta(days=3),
    )
    ingest.ingest_files(
        workbook, "assignments", [write_source(workbook, "assignments", swapped, tmp_path / "later.csv")]
    )
    campaigns.build(workbook)
    after = workbook.query("campaigns.customer_assignment", order_by="campaign, customer_id")
    pd.testing.assert_frame_equal(after, before)
