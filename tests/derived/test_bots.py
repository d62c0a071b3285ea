"""Bots are told from people by a tree that is judged on visitors it has not seen, and by chance nobody is one."""

from __future__ import annotations

import datetime as dt
import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clv_helpers import audiences, derived, ingest, run, simulate
from clv_helpers.config.params import Params
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.derived import bot_scoring
from clv_helpers.derived.bot_scoring import FEATURES, BotsError, Rule
from clv_helpers.derived.bot_views import rule_text
from clv_helpers.models import RefreshRow
from clv_helpers.run import notebooks

SMALL = {"simulate.members": 1200, "simulate.bots": 240}
COLUMNS = {"customer_id": "v", "occurred_at": "t", "event_id": "e", "is_bot": {"from": "is_bot", "type": "boolean"}}
START = dt.datetime(2024, 3, 1)
SEEN = {  # as docs/bot_filtering.md shows them
    "pages_seen": {"count": "web"},
    "pages_seen_by_people": "CASE WHEN is_bot THEN NULL ELSE pages_seen END",
    "not_of_reviewed_bots": {
        "count": "web",
        "where": {"field": "reviewed.is_bot", "op": "not equals", "value": True, "or_missing": True},
    },
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    """The web shop of params/bots.yml, small, up to its profile and audiences; tests only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path_factory.mktemp("bots")))
        workbook = Workbook.open(ROOT / "params" / "bots.yml", overrides={**SMALL, "attributes": SEEN})
        simulate.make_sources(workbook)
        ingest.ingest_files(workbook)
        run.build_profile(workbook)
        audiences.evaluate(workbook)
        yield workbook


class Visits:
    """A workbook of visits that bear their label, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.batches = folder, 0
        (folder / "orders.csv").write_text("customer_id,occurred_at,amount\nv1,2024-03-02,5\n")
        self.workbook = Workbook(folder / "visits.yml", self.params())

    def params(self, **more: object) -> Params:
        sources = {
            "purchases": {"path": str(self.folder / "orders.csv")},
            "web": {"is": "events", "path": str(self.folder / "web*.csv"), "columns": COLUMNS},
        }
        bots = {"events": "web", "label": "is_bot"}
        raw = {"title": "Visits", "as_of": "2024-06-01", "sources": sources, "bots": bots, **more}
        return validate(Params, raw, "visits.yml")

    def add(self, rows: list[tuple[str, dt.datetime, str]]) -> None:
        self.batches += 1
        frame = pd.DataFrame(rows, columns=["v", "t", "is_bot"])
        frame["e"] = [f"{self.batches}-{n}" for n in range(len(frame))]
        frame.to_csv(self.folder / f"web{self.batches}.csv", index=False)

    def refresh(self) -> list[RefreshRow]:
        ingest.ingest_files(self.workbook)
        return run.build_profile(self.workbook)


@pytest.fixture
def visits(outputs: Path, tmp_path: Path) -> Visits:
    return Visits(tmp_path / "visits")


def random_rows(rng: np.random.Generator, visitors: int, label: str = "") -> list[tuple[str, dt.datetime, str]]:
    rows = []
    for visitor in range(visitors):
        moment = START + dt.timedelta(seconds=int(rng.integers(0, 86_400)))
        for _ in range(int(rng.integers(1, 40))):
            rows.append((f"v{visitor}", moment, label))
            moment += dt.timedelta(seconds=int(rng.choice([0, 1, 20, 59, 60, 61, 300, 1799, 1800, 5000])))
    return rows


def features_by_hand(rows: list[tuple[str, dt.datetime, str]]) -> dict[str, tuple[float, ...]]:
    """The same in plain Python: each window counted anew."""
    by_visitor: dict[str, list[dt.datetime]] = {}
    for visitor, moment, _ in rows:
        by_visitor.setdefault(visitor, []).append(moment)
    found = {}
    for visitor, moments in by_visitor.items():
        moments.sort()
        most = [
            max(sum(0 <= (end - one).total_seconds() < seconds for one in moments) for end in moments)
            for seconds in (60, 300, 1800)
        ]
        gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(moments)]
        gaps = [gap for gap in gaps if gap < 1800]
        variation = float(np.std(gaps) / np.mean(gaps)) if len(gaps) >= 3 and sum(gaps) else 1.0
        night = sum(moment.hour < 6 for moment in moments) / len(moments)
        found[visitor] = (*most, variation, night)
    return found


