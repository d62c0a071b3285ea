"""Deciles of anything: against NTILE written anew in pandas, and by parts against a build from nothing."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest

from clv_helpers import adobe, derived, ingest, models
from clv_helpers.adobe.pql import to_node
from clv_helpers.audiences.catalog import catalog_of, event_tables, read_catalog
from clv_helpers.audiences.checks import problems
from clv_helpers.audiences.compile import Context, to_customers
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.sentence import to_sentence
from clv_helpers.conditions import Clock
from clv_helpers.config.params import Params
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from conftest import SMALL, often

START = dt.datetime(2024, 1, 15)
BOUGHT = ("event_id", "customer_id", "occurred_at", "tier", "shop", "amount", "weight")
SEEN = ("event_id", "message_id", "campaign", "customer_id", "event_type", "occurred_at")
SOURCES: dict[str, Any] = {
    "purchases": {
        "path": "nowhere.csv",
        "columns": {
            **{name: name for name in ("event_id", "customer_id", "occurred_at", "amount")},
            "tier": {"from": "tier", "type": "text"},
            "shop": {"from": "shop", "type": "text"},
            "weight": {"from": "weight", "type": "number"},
        },
    },
    "email_events": {"path": "nowhere.csv"},
}
GOLD = [{"field": "tier", "op": "equals", "value": "gold"}, {"not": {"field": "amount", "op": "at least", "value": 5}}]
DECILES: list[dict[str, Any]] = [
    {"name": "spent", "of": {"sum": "purchases.amount"}, "lookbacks": ["1 month", "3 months", "45 days", "lifetime"]},
    {"name": "by_tier", "of": {"sum": "purchases.amount"}, "by": "tier", "lookbacks": ["90 days", "lifetime"]},
    {"name": "orders", "of": {"count": "purchases"}, "by": ["tier", "shop"], "lookbacks": ["6 months"], "ntile": 4},
    {"name": "weight", "of": {"average": "purchases.weight"}, "lookbacks": ["lifetime"], "ntile": 3},
    {"name": "cheap", "of": {"min": "purchases.amount"}, "by": "shop", "lookbacks": ["lifetime"], "order": "ascending"},
    {"name": "dear", "of": {"max": "purchases.amount"}, "lookbacks": ["200 days"], "ntile": 100},
    {"name": "shops", "of": {"distinct": "purchases.shop"}, "lookbacks": ["12 months", "lifetime"], "ntile": 2},
    {"name": "gold", "of": {"sum": "purchases.amount", "where": GOLD}, "by": "shop", "lookbacks": ["lifetime"]},
    {"name": "clicks", "of": {"count": "email_events"}, "by": "event_type", "lookbacks": ["60 days"], "ntile": 5},
]  # fmt: skip
KEY = ["name", "category", "lookback", "customer_id"]


class Shop:
    """A workbook in a folder of its own, fed batch by batch."""

    def __init__(self, folder: Path, deciles: list[dict[str, Any]] = DECILES, **params: Any):
        import yaml

        folder.mkdir(parents=True, exist_ok=True)
        raw = {"title": "A shop", "sources": SOURCES, "deciles": deciles, **params}
        file = folder / f"{folder.name}.yml"  # whose name the outputs bear
        file.write_text(yaml.safe_dump(raw, sort_keys=False))
        self.folder, self.batches = folder, 0
        self.workbook = Workbook.open(file)

    def bring(self, rows: list[tuple], dataset: str = "purchases") -> int:
        self.batches += 1
        file = self.folder / f"{dataset}_{self.batches}.csv"
        with file.open("w", newline="") as stream:
            csv.writer(stream).writerows([BOUGHT if dataset == "purchases" else SEEN, *rows])
        return ingest.ingest_files(self.workbook, dataset, [file])[0].batch_id

    def refresh(self) -> dict[str, str]:
        return {row.table: row.mode for row in models.refresh(self.workbook, "derived", "profile")}

    def tables(self) -> dict[str, pd.DataFrame]:
        names = [f"derived.{name}" for name in ("rank_window", "customer_rank", "rank_edge", "purchases_by_day")]
        with self.workbook.engine.read() as session:
            return {
                name: session.frame(f"SELECT * FROM {name} ORDER BY ALL") for name in [*names, "profile.rank_attribute"]
            }


def bought(rng: random.Random, count: int, customers: int = 25) -> list[tuple]:
    """Purchases with ties, amounts below zero, small groups and categories that are not known."""
    return [
        (
            f"e{n}", f"c{rng.randrange(customers)}", START + dt.timedelta(hours=rng.randrange(24 * 400)),
            rng.choice(["gold", "silver", "silver", ""]), rng.choice(["Bonn", "Rome", "Oslo", "Oslo", ""]),
            rng.choice([-3, 1, 2, 2, 5, ""]), rng.choice([0.5, 1.25, 2, ""]),
        )
        for n in range(count)
    ]  # fmt: skip


def seen(rng: random.Random, count: int) -> list[tuple]:
    kinds = ("sent", "opened", "clicked")
    return [
        (f"m{n}", f"m{n}", "spring", f"c{rng.randrange(20)}", rng.choice(kinds), START + dt.timedelta(350, 3600 * n))
        for n in range(count)
    ]


def ntile(count: int, places: int) -> np.ndarray:
    size, more = divmod(count, places)
    return np.repeat(np.arange(1, places + 1), [size + (place < more) for place in range(places)])


def window(lookback: str, as_of: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
    count, _, unit = lookback.partition(" ")
    month = as_of.replace(day=1)
    if not unit:
        return pd.Timestamp.min, month
    if unit.startswith("month"):
        return month - pd.DateOffset(months=int(count)), month
    return as_of - pd.Timedelta(days=int(count)), as_of


def ranked_in_pandas(events: pd.DataFrame, spec: dict[str, Any], as_of: pd.Timestamp) -> pd.DataFrame:
    """The places of one ranking, over events of its dataset."""
    ((kind, name),) = ((key, value) for key, value in spec["of"].items() if key != "where")
    measured, within = name.partition(".")[2], spec.get("by", [])
    within = [within] if isinstance(within, str) else within
    if "where" in spec["of"]:
        events = events[(events["tier"] == "gold") & ~(events["amount"].astype(float) >= 5)]
    parts = []
    for lookback in spec["lookbacks"]:
        starts, ends = window(lookback, as_of)
        rows = events[(events["occurred_at"] >= starts) & (events["occurred_at"] < ends)]
        rows = rows.dropna(subset=within) if within else rows
        category = rows[within].agg(" · ".join, axis=1) if within and len(rows) else "ALL"
        rows = rows.assign(category=category, number=rows[measured] if measured else 1)
        if kind != "distinct":
            rows["number"] = rows["number"].astype(float)
        how = {"count": "count", "average": "mean", "distinct": "nunique"}.get(kind, kind)
        values = rows.dropna(subset="number").groupby(["category", "customer_id"])["number"].agg(how)
        values = (np.floor(values * 1e4 + 0.5) / 1e4).reset_index(name="value")  # halves up, as SQL casts
        values["tie"] = [hashlib.md5(who.encode()).hexdigest() for who in values["customer_id"]]
        for _, group in values.groupby("category"):
            best_first = group.sort_values(["value", "tie"], ascending=[spec.get("order") == "ascending", True])
            places = ntile(len(group), spec.get("ntile", 10))[: len(group)]
            parts.append(best_first.assign(name=spec["name"], lookback=lookback, place=places))
    return pd.concat(parts)[[*KEY, "value", "place"]]


def lake(workbook: Workbook, dataset: str) -> tuple[pd.DataFrame, pd.Timestamp]:
    with workbook.engine.write() as session:
        as_of = pd.Timestamp(workbook.as_of(session))
        return session.frame(f"SELECT * FROM lake.{dataset} WHERE occurred_at < CAST('{as_of}' AS TIMESTAMP)"), as_of


def as_pandas_has_it(shop: Shop) -> None:
    found = shop.workbook.query("derived.customer_rank").sort_values(KEY, ignore_index=True)
    parts = []
    for spec in DECILES:
        dataset = next(iter(spec["of"].values())).partition(".")[0]
        parts.append(ranked_in_pandas(*lake(shop.workbook, dataset)[:1], spec, lake(shop.workbook, dataset)[1]))
    expected = pd.concat(parts).sort_values(KEY, ignore_index=True)
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False, atol=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_places_are_those_of_pandas(outputs: Path, tmp_path: Path, seed: int) -> None:
    rng, shop = random.Random(seed), Shop(tmp_path)
    shop.bring(bought(rng, 300))
    shop.bring(seen(rng, 80), "email_events")
    shop.refresh()
    as_pandas_has_it(shop)
    rank = shop.workbook.query("derived.customer_rank")
    assert set(rank["name"]) == {spec["name"] for spec in DECILES}
    assert rank.groupby(["name", "category", "lookback"]).size().min() < 10  # small groups are among them


def test_miles_by_status_are_the_deciles_of_the_value(workbook: Workbook) -> None:
    """What the guide ranks, said in the words of deciles, is what every workbook has: to the last customer."""
    flown = {"field": "transaction_type", "op": "equals", "value": "STATUS_MILES"}
    lookbacks = {"1 month": 1, "3 months": 3, "12 months": 12, "lifetime": 0}
    spec = {"of": {"sum": "purchases.mileage", "where": [flown]}, "lookbacks": [*lookbacks]}
    deciles = [{"name": "miles_by_status", "by": "category", **spec}, {"name": "miles", **spec}]
    workbook = Workbook.open(workbook.file, overrides={**SMALL, "deciles": deciles})
    models.refresh(workbook, "derived")
    ranks = workbook.query("derived.customer_rank").assign(
        lookback_months=lambda rows: rows["lookback"].map(lookbacks), decile=lambda rows: rows["place"]
    )
    columns = ["customer_id", "category", "lookback_months", "value", "decile"]
    built_in = workbook.query("derived.customer_decile")
    built_in = built_in[built_in["lookback_months"].isin(lookbacks.values())]
    frames = [frame[columns].sort_values(columns[:3], ignore_index=True) for frame in (ranks, built_in)]
    pd.testing.assert_frame_equal(*frames, check_dtype=False)
    assert len(frames[0]) > 1000


def test_edges_are_those_of_the_places(outputs: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bring(bought(random.Random(4), 300))
    shop.refresh()
    ranks, edges = shop.workbook.query("derived.customer_rank"), shop.workbook.query("derived.rank_edge")
    group = ["name", "category", "lookback"]
    found = edges.set_index([*group, "place"])
    for key, rows in ranks.groupby(group):
        places = {spec["name"]: spec.get("ntile", 10) for spec in DECILES}[key[0]]
        adds_up = key[0] in ("spent", "by_tier", "orders", "gold")
        below, total = -rows["value"].clip(upper=0).sum(), rows["value"].sum()
        for place, members in rows.groupby("place"):
            edge, after = found.loc[(*key, place)], rows[rows["place"] == place + 1]["value"]
            assert edge.customers == len(members)
            assert (edge.lowest_value, edge.highest_value) == (members["value"].min(), members["value"].max())
            assert edge.fewer_than_places == (len(rows) < places)
            tied = set(members["value"]) & set(after)
            assert edge.ties_crossing == (rows["value"].isin(tied).sum() if tied else 0), (key, place)
            if adds_up and below <= total / 10 and total:
                assert edge.share_of_value == pytest.approx(float(members["value"].sum()) / float(total))
            else:
                assert pd.isna(edge.share_of_value)
    assert (edges["ties_crossing"] > 0).sum() > 10


def test_profile_and_maps_hold_the_places(outputs: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bring(bought(random.Random(5), 200))
    shop.refresh()
    ranks = shop.workbook.query("derived.customer_rank")
    places = ranks[(ranks["name"] == "spent")].set_index(["customer_id", "lookback"])["place"]
    profile = shop.workbook.query("profile.customer").set_index("customer_id")
    maps = shop.workbook.query("derived.rank_map").set_index("customer_id")
    assert {"spent_1_month", "spent_45_days", "weight_lifetime", "shops_12_months"} <= {*profile.columns}
    assert not [name for name in profile.columns if name.startswith(("by_tier", "orders"))]
    for who in profile.index:
        for lookback, column in (("45 days", "spent_45_days"), ("lifetime", "spent_lifetime")):
            expected = places.get((who, lookback))
            found = profile.loc[who, column]
            assert (pd.isna(found) and expected is None) or found == expected
    by_tier = ranks[(ranks["name"] == "by_tier") & (ranks["lookback"] == "90 days")]
    for who, rows in by_tier.groupby("customer_id"):
        assert maps.loc[who, "by_tier"]["decileDay90"] == dict(zip(rows["category"], rows["place"], strict=True))


def test_maps_fit_their_xdm_schema(outputs: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bring(bought(random.Random(6), 200))
    shop.refresh()
    (file,) = (file for file in adobe.write_schemas(shop.workbook) if file.name == "derived.rank_map.xdm.json")
    document = json.loads(file.read_text())
    tenant = document["fieldGroup"]["definitions"]["fields"]["properties"][f"_{tmp_path.name}"]
    strict = {**tenant, "additionalProperties": False}
    for ranking in strict["properties"].values():
        ranking["additionalProperties"] = False
    maps = shop.workbook.query("derived.rank_map")
    for row in maps.to_dict("records"):
        filled = {
            name: value if isinstance(value, str) else {key: places for key, places in value.items() if places}
            for name, value in row.items()
        }
        jsonschema.validate(filled, strict)
    assert document["descriptors"][0]["xdm:sourceProperty"] == f"/_{tmp_path.name}/customer_id"
    assert list(strict["properties"]) == list(maps.columns)


def test_notebook_lists_the_rankings(outputs: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert not derived.rankings(Shop(tmp_path / "none", deciles=[]).workbook).parts
    shop.bring(bought(random.Random(6), 200))
    shop.refresh()
    shown = derived.rankings(shop.workbook).parts[1].bundle
    assert shown["text/plain"] == f"{sum(len(spec['lookbacks']) for spec in DECILES)} rows"
    assert "Min of purchases.amount, smallest first" in shown["text/html"]
    assert "<td>tier and shop</td>" in shown["text/html"]


RULES = [
    ({"map": "by_tier", "category": "gold", "lookback": "90 days", "op": "at most", "value": 3},
     "Customers whose place in by tier among customers of gold over 90 days is at most 3"),
    ({"map": "spent", "lookback": "lifetime", "op": "exists"}, "among all customers over their lifetime"),
    ({"field": "spent_45_days", "op": "between", "value": [2, 4]}, "spent 45 days"),
]  # fmt: skip


def test_rules_ask_for_places(outputs: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bring(bought(random.Random(8), 300))
    shop.refresh()
    ranks = shop.workbook.query("derived.customer_rank").set_index(["name", "category", "lookback"]).sort_index()
    expected = [
        {r.customer_id for r in ranks.loc[("by_tier", "gold", "90 days")].itertuples() if r.place <= 3},
        {*ranks.loc[("spent", "ALL", "lifetime"), "customer_id"]},
        {r.customer_id for r in ranks.loc[("spent", "ALL", "45 days")].itertuples() if 2 <= r.place <= 4},
    ]
    with shop.workbook.engine.read() as session:
        catalog = read_catalog(session, event_tables())
        context = Context(catalog, Clock(dt.datetime(2025, 3, 1)), event_tables())
        for (rule, said), customers in zip(RULES, expected, strict=True):
            audience = Audience(title="t", rule=rule)
            assert not problems(audience, catalog)
            assert not problems(audience, catalog_of(shop.workbook.params))
            assert {row["customer_id"] for row in session.rows(to_customers(audience.rule, context))} == customers
            assert customers
            assert said in to_sentence(audience)
    assert "gold" in json.dumps(to_node(Audience(title="t", rule=RULES[0][0])))
    wrong = [
        ({"map": "by_teir", "lookback": "90 days", "op": "exists"}, "did you mean by_tier?"),
        ({"map": "by_tier", "lookback": "80 days", "op": "exists"}, "is '80 days'; allowed: 90 days, lifetime"),
    ]
    for rule, said in wrong:
        (problem,) = problems(Audience(title="t", rule=rule), catalog)
        assert said in str(problem)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"map": "spent", "lookback_months": 3, "op": "exists"}, "lookback is None; allowed: over how long"),
        ({"map": "decile", "lookback": "90 days", "op": "exists"}, "lookback_months is None; allowed: over how long"),
        ({"map": "spent", "lookback": "0 days", "op": "exists"}, "1 to 120 months"),
    ],
)
def test_maps_have_their_own_key_for_the_lookback(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamsError, match=said):
        validate(Audience, {"title": "t", "rule": rule}, "a.yml")


def test_parts_give_what_one_build_gives(outputs: Path, tmp_path: Path) -> None:
    by_parts(tmp_path, seeds=range(2))


@pytest.mark.slow
def test_many_splits_give_what_one_build_gives(outputs: Path, tmp_path: Path) -> None:
    by_parts(tmp_path, seeds=range(2, often(60, 5)))


def by_parts(folder: Path, seeds: range) -> None:
    """Batches late, repeated and reverted, and days that pass: after each, the tables are those of a new build."""
    modes = set()
    for seed in seeds:
        rng, shop = random.Random(seed), Shop(folder / f"parts_{seed}")
        rows, mails = bought(rng, 240), seen(rng, 60)
        shop.bring(rows[:60])
        shop.refresh()
        for step in range(4):
            if step == 2:
                shop.workbook = Workbook.open(shop.workbook.file, as_of=f"2025-03-{rng.randrange(1, 28):02}")
            batch = shop.bring(rng.sample(rows, 20)) if step != 1 else 0
            if rng.random() < 0.5:
                shop.bring(rng.sample(mails, 15), "email_events")
            modes |= set(shop.refresh().items())
            if step == 3 and batch:
                ingest.revert(shop.workbook, batch)
                shop.refresh()
        found = shop.tables()
        with shop.workbook.engine.write() as session:
            session.run("DELETE FROM lake.checkpoint")
        shop.refresh()
        for name, frame in shop.tables().items():
            pd.testing.assert_frame_equal(found[name], frame, obj=f"{name}, seed {seed}", check_exact=True)
    assert ("derived.purchases_by_day", "rows") in modes


def test_only_what_changed_is_ranked_again(outputs: Path, tmp_path: Path) -> None:
    """Mails alone touch the ranking by mails; a day that passes touches look-backs in days."""
    shop, rng = Shop(tmp_path, as_of="2025-02-10"), random.Random(7)
    shop.bring(bought(rng, 300))
    shop.bring(seen(rng, 40), "email_events")
    shop.refresh()
    shop.bring([("m999", "m999", "spring", "c1", "clicked", dt.datetime(2025, 2, 1))], "email_events")
    modes = shop.refresh()
    assert modes["derived.purchases_by_day"] == modes["derived.rank_window"] == "unchanged"
    assert modes["derived.customer_rank"] == modes["derived.rank_edge"] == "rows"
    shop.workbook = Workbook.open(shop.workbook.file, as_of="2025-02-11")
    assert shop.refresh()["derived.customer_rank"] == "rows"
    as_pandas_has_it(shop)


def test_without_deciles_there_are_no_such_tables(outputs: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path, deciles=[])
    shop.bring(bought(random.Random(1), 30))
    assert not [name for name in shop.refresh() if "rank_" in name or name.endswith("_by_day")]


def test_rankings_that_are_asked_for_no_more_are_dropped(outputs: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bring(bought(random.Random(1), 30))
    shop.refresh()
    shop.workbook = Workbook.open(shop.workbook.file, overrides={"deciles": []})
    shop.refresh()
    with shop.workbook.engine.read() as session:
        assert not [name for name in session.tables() if "rank_" in name or name.endswith(("_rank", "_by_day"))]
        assert "derived.customer_decile" in session.tables()


REFUSED = [
    ({"lookbacks": ["0 months"]},
     "deciles[0].lookbacks[0] is '0 months'; allowed: 1 to 120 months, 1 to 3,650 days, or lifetime"),
    ({"lookbacks": ["3 weeks"]}, "deciles[0].lookbacks[0] is '3 weeks'; allowed: 1 to 120 months"),
    ({"lookbacks": []}, "deciles[0].lookbacks is []"),
    ({"lookbacks": ["90 days", "90 day"]}, "each once; 90 days comes twice"),
    ({"ntile": 1}, "deciles[0].ntile is 1; allowed: greater than or equal to 2"),
    ({"ntile": 1001}, "deciles[0].ntile is 1001; allowed: less than or equal to 1000"),
    ({"name": "Miles"}, "deciles[0].name is 'Miles'; allowed: small letters, digits and _"),
    ({"name": "decile"}, "deciles[0].name is 'decile'; allowed: another name"),
    ({"by": ["teir"]}, "deciles[0].by is 'teir'; did you mean tier?"),
    ({"by": "weight"}, "deciles[0].by is 'weight'; allowed: "),
    ({"by": "customer_id"}, "deciles[0].by is 'customer_id'; allowed: "),
    ({"of": {}}, "deciles[0].of.kind is missing; allowed: exactly one of count, sum"),
    ({"of": {"last": "purchases.tier"}}, "deciles[0].of is 'last'; allowed: count, sum, average, min, max, distinct"),
    ({"of": {"count": "purchases", "in_last": "9 days"}}, "allowed: lookbacks, which say when"),
    ({"of": {"max": "purchases.occurred_at"}}, "deciles[0].of.max is 'purchases.occurred_at'; allowed: purchases."),
    ({"of": {"sum": "purchases.amount", "max": "purchases.amount"}},
     "deciles[0].of.kind is sum and max; allowed: exactly one of"),
    ({"of": {"sum": "purchase.amount"}}, "deciles[0].of.sum is 'purchase.amount'; allowed: purchases"),
    ({"of": {"sum": "purchases.amuont"}}, "deciles[0].of.sum is 'purchases.amuont'; allowed: purchases.amount"),
    ({"of": {"sum": "purchases.tier"}}, "deciles[0].of.sum is 'purchases.tier', of type text; allowed: purchases."),
    ({"of": {"count": "purchases.amount"}}, "deciles[0].of.count is 'purchases.amount'; allowed: a dataset alone"),
    ({"of": {"count": "purchases", "where": [{"field": "teir", "op": "exists"}]}},
     "deciles[0].of.where.all[0].field is 'teir', not in purchases; allowed: "),
    ({"of": {"count": "purchases", "where": [{"field": "occurred_at", "when": {"is": "today"}}]}},
     "deciles[0].of.where is a test that moves with now; allowed: a day in it"),
    ({"order": "best"}, "deciles[0].order is 'best'; allowed: 'descending' or 'ascending'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_cannot_be_is_said_in_a_sentence(change: dict[str, Any], said: str) -> None:
    spec = {"name": "spent", "of": {"sum": "purchases.amount"}, "lookbacks": ["lifetime"], **change}
    raw = {"title": "t", "sources": SOURCES, "deciles": [spec]}
    with pytest.raises(ParamsError) as refused:
        validate(Params, raw, "shop.yml")
    assert str(refused.value).startswith("shop.yml: ")
    assert said in str(refused.value)
    assert len(refused.value.problems) == 1


def test_two_of_one_name_are_refused() -> None:
    spec = {"name": "spent", "of": {"sum": "purchases.amount"}, "lookbacks": ["lifetime"]}
    with pytest.raises(ParamsError, match=r"deciles\[1\].name is 'spent'; allowed: one ranking of that name"):
        validate(Params, {"title": "t", "sources": SOURCES, "deciles": [spec, spec]}, "shop.yml")


@pytest.mark.slow
def test_spark_ranks_the_same(java: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from on_spark import LOCAL
    from parity import same_rows

    shops = []
    for engine in ("duckdb", LOCAL):
        rng, folder = random.Random(9), tmp_path / engine.partition(":")[0]
        monkeypatch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        shop = Shop(folder / "shop", engine=engine, spark_above=100)
        rows = bought(rng, 240)
        shop.bring(rows[:150])
        shop.bring(seen(rng, 40), "email_events")
        shop.refresh()
        shop.bring(rows[140:])
        shop.refresh()  # by parts
        shops.append(shop.workbook)
    keys = {
        "derived.rank_window": ("name", "lookback"),
        "derived.customer_rank": (*KEY,),
        "derived.rank_edge": ("name", "category", "lookback", "place"),
        "derived.rfm_history": ("customer_id", "months_ago"),
        "derived.rfm_segment": ("customer_id",),
        "derived.value_by_rfm_segment": ("rfm_segment",),
        "profile.rank_attribute": ("customer_id",),
    }
    with shops[0].engine.read() as duckdb, shops[1].engine.read() as spark:
        for name, key in keys.items():
            assert same_rows(name, key, spark, duckdb) > 0
        maps = [session.rows("SELECT * FROM derived.rank_map ORDER BY customer_id") for session in (duckdb, spark)]
    assert len(maps[0]) == len(maps[1])
    for ours, theirs in zip(*maps, strict=True):
        assert plain(ours) == plain(theirs)


def plain(value: Any) -> Any:
    """Rows, structs and maps of either engine as dictionaries."""
    value = value.asDict(recursive=True) if hasattr(value, "asDict") else value
    return {key: plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value
