"""Checks of audience files before anything is built, against the columns that the params will make."""

from __future__ import annotations

from clv_helpers.audiences import audience_files
from clv_helpers.audiences.catalog import Attribute, Catalog, problems
from clv_helpers.audiences.rule import MapCondition, walk
from clv_helpers.config import yaml_files
from clv_helpers.config.datasets import DATASETS, EVENT_DATASETS, LIFETIME_VALUE, PROFILE_MEASURES
from clv_helpers.config.params import Params
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.validation import Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.engine import NothingPublished

SUMS = ("value", "spend", "monetary_value")


def catalog_of(params: Params) -> Catalog:
    """The columns of the profile and of the events that a refresh of this workbook makes."""
    profile = _columns(params, "customers") | {name: _kind_of_measure(name) for name in PROFILE_MEASURES}
    own = params.sources["purchases"].columns or {}
    events = {name: _columns(params, name) for name in EVENT_DATASETS}
    profile |= {f"last_{name}": events["purchases"][name] for name, spec in own.items() if spec.attribute}
    return Catalog(_attributes(profile), {name: _attributes(kinds) for name, kinds in events.items()})


def file_problems(workbook: Workbook, name: str) -> list[Problem]:
    """What is wrong in an audience: columns that there will not be, operators and values of another type.

    Raises ParamsError where the file is no audience.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.file_problems(wb, "best_now_quiet")
        []
    """
    audience, file = audience_files.load(workbook, name), yaml_files.shown(workbook, "audiences", name)
    return [problem._replace(file=file) for problem in problems(audience, catalog_of(workbook.params))]


def file_warnings(workbook: Workbook, *names: str) -> list[Problem]:
    """Categories in which no customer has a decile: allowed, as some may come, but more likely misspelt.

    None before the first refresh. Cost: one pass over a column of derived.customer_decile.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.file_warnings(wb, "best_now_quiet")
        []
    """
    try:
        with workbook.engine.read() as session:
            if not session.has_table("derived.customer_decile"):
                return []
            rows = session.rows("SELECT DISTINCT category FROM derived.customer_decile ORDER BY category")
    except NothingPublished:
        return []
    known = [row["category"] for row in rows]
    allowed, lacks = ", ".join(known) or "none yet", f"in which no {workbook.words.customer} has a decile"
    return [
        Problem(
            f"{path}.category", f"{leaf.category!r}, {lacks}", allowed, yaml_files.shown(workbook, "audiences", name)
        )
        for name in names
        for path, leaf in walk(audience_files.load(workbook, name).rule)
        if isinstance(leaf, MapCondition) and leaf.category not in (NO_CATEGORY, *known)
    ]


def _columns(params: Params, dataset: str) -> dict[str, str]:
    known = DATASETS[dataset] | params.contract(dataset)
    return {name: "number" if column.type == "decimal" else column.type for name, column in known.items()}


def _kind_of_measure(name: str) -> str:
    if name in LIFETIME_VALUE:
        return LIFETIME_VALUE[name]
    if name in SUMS:
        return "number"
    return "date" if name.endswith("_on") else "text" if name == "category" else "integer"


def _attributes(kinds: dict[str, str]) -> dict[str, Attribute]:
    return {name: Attribute(name, kind, "") for name, kind in kinds.items()}
