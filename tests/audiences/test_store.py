"""Files: what is written is what was read, nothing is written half or over another's change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_helpers.audiences import audience_files
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.sentence import to_sentence
from clv_helpers.config.settings import Words
from clv_helpers.config.validation import ParamsError, parse_value, validate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.config.yaml_files import SpecChanged, fingerprint
from conftest import write_shop
from strategies import RULES, ZONES


@settings(max_examples=150)
@given(RULES, st.sampled_from(ZONES), st.sampled_from(["x", "it's: [a]", "ä — “b”", "1"]))
def test_yaml_to_tree_to_yaml(rule: dict, zone: str, title: str) -> None:
    audience = validate(Audience, {"title": title, "time_zone": zone, "rule": rule}, "x.yml")
    text = audience_files.to_yaml(audience)
    again = validate(Audience, parse_value(text), "x.yml")
    assert again == audience
    assert again.hash == audience.hash
    assert audience_files.to_yaml(again) == text
    sentence = to_sentence(audience)
    assert sentence.startswith("Customers ")
    assert sentence.endswith(".")


def test_a_column_that_holds_a_day_reads_as_one() -> None:
    rule = {"field": "last_purchase_on", "when": {"rolling": ["12 months ago", "6 months ago"]}}
    audience = validate(Audience, {"title": "x", "rule": rule}, "x.yml")
    assert "last purchase day is between 12 months ago and 6 months ago" in to_sentence(audience)


def test_a_sentence_is_in_the_words_of_the_business() -> None:
    rule = {
        "all": [
            {"field": "category", "op": "equals", "value": "GOLD"},
            {"field": "value", "op": "at least", "value": 5},
            {"field": "days_since_purchase", "op": "at most", "value": 9},
            {"map": "decile", "category": "GOLD", "lookback_months": 1, "op": "at most", "value": 3},
            {"map": "decile", "lookback_months": 0, "op": "at most", "value": 3},
            {"event": "purchases", "op": "at least", "value": 2},
            {"sequence": [{"event": "purchases"}, {"event": "purchases", "absent": True}]},
        ]
    }
    audience = validate(Audience, {"title": "x", "rule": rule}, "x.yml")
    airline = Words(customer="member", purchase="flight", value="miles", category="status")
    assert to_sentence(audience, airline) == (
        "Members whose status is “GOLD” and whose miles is at least 5 and whose days since flight is at most 9 "
        "and whose decile among members of status GOLD over 1 month is at most 3 "
        "and whose decile among all members over their lifetime is at most 3 "
        "and with at least 2 flights and with a flight, then no flight."
    )
    assert to_sentence(audience).startswith("Customers whose category is “GOLD” and whose value is at least 5")


@pytest.mark.parametrize("file", sorted((ROOT / "params").glob("*/audiences/*.yml")), ids=lambda f: f.stem)
def test_shipped_audiences_survive_the_builder(file: Path) -> None:
    audience = validate(Audience, parse_value(file.read_text("utf-8")), file.name)
    assert validate(Audience, parse_value(audience_files.to_yaml(audience)), file.name) == audience


@pytest.fixture
def shop(tmp_path: Path, outputs: Path) -> Workbook:
    return Workbook.open(write_shop(tmp_path / "p"))


def named(title: str) -> Audience:
    return validate(Audience, {"title": title, "rule": {"field": "frequency", "op": "exists"}}, "x")


def test_saving_over_anothers_change_is_refused(shop: Workbook) -> None:
    first = audience_files.save(shop, "a", named("one"), "")
    audience_files.file_of(shop, "a").write_text("title: by hand\nrule: {field: value, op: exists}\n", encoding="utf-8")
    with pytest.raises(SpecChanged, match="audiences/a.yml was changed by another; load it, or save under"):
        audience_files.save(shop, "a", named("two"), first)
    with pytest.raises(SpecChanged, match="audiences/a.yml exists already"):
        audience_files.save(shop, "a", named("two"), "")
    assert audience_files.load(shop, "a").title == "by hand"
    audience_files.save(shop, "a", named("two"), fingerprint(audience_files.file_of(shop, "a")))
    assert audience_files.load(shop, "a").title == "two"


def test_a_failed_write_leaves_the_file(shop: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    read_as = audience_files.save(shop, "a", named("one"), "")
    before = audience_files.names(shop)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        audience_files.save(shop, "a", named("two"), read_as)
    monkeypatch.undo()
    assert audience_files.load(shop, "a").title == "one"
    assert audience_files.names(shop) == before


@pytest.mark.parametrize("written", [0, 2, 3])
@pytest.mark.parametrize("name", ["a", "best_customers"])
def test_a_failed_first_write_leaves_the_built_in_ones_where_they_are(
    shop: Workbook, monkeypatch: pytest.MonkeyPatch, name: str, written: int
) -> None:
    """The first audience takes copies of them with it, or there is no file at all."""
    built_in, original, targets = audience_files.names(shop), Path.replace, list[Path]()

    def replace(self: Path, target: Path) -> Path:
        if len(targets) == written:
            raise OSError("disk full")
        targets.append(target)
        return original(self, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(Path, "replace", replace)
        audience_files.save(shop, name, named("one"), "")
    assert len(targets) == written
    assert not list(audience_files.file_of(shop, name).parent.glob("*.yml"))
    audience_files.save(shop, name, named("one"), "")
    assert audience_files.names(shop) == sorted({*built_in, name})
    assert audience_files.load(shop, name).title == "one"


@pytest.mark.parametrize("name", ["../a", "a/b", "", "A", "a b", "x" * 80, f"a{os.sep}"])
def test_a_name_is_not_a_path(shop: Workbook, name: str) -> None:
    with pytest.raises(ParamsError, match="allowed: small letters, digits, _ and -"):
        audience_files.save(shop, name, named("one"), "")


def test_converted_to_rules() -> None:
    found = {"a": named("a"), "b": validate(Audience, {"title": "b", "rule": {"not": {"audience": "a"}}}, "b")}
    copied = audience_files.as_rules(
        validate(Audience, {"title": "c", "rule": {"any": [{"audience": "b"}]}}, "c").rule, found
    )
    said = copied.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert said == {"any": [{"not": {"field": "frequency", "op": "exists"}}]}


def test_two_versions_compared() -> None:
    lines = audience_files.diff(named("one"), named("two")).splitlines()
    assert "-title: one" in lines
    assert "+title: two" in lines
    assert audience_files.diff(named("one"), named("one")) == ""