def features(workbook: Workbook) -> pd.DataFrame:
    return workbook.query("derived.bot_feature").set_index("customer_id").sort_index()


def test_features_are_those_counted_by_hand(visits: Visits) -> None:
    rows = random_rows(np.random.default_rng(1), 60)
    visits.add(rows)
    visits.refresh()
    by_hand = pd.DataFrame.from_dict(features_by_hand(rows), orient="index", columns=[*FEATURES]).sort_index()
    made = features(visits.workbook)[[*FEATURES]]
    assert made.index.equals(by_hand.index)
    np.testing.assert_allclose(made.to_numpy(float), by_hand.to_numpy(float), atol=0.0051)


def test_features_follow_batch_by_batch(visits: Visits, tmp_path: Path) -> None:
    rows = random_rows(np.random.default_rng(2), 80)
    rows.sort(key=lambda row: row[1])
    for part in (rows[:-21], rows[-21:-1], rows[-1:]):
        visits.add(part)
        modes = {row.table: row.mode for row in visits.refresh()}
    assert modes["derived.bot_feature"] == "rows"
    whole = Visits(tmp_path / "whole")
    whole.workbook = Workbook(whole.folder / "whole.yml", whole.params())
    whole.add(rows)
    whole.refresh()
    pd.testing.assert_frame_equal(features(visits.workbook), features(whole.workbook))


def test_planted_bots_are_found_and_few_people_are_taken_for_one(shop: Workbook) -> None:
    made = bot_scoring.record(shop)
    assert made.status == "scored" and made.p_value < 1e-20
    truth = pd.read_parquet(shop.folder / "source" / "truth_visitors.parquet").set_index("visitor")["is_bot"]
    scored = shop.query("derived.bot").set_index("customer_id")["is_bot"]
    right = (scored & truth.reindex(scored.index)).sum()
    assert right / scored.sum() > 0.85 and right / truth.sum() > 0.8
    # what was counted on those held out is what holds for all
    assert made.precision.low < right / scored.sum() < made.precision.high
    assert made.recall.low < right / truth.sum() < made.recall.high


def test_what_is_read_is_what_is_done(shop: Workbook) -> None:
    made, rows = bot_scoring.record(shop), features(shop)
    called = pd.Series(False, index=rows.index)
    for rule in made.rules:
        meets = pd.Series(True, index=rows.index)
        for name, way, edge in rule.conditions:
            meets &= rows[name] <= edge if way == "at most" else rows[name] > edge
        if rule.is_of_bots:
            called |= meets
            assert rule_text(rule) in " ".join(part.bundle["text/html"] for part in derived.bots(shop).parts)
        assert rule.visitors >= shop.params.min_cell
    scored = shop.query("derived.bot").set_index("customer_id")["is_bot"].sort_index()
    assert scored.tolist() == called.tolist()


def test_who_is_taken_for_a_bot_is_in_no_other_audience(shop: Workbook) -> None:
    members = shop.query("audiences.membership")
    by_audience = {name: set(part["customer_id"]) for name, part in members.groupby("audience")}
    profile = shop.query("profile.customer").set_index("customer_id")["is_bot"]
    assert by_audience["bots"] == set(profile.index[profile.fillna(False).astype(bool)])
    assert by_audience["much_seen"] and not by_audience["much_seen"] & by_audience["bots"]


def test_an_attribute_leaves_bots_out_by_arithmetic(shop: Workbook) -> None:
    frame = shop.query("profile.customer").set_index("customer_id")
    is_bot = frame["is_bot"].fillna(False).astype(bool)
    assert frame.loc[is_bot, "pages_seen_by_people"].isna().all() and is_bot.any()
    people = frame[~is_bot]
    assert (people["pages_seen_by_people"] == people["pages_seen"]).all() and people["pages_seen"].max() > 0
    reviewed = pd.read_parquet(shop.folder / "source" / "reviewed.parquet").set_index("visitor")["is_bot"]
    named = frame.index.isin(reviewed.index[reviewed.fillna(False).astype(bool)])
    assert (frame["not_of_reviewed_bots"] == frame["pages_seen"].where(~named, 0)).all() and named.any()


