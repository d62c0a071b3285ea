"""Hints: what could be written shorter or costs more than it needs to is named with its place."""

from __future__ import annotations

from clv_helpers.audiences.checks import hints
from clv_helpers.audiences.rule import Audience
from clv_helpers.config.validation import validate


def audience(rule: dict) -> Audience:
    return validate(Audience, {"title": "x", "rule": rule}, "x.yml")


def test_hints() -> None:
    rule = {
        "all": [
            {"any": [{"field": "t", "op": "equals", "value": v} for v in "ab"]},
            {"field": "t", "op": "matches", "value": "^abc"},
            {"event": "purchases"},
            {"sequence": [{"event": "email_events"}, {"event": "purchases"}]},
        ]
    }
    sentences = "\n".join(hints(audience(rule)))
    for part in (
        "several `equals` on t are one `in`",
        "rule.all[1]: `starts with` does the same",
        "without `when` or `where`",
        "all events ever are compared",
    ):
        assert part in sentences
    assert "can be unwrapped" in "\n".join(hints(audience({"all": [rule]})))
