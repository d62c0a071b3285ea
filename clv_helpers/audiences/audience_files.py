"""The audience files of a workbook: read, ordered by who asks for whom, written whole or not at all, compared."""

from __future__ import annotations

import difflib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from clv_helpers.audiences.catalog import names_of
from clv_helpers.audiences.composition import SEPARATOR, file_name
from clv_helpers.audiences.rule import AnyPart, Audience, AudienceCondition, Rule, branches
from clv_helpers.conditions.condition import parts_of
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError


def names(workbook: Workbook) -> list[str]:
    """The audiences of a workbook, sorted: the names of their files.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.names(wb)[0]
        'best_now_quiet'
    """
    return yaml_files.names(workbook, "audiences")


def all_names(workbook: Workbook) -> list[str]:
    """The audiences of a workbook and their branches, sorted; of a file that cannot be read, no branches."""
    loaded, wrong = load_usable(workbook)
    return sorted([*loaded, *wrong])


def load(workbook: Workbook, name: str) -> Audience:
    """Read an audience. Raises ParamsError, which names the condition, its value and what is allowed.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.load(wb, "best_now_quiet").title
        'Best members, now quiet'
    """
    file, _, branch = name.partition(SEPARATOR)
    audience = yaml_files.load(workbook, "audiences", file, Audience)
    if not branch:
        return audience
    known = branches(file, audience)
    if name not in known:
        raise _refused(workbook, name, repr(name), ", ".join(known) or f"{file}, which has no branches")
    return known[name]


def load_all(workbook: Workbook) -> dict[str, Audience]:
    """All audiences by name, branches too, each after those it asks for. Raises ParamsError.

    Example:
        >>> from clv_helpers import audiences
        >>> set(audiences.load_all(wb)) == set(audiences.names(wb))
        True
    """
    return in_order(workbook, {name: load(workbook, name) for name in names(workbook)})


def load_usable(workbook: Workbook) -> tuple[dict[str, Audience], dict[str, str]]:
    """The audiences that can be read, each after those it asks for; and of the others why they cannot, by name."""
    loaded: dict[str, Audience] = {}
    wrong: dict[str, str] = {}
    for name in names(workbook):
        try:
            loaded[name] = load(workbook, name)
        except ParamsError as error:
            wrong[name] = str(error)
    while True:
        try:
            return in_order(workbook, loaded), wrong
        except ParamsError as error:  # of one; without it, those that ask for it are the next
            name = Path(error.problems[0].file).stem
            wrong[name] = str(error)
            del loaded[name]


def in_order(workbook: Workbook, audiences: dict[str, Audience]) -> dict[str, Audience]:
    """Audiences and their branches by name, each after those it asks for.

    Raises ParamsError for one that is not there, or a circle.
    """
    audiences = {name: each for key, audience in audiences.items() for name, each in with_branches(key, audience)}
    for name, audience in audiences.items():
        for wanted in names_of(audience):
            if wanted not in audiences:
                others = ", ".join(other for other in audiences if other != name)
                raise _refused(workbook, name, repr(wanted), others or "no other audience")
    sorter = TopologicalSorter({name: names_of(audience) for name, audience in audiences.items()})
    try:
        return {name: audiences[name] for name in sorter.static_order()}
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        allowed = "audiences that do not ask for themselves in a circle"
        raise _refused(workbook, circle[0], " → ".join(circle), allowed) from None


def with_branches(name: str, audience: Audience) -> list[tuple[str, Audience]]:
    """An audience and its branches, each with its name."""
    return [(name, audience), *branches(name, audience).items()]


def _refused(workbook: Workbook, name: str, value: str, allowed: str) -> ParamsError:
    return ParamsError(yaml_files.shown(workbook, "audiences", file_name(name)), [Problem("audience", value, allowed)])


def to_yaml(audience: Audience) -> str:
    """The audience as a file holds it."""
    return yaml_files.dump(audience.to_raw())


def file_of(workbook: Workbook, name: str) -> Path:
    """Where an audience is kept. Raises ParamsError for a name that is not one of a file."""
    return yaml_files.file_of(workbook, "audiences", name)


def save(workbook: Workbook, name: str, audience: Audience, read_as: str) -> str:
    """Write an audience beside its file and rename it; gives the new fingerprint.

    Raises SpecChanged where the file is no longer the one with the fingerprint `read_as` (empty: no file),
    ParamsError where the audience asks for one that is not there or for itself in a circle.
    """
    yaml_files.check_unchanged(file_of(workbook, name), read_as)
    others = {other: load(workbook, other) for other in names(workbook) if other != name}
    in_order(workbook, {**others, name: audience})
    return yaml_files.save(file_of(workbook, name), to_yaml(audience), read_as)


def diff(old: Audience, new: Audience) -> str:
    """The lines by which two versions differ; empty where they do not."""
    sides = (to_yaml(old).splitlines(), to_yaml(new).splitlines())
    return "\n".join(list(difflib.unified_diff(*sides, "before", "after", lineterm="", n=2)))


def as_rules(part: AnyPart, audiences: dict[str, Audience]) -> AnyPart:
    """A part in which each audience is replaced by a copy of its rule, which no longer changes with that audience."""
    if isinstance(part, AudienceCondition):
        audience = audiences[part.audience]
        if beyond := audience.beyond_rule:
            raise UserError(f"The audience {part.audience} is no rule alone: it has {' and '.join(beyond)}.")
        return as_rules(audience.whole, audiences)
    if not isinstance(part, Rule):
        return part
    copies = [as_rules(inner, audiences) for inner in parts_of(part)]
    return Rule.model_validate({part.kind: copies[0] if part.kind == "not" else copies})
