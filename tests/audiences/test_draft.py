"""Editing without a mouse: each move of the builder gives the tree one expects, and can be undone."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_helpers.audiences.condition_fields import TIMES, changed, lacking, new_condition, time_fields, time_of, with_op
from clv_helpers.audiences.draft import Draft, problem_of
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
        ({"all": [A, {"not": B}]}, (1,), ("move_in",), {"all": [{"any": [A, {"not": B}]}]}),
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
    ("selected", "target", "where", "gives"),
    [
        ((2,), (0,), "before", {"all": [C, A, B]}),
        ((0,), (2,), "after", {"all": [B, C, A]}),
        ((2,), (0,), "with", {"all": [{"any": [A, C]}, B]}),
    ],
)
def test_dropped(selected: tuple, target: tuple, where: str, gives: dict) -> None:
    made = draft(copy.deepcopy({"all": [A, B, C]}), *selected)
    made.drop(target, where)
    assert made.raw["rule"] == gives
    assert made.selected in {row.path for row in made.rows()}


def test_dropped_into_a_group_which_leaves_none_empty() -> None:
    made = draft(copy.deepcopy({"all": [{"any": [A]}, {"any": [B, C]}]}), 0, 0)
    made.drop((1,), "into")
    assert made.raw["rule"] == {"all": [{"any": [B, C, A]}]}
    assert made.selected == (0, 2)
    made.selected = (0,)
    made.drop((0, 1), "after")  # into itself: nothing
    assert made.raw["rule"] == {"all": [{"any": [B, C, A]}]}


@pytest.mark.parametrize(
    ("kind", "op", "text", "value"),
    [
        ("integer", "at most", " 3 ", 3),
        ("number", "between", ["1.5", "3"], [1.5, 3]),
        ("integer", "at most", "three", "three"),
        ("boolean", "equals", "true", True),
        ("text", "in", ["GOLD", "SILVER"], ["GOLD", "SILVER"]),
        ("text", "equals", "it's; DROP", "it's; DROP"),
    ],
)
def test_what_is_typed(kind: str, op: str, text: object, value: object) -> None:
    columns = {"f": Attribute("f", kind, "")}
    begun = with_op(new_condition(columns["f"]), op)
    assert changed(begun, "value", text, columns) == {"field": "f", "op": op, "value": value}


@pytest.mark.parametrize("choice", TIMES)
def test_each_time_comes_back_and_says_what_it_lacks(choice: str) -> None:
    day = Attribute("d", "date", "")
    condition = changed(new_condition(day), "op", f"when {choice}", {"d": day})
    assert time_of(condition["when"]) == choice
    keys = {each["key"] for each in time_fields(condition["when"])}
    assert bool(lacking(condition)) == any(key != "when.ignore_year" for key in keys)


def test_an_empty_draft_says_what_to_do() -> None:
    assert problem_of(Draft()) == "The rule is empty: add a first condition."