def test_nothing_is_learnt_anew_where_nothing_changed(shop: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bot_scoring.record(shop)
    monkeypatch.setattr(bot_scoring, "_learn", lambda *_: pytest.fail("it learns again"))
    with shop.engine.write() as session:
        assert bot_scoring.refresh_within(session, shop) == before


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_labels_at_random_name_nobody(visits: Visits, share: float) -> None:
    """One in a thousand may pass: of forty, two would be a fault. (Of 1,000 at each of these shares 0, 1 and 0 did.)"""
    statuses = []
    with visits.workbook.engine.write() as session:
        for seed in range(40):
            rng = np.random.default_rng([seed, int(100 * share)])
            known = pd.DataFrame({name: rng.integers(1, 60, 900) for name in FEATURES[:3]})
            known["gap_variation"], known["night_share"] = rng.random((2, 900)).round(2)
            known["customer_id"] = [f"v{n}" for n in range(900)]
            known["is_bot"] = (rng.random(900) < share).astype(int)
            known["is_held_out"] = rng.random(900) < 0.5
            statuses.append(bot_scoring._learn(session, known, min_cell=11).status)
    assert statuses.count("chance") >= 39 and "refused" not in statuses


def test_a_workbook_of_random_labels_says_so_and_takes_nobody_for_a_bot(visits: Visits) -> None:
    rng = np.random.default_rng(3)
    rows = random_rows(rng, 300)
    label = {f"v{n}": str(rng.random() < 0.4).lower() for n in range(300)}
    visits.add([(visitor, moment, label[visitor]) for visitor, moment, _ in rows])
    visits.refresh()
    assert bot_scoring.record(visits.workbook).status == "chance"
    assert visits.workbook.query("derived.bot").empty
    assert "no better than chance" in derived.bots(visits.workbook).bundle["text/plain"]


def test_few_known_bots_are_too_few(visits: Visits) -> None:
    visits.add(random_rows(np.random.default_rng(4), 30, "true"))
    visits.refresh()
    assert bot_scoring.record(visits.workbook).status == "refused"
    assert "at least 20" in derived.bots(visits.workbook).bundle["text/plain"]


def test_without_the_key_nobody_is_scored_any_more(visits: Visits) -> None:
    visits.add(random_rows(np.random.default_rng(5), 30, "true"))
    visits.refresh()
    without = Workbook(visits.workbook.file, visits.params(bots=None))
    run.build_profile(without)
    assert bot_scoring.record(without).status == "off"
    assert derived.bots(without).parts == ()
    assert "is_bot" not in without.query("profile.customer")


def test_a_library_that_is_not_there_is_named(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    visits.add([("v1", START, "")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert any("clv-helpers[bots]" in str(problem) for problem in notebooks.check(visits.workbook))
    known = pd.DataFrame({**dict.fromkeys(FEATURES, [1.0] * 100), "is_bot": [0, 1] * 50})
    with pytest.raises(BotsError, match=r"pip install 'clv-helpers\[bots\]'"):
        bot_scoring._rules(known, 5)


@pytest.mark.parametrize(
    ("bots", "sentence"),
    [
        ({"events": "shop", "label": "is_bot"}, "bots.events is 'shop'; allowed: purchases, web"),
        ({"events": "web", "label": "is_robot"}, "bots.label is 'is_robot'; allowed: is_bot"),
        ({"events": "purchases", "label": "is_bot"}, "bots.label is 'is_bot'; allowed: a column of type boolean"),
        ({"events": "web"}, "label"),
    ],
)
def test_a_wrong_key_is_named_at_the_door(visits: Visits, bots: dict[str, str], sentence: str) -> None:
    with pytest.raises(ParamsError) as error:
        visits.params(bots=bots)
    assert sentence in str(error.value)


def test_a_rule_reads_as_a_sentence() -> None:
    rule = Rule([("most_in_1_minute", "above", 20.0), ("gap_variation", "at most", 0.3)], 30, 29)
    assert rule_text(rule) == "more than 20 events in a minute, and gaps that vary by at most 30% of their mean"
