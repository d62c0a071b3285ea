"""Who is on two lists of customers, though they are written differently; and that strangers stay apart."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import derived, ingest, models, simulate
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest import fuzzy_match
from clv_helpers.ingest.fuzzy_match import Found, MatchingError, find_matches
from clv_helpers.run import forget, notebooks, refresh_all
from clv_helpers.simulate.two_lists import TwoLists, simulate_two_lists
from conftest import absent

BY = ["first_name", "last_name", "birth_date", "postal_code", "email"]
PARAMS = """title: A shop with cards
sources:
  purchases:
    path: orders.csv
    columns: {{event_id: order_id, customer_id: customer_id, occurred_at: occurred_at, amount: amount}}
  customers:
    path: customers.csv
    columns:
      {{customer_id: number, first_name: first_name, last_name: last_name, email: email, joined_on: since,
       birth_date: {{from: birth_date, type: date}}, postal_code: {{from: postal_code, type: text}}}}
  cards:
    is: events
    path: cards.csv
    columns:
      customer_id: number
      occurred_at: since
      first_name: {{from: first_name, type: text}}
      last_name: {{from: last_name, type: text}}
      email: {{from: email, type: text}}
      birth_date: {{from: birth_date, type: date}}
      postal_code: {{from: postal_code, type: text}}
{rule}
"""
RULE = "identities: {match: {lists: [customers, cards], by: [first_name, last_name, birth_date, postal_code, email]}}"


@pytest.fixture(scope="module")
def lists() -> TwoLists:
    if importlib.util.find_spec("splink") is None:
        absent("Splink is not installed")
    return simulate_two_lists(1_500, seed=7)


@pytest.fixture(scope="module")
def found(lists: TwoLists) -> Found:
    return matched(lists)


def matched(lists: TwoLists, apart: str = "first_name") -> Found:
    first, second = (rows.rename(columns={"number": "id"})[["id", *BY]] for rows in (lists.customers, lists.cards))
    return find_matches(first, second, apart)


def right(found: Found, lists: TwoLists, threshold: float = 0.95) -> tuple[float, float]:
    """Precision and recall of what is joined."""
    pairs = found.pairs[(found.pairs["probability"] >= threshold) & ~found.pairs["apart"]]
    same = lists.checked[lists.checked["is_same"]]
    true = {*zip(same["customer_id"], same["card_id"], strict=True)} & {*zip(pairs["a"], pairs["b"], strict=True)}
    return len(true) / max(len(pairs), 1), len(true) / max(len(same), 1)


def test_nine_of_ten_are_found_and_hardly_a_stranger(found: Found, lists: TwoLists):
    precision, recall = right(found, lists)
    assert found.learned
    assert precision > 0.99
    assert recall > 0.88


def test_nobody_is_matched_twice(found: Found):
    assert found.pairs["a"].is_unique and found.pairs["b"].is_unique


def test_a_higher_threshold_finds_fewer_and_errs_less(found: Found, lists: TwoLists):
    low, high = right(found, lists, 0.5), right(found, lists, 0.999)
    assert low[0] < high[0]
    assert low[1] > high[1]


def test_the_probabilities_are_true_where_nobody_shares_a_home(found: Found, lists: TwoLists):
    pairs = found.pairs[~found.pairs["apart"]].merge(
        lists.checked, left_on=["a", "b"], right_on=["customer_id", "card_id"], how="left"
    )
    pairs = pairs[pairs["is_same"].fillna(True).astype(bool) | pairs["kind"].isna()]
    is_same = pairs["is_same"].eq(True)
    assert abs(pairs["probability"].sum() - is_same.sum()) < 0.02 * len(pairs)


def test_a_household_is_held_apart_and_so_is_who_goes_by_a_nickname(found: Found, lists: TwoLists):
    pairs = found.pairs.merge(lists.checked, left_on=["a", "b"], right_on=["customer_id", "card_id"])
    kinds = {*pairs[pairs["apart"]]["kind"]}
    assert {"twin", "spouse", "nickname"} <= kinds
    taken = pairs[~pairs["apart"] & (pairs["probability"] > 0.95) & pairs["kind"].isin({"twin", "spouse"})]
    assert len(taken) <= 2  # of 52: names may be alike by chance


@pytest.mark.slow
def test_without_a_column_that_tells_them_apart_twins_are_taken_for_one(lists: TwoLists, found: Found):
    together = matched(lists, apart="")
    assert right(together, lists)[1] > right(found, lists)[1]
    assert right(together, lists)[0] < 0.97


@pytest.mark.slow
def test_the_same_lists_give_the_same_pairs(lists: TwoLists, found: Found):
    pd.testing.assert_frame_equal(matched(lists).pairs, found.pairs)


def test_two_lists_that_share_nobody_give_hardly_a_match():
    strangers = simulate_two_lists(1_500, seed=8, in_both=0.0)
    found = matched(strangers, apart="")
    assert not found.learned
    assert (found.pairs["probability"] >= 0.95).sum() <= 3


def test_columns_that_tell_nobody_apart_are_refused():
    rows = pd.DataFrame({"id": range(300), "sex": ["f", "m"] * 150, "country": "DE", "consent": "yes"})
    with pytest.raises(MatchingError, match="allowed: columns that tell people apart"):
        find_matches(rows, rows)


def write(folder: Path, lists: TwoLists, rule: str = RULE) -> Workbook:
    for name in ("customers", "cards", "orders"):
        getattr(lists, name).to_csv(folder / f"{name}.csv", index=False)
    (folder / "shop.yml").write_text(PARAMS.format(rule=rule))
    return Workbook.open(folder / "shop.yml")


def test_those_who_match_become_one_customer_with_the_orders_of_both(outputs: Path, tmp_path: Path, lists: TwoLists):
    workbook = write(tmp_path, lists)
    ingest.ingest_files(workbook)
    refresh_all.build_profile(workbook)
    pairs = workbook.query("profile.match")
    joined = pairs[pairs["outcome"] == "joined"]
    customers = workbook.query("profile.customer")
    assert len(customers) == 3_000 - len(joined)
    assert customers["purchases"].sum() == len(lists.orders)
    shown = derived.identities(workbook)
    text = shown.bundle["text/plain"] + "".join(part.bundle.get("text/html", "") for part in shown.parts)
    assert "on customers are on cards, too" in text and "held apart" in text
    assert not any(f">{name}<" in text or f" {name} " in text for name in lists.customers["last_name"].unique())


@pytest.mark.slow
def test_orders_that_come_in_later_do_not_match_the_lists_anew(
    outputs: Path, tmp_path: Path, lists: TwoLists, monkeypatch: pytest.MonkeyPatch
):
    workbook = write(tmp_path, lists)
    ingest.ingest_files(workbook)
    refresh_all.build_profile(workbook)
    before = workbook.query("profile.customer")["purchases"].sum()
    monkeypatch.setattr(fuzzy_match, "find_matches", lambda *_, **__: pytest.fail("matched anew"))
    more = lists.orders.head(5).assign(order_id=[f"N{n}" for n in range(5)], occurred_at="2025-06-01 12:00:00")
    more.to_csv(tmp_path / "more.csv", index=False)
    ingest.ingest_files(workbook, "purchases", [tmp_path / "more.csv"])
    refresh_all.build_profile(workbook)
    assert workbook.query("profile.customer")["purchases"].sum() == before + 5


@pytest.mark.slow
def test_taken_out_of_the_params_each_id_is_a_customer_again(outputs: Path, tmp_path: Path, lists: TwoLists):
    ingest.ingest_files(workbook := write(tmp_path, lists))
    refresh_all.build_profile(workbook)
    refresh_all.build_profile(apart := write(tmp_path, lists, rule=""))
    assert len(apart.query("profile.customer")) == 3_000


@pytest.mark.slow
def test_who_is_forgotten_is_forgotten_on_both_lists(outputs: Path, tmp_path: Path, lists: TwoLists):
    ingest.ingest_files(workbook := write(tmp_path, lists))
    refresh_all.build_profile(workbook)
    pair = workbook.query("profile.match").query("outcome == 'joined'").iloc[0]
    done = forget.forget(workbook, pair["customer_id"])
    assert done.done, done.left
    with workbook.engine.read() as session:
        left = "SELECT COUNT(*) AS rows FROM lake.cards WHERE customer_id IN ($a, $b) OR source_customer_id IN ($a, $b)"
        assert session.scalar(left, a=pair["customer_id"], b=pair["source_customer_id"]) == 0
    assert pair["source_customer_id"] not in {*workbook.query("profile.match")["source_customer_id"]}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("{match: {lists: [customers, card], by: [email, last_name, region]}}", r"lists\[1\] is 'card'; allowed: card"),
        ("{match: {lists: [cards, cards], by: [email, last_name, region]}}", r"lists\[1\] is 'cards'; allowed: cust"),
        ("{match: {lists: [customers, cards], by: [email, last_name, region]}}", r"by\[2\] is 'region'; allowed: fir"),
        ("{match: {lists: [customers, cards], by: [email, email, last_name]}}", r"by\[1\] is 'email'; allowed: first"),
        ("{apart: first_name}", "either join"),
    ],
)  # fmt: skip
def test_what_cannot_be_matched_is_said_at_its_place(tmp_path: Path, lists: TwoLists, rule: str, sentence: str):
    with pytest.raises(ParamsError, match=sentence):
        write(tmp_path, lists, f"identities: {rule}")


def test_the_workbook_of_two_lists_can_be_run_from_its_params_alone(outputs: Path, lists: TwoLists):
    assert notebooks.check(Workbook.open("match.yml", overrides={"simulate.members": 200})) == []


@pytest.mark.slow
def test_the_workbook_of_two_lists_tells_how_right_its_matches_are(outputs: Path, lists: TwoLists):
    workbook = Workbook.open("match.yml", overrides={"simulate.members": 1_500})
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    refresh_all.build_profile(workbook)
    models.refresh(workbook, "insights")
    rows = workbook.query("insights.fact_match_threshold", threshold=0.95).set_index("figure")
    assert rows.loc["Precision", "share"] > 0.99
    assert rows.loc["Recall", "share_low"] < 0.91 < rows.loc["Recall", "share_high"]
    changes = workbook.query("insights.fact_match_change").set_index("change")["share_found"]
    assert changes.idxmin() == "nickname" and changes["nothing"] == 1
