"""The insights model against pandas: profiles, audiences, overlaps, migration, key figures; and its picture."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_activate_command import clv
from test_derived import deciles_in_pandas, events

from clv_helpers import activation, insights, models
from clv_helpers.charts.rounding import people_text
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.insights.drawing import draw
from clv_helpers.insights.star_model import read_model

KEY_FIGURES = {
    "profile_count", "single_identity_profiles", "profiles_by_identity", "single_identity_profiles_by_identity",
    "audience_size", "audience_size_change_trend", "most_used_destinations", "recently_activated_audiences",
    "profiles_by_identity_for_an_audience", "identity_overlap", "identity_overlap_by_audience",
}  # fmt: skip


def customers_of(workbook: Workbook) -> dict[str, set[str]]:
    rows = workbook.query("audiences.membership")
    return {name: set(part["customer_id"]) for name, part in rows.groupby("audience")}


def identities_of(workbook: Workbook) -> dict[str, set[str]]:
    """Namespace → the customers known in it, from the customers data and the events themselves."""
    with workbook.engine.write() as session:
        addressed = session.frame("SELECT customer_id FROM lake.customers WHERE email <> ''")
        known = session.frame(
            "SELECT customer_id FROM lake.customers UNION SELECT customer_id FROM lake.purchases "
            "UNION SELECT customer_id FROM lake.email_events"
        )
    return {"LoyaltyNumber": set(known["customer_id"]), "Email": set(addressed["customer_id"])}


def test_profiles_by_namespace_and_audience(airline: Workbook) -> None:
    namespaces, audiences = identities_of(airline), customers_of(airline)
    single = namespaces["LoyaltyNumber"] - namespaces["Email"]
    by_namespace = airline.query("insights.fact_profile_by_namespace").set_index("namespace")
    assert by_namespace["profiles"].to_dict() == {name: len(found) for name, found in namespaces.items()}
    assert by_namespace["single_identity_profiles"].to_dict() == {"LoyaltyNumber": len(single), "Email": 0}
    profile = airline.query("insights.fact_profile")
    assert profile["profiles"].sum() == len(namespaces["LoyaltyNumber"])
    assert profile["single_identity_profiles"].sum() == len(single)
    sizes = airline.query("insights.fact_profile_by_audience").set_index("audience")
    assert {name: count for name, count in sizes["profiles"].items() if count} == {
        n: len(m) for n, m in audiences.items()
    }
    counted = airline.query("insights.fact_profile_by_audience_and_namespace")
    both = counted.set_index(["audience", "namespace"])["profiles"]
    expected = {(a, n): len(m & known) for a, m in audiences.items() for n, known in namespaces.items() if m & known}
    assert both.to_dict() == expected


def test_overlaps(airline: Workbook) -> None:
    audiences, namespaces = customers_of(airline), identities_of(airline)
    found = airline.query("insights.fact_overlap_of_audiences").set_index(["audience_a", "audience_b"])["profiles"]
    pairs = {(a, b): len(audiences[a] & audiences[b]) for a, b in combinations(sorted(audiences), 2)}
    assert found.to_dict() == {pair: count for pair, count in pairs.items() if count}
    assert len(found) >= 3
    (row,) = airline.query("kpi.identity_overlap").to_dict("records")
    assert row == {"namespace_a": "Email", "namespace_b": "LoyaltyNumber", "profiles": len(namespaces["Email"])}


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_decile_migration(name: str, request: pytest.FixtureRequest) -> None:
    workbook = request.getfixturevalue(name)
    raw, as_of = events(workbook)
    raw = raw.assign(value=(raw["value"] * 100).round().astype(int))  # so that equal sums are equal
    then = as_of.replace(day=1) - pd.DateOffset(months=workbook.params.migration_months)
    keys = ["customer_id", "lookback_months"]
    before, now = (
        ranked[ranked["category"] == "ALL"].set_index(keys)["decile"]
        for ranked in (deciles_in_pandas(raw, then), deciles_in_pandas(raw, as_of))
    )
    moved = pd.DataFrame({"decile_before": before, "decile_now": now}).fillna(0).astype(int).reset_index()
    by = ["lookback_months", "decile_before", "decile_now"]
    expected = moved.groupby(by).size()
    found = workbook.query("insights.fact_decile_migration").set_index(by)["customers"].sort_index()
    pd.testing.assert_series_equal(found, expected, check_names=False, check_dtype=False, check_index_type=False)
    assert len(found) > 100
    told = insights.migration(workbook).bundle["text/plain"]
    assert told.startswith(f"Since {then:%B %Y}, ")
    both = moved[(moved["decile_before"] > 0) & (moved["decile_now"] > 0)].groupby("lookback_months")
    shares = workbook.query("insights.fact_decile_movement").groupby("lookback_months").first()
    for share, way in (("share_up", -1), ("share_same", 0), ("share_down", 1)):
        part = both.apply(lambda each, way=way: (np.sign(each["decile_now"] - each["decile_before"]) == way).mean())
        pd.testing.assert_series_equal(shares[share], part, check_names=False, check_index_type=False)
    year = moved[(moved["lookback_months"] == 12) & (moved["decile_before"] > 0) & (moved["decile_now"] > 0)]
    rose = int((year["decile_now"] < year["decile_before"]).sum())  # the sentence counts whom the tiles count
    assert f", {people_text(rose, 11)} {workbook.words.customers} rose" in told


def test_the_platforms_key_figures_run_under_their_names(airline: Workbook) -> None:
    with airline.engine.read() as session:
        assert {name for name in session.tables() if name.startswith("kpi.")} >= {f"kpi.{name}" for name in KEY_FIGURES}
    profiles = len(identities_of(airline)["LoyaltyNumber"])
    assert airline.query("kpi.profile_count")["profiles"].item() == profiles
    sizes = airline.query("kpi.audience_size").set_index("audience")
    assert sizes.loc["best_now_quiet", "title"] == "Best members, now quiet"
    assert airline.query("kpi.most_used_destinations").to_dict("records") == [
        {"destination": "email_team", "audiences": 1}
    ]
    assert airline.query("kpi.recently_activated_audiences").empty  # only decided so far


def test_what_was_activated_is_in_the_model_at_once(workbook: Workbook) -> None:
    activation.activate_planned(workbook)
    (row,) = workbook.query("insights.bridge_audience_destination").to_dict("records")
    assert (row["audience"], row["destination"], row["campaign"]) == ("best_now_quiet", "email_team", "win-back")
    assert row["activations"] == 1
    assert row["customers"] > 0
    (recent,) = workbook.query("kpi.recently_activated_audiences").to_dict("records")
    assert recent["activated_at"] == row["activated_at"]


def test_audience_sizes_are_kept_by_day_and_give_a_trend(workbook: Workbook) -> None:
    with workbook.engine.write(
        publish=True
    ) as session:  # as if the audiences had been a customer larger two days before
        session.run(
            "INSERT INTO insights.fact_profile_by_audience_daily SELECT as_of - 2, audience, profiles + 1, "
            "single_identity_profiles FROM insights.fact_profile_by_audience_daily"
        )
    trend = workbook.query("kpi.audience_size_change_trend")
    sizes = workbook.query("insights.fact_profile_by_audience")
    assert set(trend["change"]) == {-1}
    assert set(trend["audience"]) == set(sizes["audience"])


def test_every_relation_and_check_is_tried_and_holds(airline: Workbook) -> None:
    body = insights.checks(airline).bundle["text/html"]
    rows = re.findall(
        r"<td>(Keys|Relations|Invariants)</td>\s*<td[^>]*>.*?</td>\s*<td[^>]*>(\d+)</td>\s*<td>none</td>", body
    )
    counts = {kind: int(count) for kind, count in rows}
    model = read_model(airline)
    assert counts == {
        "Keys": len(model.tables),
        "Relations": sum(len(each.relations) for each in model.tables),
        "Invariants": sum(len(each.checks) for each in model.tables),
    }
    assert counts["Relations"] >= 20
    assert counts["Invariants"] >= 9


def test_the_picture_shows_every_table_and_relation_and_nothing_overlaps(airline: Workbook) -> None:
    model = read_model(airline)
    picture = ET.fromstring(draw(model))
    space = "{http://www.w3.org/2000/svg}"
    texts = {text.text for text in picture.iter(f"{space}text")}
    assert {each.name.split(".")[1] for each in model.tables} <= texts
    titles = [title.text for path in picture.iter(f"{space}path") for title in path.iter(f"{space}title")]
    assert sorted(titles) == sorted(str(relation) for relation in model.relations)
    assert len(titles) >= 20
    assert {"your own", "kept by day"} <= texts
    boxes = []
    for group in picture.iter(f"{space}g"):
        x, y = map(float, re.findall(r"[\d.]+", group.get("transform")))
        boxes.append((x, y, y + float(group.find(f"{space}rect").get("height"))))
    assert len(boxes) == len(model.tables)
    for (x, top, bottom), (other_x, other_top, other_bottom) in combinations(boxes, 2):
        assert x != other_x or bottom <= other_top or other_bottom <= top


def test_command_lists_the_model_and_writes_its_picture(workbook: Workbook, tmp_path: Path) -> None:
    done = clv("model", str(ROOT / "params" / "airline.yml"), "--json", "--svg", str(tmp_path / "model.svg"))
    assert done.returncode == 0, done.stderr
    graph = json.loads(done.stdout)
    nodes = {node["table"]: node for node in graph["nodes"]}
    assert nodes["insights.dim_region"]["own"]
    assert not nodes["insights.dim_date"]["own"]
    assert nodes["insights.fact_profile"]["kept_by_day"]
    edge = {
        "table": "insights.dim_customer_band",
        "column": "region",
        "to_table": "insights.dim_region",
        "to_column": "region",
    }
    assert edge in graph["edges"]
    ET.parse(tmp_path / "model.svg")
    listed = clv("model", str(ROOT / "params" / "airline.yml")).stdout
    assert re.match(r"\d+ tables, \d+ of them your own\n", listed)
    assert "insights.dim_region (your own): a region of the airline" in listed
    assert "    region -> insights.dim_region.region" in listed


def test_model_of_a_small_shop_without_anything_but_purchases(cdnow: Workbook) -> None:
    names = {each.name for each in read_model(cdnow).tables}
    assert "insights.fact_profile" in names
    assert "insights.dim_region" not in names
    models.all_tables(cdnow)
    assert ET.fromstring(draw(read_model(cdnow))) is not None
