"""Editing without a mouse: each move of the builder gives the tree one expects, and can be undone."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_helpers.audiences.draft import Draft, problem_of, to_condition, to_when
from clv_helpers.audiences.rule import Audience
from clv_helpers.conditions import Attribute
from clv_helpers.config.validation import validate

A, B, C = ({"field": name, "op": "exists"} for name in "abc")
MOVES = ["remove", "exclude", "switch", "wrap", "unwrap", "move_out", "move_in", "up", "down", "add"]


def draft(rule: dict, *selected: int) -> Draft:
    made = Draft(validate(Audience, {"title": "x", "rule": rule}, "x"))
    made.selected = selected
    return made


@pytest.mark.parametrize(
    ("rule", "selected", "move", "gives"),
    [
        ({"all": [A, B]}, (0,), ("move", 1), {"all": [B, A]}),
        ({"all": [A, {"any": [B, C]}]}, (1, 0), ("move", -1), {"all": [A, B, {"any": [C]}]}),
        ({"all": [A, {"any": [B, C]}]}, (1, 1), ("move", 1), {"all": [A, {"any": [B]}, C]}),
        ({"all": [{"any": [A]}, B]}, (0, 0), ("move_out",), {"all": [A, B]}),
        ({"all": [{"not": {"any": [A, C]}}, B]}, (1,), ("move_in",), {"all": [{"not": {"any": [A, C, B]}}]}),
        ({"all": [A, B]}, (1,), ("wrap",), {"all": [A, {"all": [B]}]}),
        ({"all": [A, {"any": [B, C]}]}, (1,), ("unwrap",), {"all": [A, B, C]}),
        ({"all": [A, B]}, (1,), ("exclude",), {"all": [A, {"not": B}]}),
        ({"all": [A, {"not": B}]}, (1,), ("exclude",), {"all": [A, B]}),
        ({"all": [A, B]}, (), ("switch",), {"any": [A, B]}),
        ({"all": [A, {"any": [B]}]}, (1, 0), ("remove",), {"all": [A]}),
        ({"all": [A]}, (0,), ("add", B), {"all": [A, B]}),
        ({"all": [{"not": {"any": [A]}}]}, (0,), ("add", B), {"all": [{"not": {"any": [A, B]}}]}),
        ({"all": [A, {"not": B}]}, (1,), ("replace", C), {"all": [A, {"not": C}]}),
    ],
)  # fmt: skip
def test_moves(rule: dict, selected: tuple, move: tuple, gives: dict) -> None:
    made = draft(copy.deepcopy(rule), *selected)
    before = copy.deepcopy(made.raw)
    name, *arguments = move
    getattr(made, name)(*copy.deepcopy(arguments))
    assert made.raw["rule"] == gives
    assert made.selected in {row.path for row in made.rows()}
    made.undo()
    assert made.raw == before
    made.redo()
    assert made.raw["rule"] == gives


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 9)), max_size=12))
def test_no_sequence_of_moves_breaks_the_tree(moves: list) -> None:
    made = draft({"all": [A, {"not": {"any": [B, C]}}]})
    for move, place in moves:
        rows = made.rows()
        made.selected = rows[place % len(rows)].path
        name, *arguments = {"up": ("move", -1), "down": ("move", 1), "add": ("add", dict(A))}.get(move, (move,))
        getattr(made, name)(*arguments)
        assert made.selected in {row.path for row in made.rows()}
        assert problem_of(made) == "" or len(made.rows()) == 1


@pytest.mark.parametrize(
    ("kind", "op", "text", "value"),
    [
        ("integer", "at most", " 3 ", 3),
        ("number", "between", "1.5 and 3", [1.5, 3]),
        ("integer", "at most", "three", "three"),
        ("boolean", "equals", "true", True),
        ("text", "in", "GOLD,SILVER\nFLYER", ["GOLD", "SILVER", "FLYER"]),
        ("text", "equals", "it's; DROP", "it's; DROP"),
    ],
)
def test_what_is_typed(kind: str, op: str, text: str, value: object) -> None:
    assert to_condition(Attribute("f", kind, ""), op, text, None) == {"field": "f", "op": op, "value": value}


@pytest.mark.parametrize(
    ("choice", "text", "gives"),
    [
        ("any time", "x", None),
        ("today", "", {"is": "today"}),
        ("in the last", "90 days", {"in_last": "90 days"}),
        ("from … to", "2026-01-01 to 2026-02-01", {"from": "2026-01-01", "to": "2026-02-01"}),
        ("within … of", "3 days of today", {"within": "3 days", "of": "today"}),
        ("between", "90 days ago and 30 days ago", {"rolling": ["90 days ago", "30 days ago"]}),
    ],
)
def test_times(choice: str, text: str, gives: dict | None) -> None:
    assert to_when(choice, text) == gives


def test_an_empty_draft_says_what_to_do() -> None:
    assert problem_of(Draft()) == "The rule is empty: choose a building block and add it."
