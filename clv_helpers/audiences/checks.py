"""What is wrong in a rule for the columns there are, what is doubtful, and what could be written shorter."""

from __future__ import annotations

import re

from sqlglot import exp

from clv_helpers.audiences import audience_files
from clv_helpers.audiences.catalog import Catalog, catalog_of, event_tables, read_catalog
from clv_helpers.audiences.composition import Rank
from clv_helpers.audiences.given import check_given, look_up, read_list
from clv_helpers.audiences.rule import (
    Audience,
    Event,
    EventCondition,
    Leaf,
    MapCondition,
    Rule,
    SequenceCondition,
    events_of,
    walk,
)
from clv_helpers.conditions import condition_problems
from clv_helpers.conditions.condition import Condition, conditions_of, nodes, parts_of
from clv_helpers.config import yaml_files
from clv_helpers.config.deciles import BUILT_IN
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.validation import Problem, nearest
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, table
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.engines.session import Session
from clv_helpers.models.own_tables import own_attributes

RANKED = ("integer", "number", "date", "timestamp")  # types of columns by which customers can be ranked


def file_problems(workbook: Workbook, name: str) -> list[Problem]:
    """What is wrong in an audience: columns that there will not be, operators and values of another type.

    Raises ParamsError where the file is no audience.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.file_problems(wb, "best_now_quiet")
        []
    """
    audience, file = audience_files.load(workbook, name), yaml_files.shown(workbook, "audiences", name)
    check_given(workbook, name, audience)
    own = {repr(name) for name in own_attributes(workbook.specs / "sql")}  # of kinds that only their SQL tells
    found = problems(audience, catalog_of(workbook.params))
    return [problem._replace(file=file) for problem in found if problem.value.partition(",")[0] not in own]


def file_warnings(workbook: Workbook, *names: str) -> list[Problem]:
    """Categories in which no customer has a decile, what an audience asks about and there is nothing of, and lists
    with strangers.

    All are allowed, as some may come, but more likely misspelt, or an input was refused. None before the first
    refresh. Cost: one pass over a column of derived.customer_decile, and one per audience over the profile.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.file_warnings(wb, "best_now_quiet")
        []
    """
    try:
        with workbook.engine.read() as session:
            if not session.has_table("derived.customer_decile") or not session.has_table("profile.customer"):
                return []
            catalog = read_catalog(session, event_tables(workbook.params), params=workbook.params)
            known = known_categories(session, [*catalog.maps])
            loaded = {name: audience_files.load(workbook, name) for name in names}
            events = event_tables(workbook.params)
            empty = {name: empty_inputs(session, audience, catalog, events) for name, audience in loaded.items()}
            lists = {name: audience.list_ for name, audience in loaded.items() if audience.list_}
            matched = {name: look_up(session, read_list(workbook, name, file)) for name, file in lists.items()}
    except NothingPublished:
        return []
    lacks = f"in which no {workbook.words.customer} has a decile"
    categories = [
        Problem(
            f"{path}.category",
            f"{leaf.category!r}, {lacks}",
            ", ".join(known.get(leaf.map, [])) or "none yet",
            yaml_files.shown(workbook, "audiences", name),
        )
        for name, audience in loaded.items()
        for path, leaf in walk(audience.rule)
        if isinstance(leaf, MapCondition) and leaf.category not in (NO_CATEGORY, *known.get(leaf.map, []))
    ]
    doubts = {name: f"it asks about {lacking}" for name, lacking in empty.items() if lacking}
    doubts |= {name: f"list {found}" for name, found in matched.items() if found.unknown}
    return categories + [
        Problem("", doubt, "", yaml_files.shown(workbook, "audiences", name)) for name, doubt in doubts.items()
    ]


def known_categories(session: Session, rankings: list[str]) -> dict[str, list[str]]:
    """Within which categories customers are ranked, by the value and by each ranking."""
    found: dict[str, list[str]] = {}
    query = f"SELECT DISTINCT '{BUILT_IN}' AS name, category FROM derived.customer_decile"
    query += " UNION ALL SELECT DISTINCT name, category FROM derived.customer_rank" if rankings else ""
    for row in session.rows(f"SELECT * FROM ({query}) AS known ORDER BY name, category"):
        found.setdefault(row["name"], []).append(row["category"])
    return found


def problems(audience: Audience, catalog: Catalog) -> list[Problem]:
    """Every place where a rule asks for a column that is not there, or with an operator or value of another type."""
    wrong: list[Problem] = []
    for path, leaf in walk(audience.rule):
        if isinstance(leaf, Condition):
            wrong += condition_problems(path, leaf, catalog.profile, "the profile")
        if isinstance(leaf, MapCondition) and leaf.map != BUILT_IN:
            wrong += _of_map(path, leaf, catalog.maps)
        for index, event in enumerate(events_of(leaf)):
            wrong += _of_event(path if event is leaf else f"{path}.sequence[{index}]", event, catalog)
    return wrong + (_of_rank(audience.rank, catalog) if audience.rank else [])


