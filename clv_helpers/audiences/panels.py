"""The builder's panels as HTML: estimate, funnel, overlap; how they look is in panels.html.j2."""

from __future__ import annotations

import functools
from typing import Any

from clv_helpers.audiences.estimate import Estimate
from clv_helpers.audiences.sentence import part_in_words
from clv_helpers.charts import PALETTE, QUIET
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import about, share, upper_first
from clv_helpers.config.workbook import Workbook


@functools.cache
def _macros() -> Any:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("clv_helpers", "audiences")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": lambda number: f"{number:,.0f}", "people": people_text}
    environment.globals["share"] = share
    environment.globals |= {"BLUE": PALETTE[0], "GREY": "#595959", "QUIET": QUIET}
    return environment.get_template("panels.html.j2").module


def estimate_panel(estimate: Estimate, seconds: float, units: tuple[str, str], workbook: Workbook) -> str:
    """How many, how large a share, their value and spend (in `units`), and their deciles."""
    means = zip(units, (estimate.mean_value, estimate.mean_spend), strict=True)
    by_unit = {unit: mean for unit, mean in means if mean is not None}  # where both have one unit: the spend
    few = workbook.params.min_cell
    worth = " · ".join(f"{about(mean, estimate.count, few)} {unit} each" for unit, mean in by_unit.items())
    worth = worth if estimate.count >= few else ""
    return str(_macros().estimate(estimate, worth, seconds, workbook.words, few))


def funnel_panel(estimate: Estimate, workbook: Workbook, titles: dict[str, str]) -> str:
    """From everyone to those who meet the rule: a bar per condition, with how many it removes."""
    words, few = workbook.words, workbook.params.min_cell
    steps = [
        (upper_first(part_in_words(step.part, words, titles)), step.left, step.removed) for step in estimate.funnel
    ]
    return str(_macros().funnel([("Everyone", estimate.customers, None), *steps], estimate.customers, few))


def overlap_panel(overlap: dict[str, int], estimate: Estimate, workbook: Workbook) -> str:
    """How many of them are in other audiences, too."""
    return str(_macros().overlap(overlap, estimate.count, workbook.params.min_cell))