def _of_rank(rank: Rank, catalog: Catalog) -> list[Problem]:
    kinds = {name: attribute.kind for name, attribute in catalog.profile.items()}
    allowed = ", ".join(name for name, kind in kinds.items() if kind in RANKED)
    if rank.by not in kinds:
        return [Problem("rank.by", f"{rank.by!r}, not in the profile", allowed)]
    return [] if kinds[rank.by] in RANKED else [Problem("rank.by", f"{rank.by}, of type {kinds[rank.by]}", allowed)]


def empty_inputs(session: Session, audience: Audience, catalog: Catalog, tables: dict[str, str]) -> str:
    """What an audience asks about and there is nothing of, in words: columns without a value, datasets without events.

    Empty where there is something of each. Cost: a pass over those columns of the profile.
    """
    leaves = [leaf for _, leaf in walk(audience.rule)]
    asked = {leaf.field for leaf in leaves if isinstance(leaf, Condition) and leaf.op not in ("exists", "missing")}
    asked |= {leaf.than for leaf in leaves if isinstance(leaf, Condition) and leaf.than}
    asked |= {audience.rank.by} if audience.rank else set()
    names = sorted(asked & catalog.profile.keys())
    counts = [exp.Count(this=column(name)).as_(name, quoted=True) for name in names]
    filled = session.rows(exp.select(exp.Count(this=exp.Star()).as_("n"), *counts).from_(table("profile.customer")))[0]
    events = sorted({event.event for leaf in leaves for event in events_of(leaf)} & catalog.events.keys())
    lacking = [f"{name}, which no customer has" for name in names if not filled[name]]
    lacking += [f"{name}, of which none came in" for name in events if not session.count(table(tables[name]))]
    return " and ".join(lacking)


def _of_map(path: str, leaf: MapCondition, maps: dict[str, list[str]]) -> list[Problem]:
    if leaf.map not in maps:
        return [Problem(f"{path}.map", repr(leaf.map), nearest(leaf.map, [BUILT_IN, *maps]))]
    if leaf.lookback not in maps[leaf.map]:
        return [Problem(f"{path}.lookback", repr(leaf.lookback), ", ".join(maps[leaf.map]))]
    return []


def _of_event(path: str, event: Event, catalog: Catalog) -> list[Problem]:
    columns = catalog.events.get(event.event)
    if columns is None:
        return [Problem(f"{path}.event", repr(event.event), ", ".join(catalog.events) or "no events yet")]
    wrong = [
        problem
        for place, condition in conditions_of(event.where, f"{path}.where")
        for problem in condition_problems(place, condition, columns, event.event)
    ]
    numbers = [column.name for column in columns.values() if column.is_number]
    if isinstance(event, EventCondition) and event.of is not None and event.of not in numbers:
        wrong.append(Problem(f"{path}.of", repr(event.of), ", ".join(numbers) or "no number"))
    return wrong


def hints(audience: Audience) -> list[str]:
    """What could be written shorter, or costs more than it needs to, each in a sentence that names the place."""
    of_conditions = [f"{path}: {hint}" for path, leaf in walk(audience.rule) if (hint := _about_condition(leaf))]
    containers = [(path, part) for path, part in nodes(audience.rule) if isinstance(part, Rule)]
    return of_conditions + [f"{path}: {hint}" for path, container in containers for hint in _about_container(container)]


def _about_condition(leaf: Leaf) -> str:
    match leaf:
        case Condition(op="matches", value=str(pattern)) if re.fullmatch(r"\^?[\w @-]+", pattern):
            plain = "starts with" if pattern.startswith("^") else "contains"
            return f"`{plain}` does the same as this regular expression, and is faster."
        case SequenceCondition(sequence=steps) if not any(step.when or step.within for step in steps):
            return "without `when` or `within`, all events ever are compared with each other."
        case EventCondition(where=None, when=None):
            return "without `when` or `where`, all events ever are read."
    return ""


def _about_container(container: Rule) -> list[str]:
    inner = parts_of(container)
    is_double = container.kind != "not" and len(inner) == 1 and isinstance(inner[0], Rule)
    equal = [part.field for part in container.any or [] if isinstance(part, Condition) and part.op == "equals"]
    repeated = sorted({field for field in equal if equal.count(field) > 1})
    return [
        *(["a container in a container of its own can be unwrapped."] if is_double else []),
        *(f"several `equals` on {field} are one `in`." for field in repeated),
    ]
