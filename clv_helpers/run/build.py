"""Each stage's tables in one call, in the order in which they need each other: what notebooks begin with."""

from __future__ import annotations

import functools
from collections.abc import Callable

from clv_helpers import activation as activation_stage
from clv_helpers import audiences as audiences_stage
from clv_helpers import campaigns as campaigns_stage
from clv_helpers import insights as insights_stage
from clv_helpers import models, progress
from clv_helpers.charts import show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.derived.as_of_doubts import doubts_of_as_of
from clv_helpers.models import RefreshRow
from clv_helpers.run.refresh_all import build_profile

__all__ = ["activation", "audiences", "campaigns", "derived", "insights"]


def _stage(build: Callable[[Workbook], Output]) -> Callable[[Workbook], Output]:
    """A stage's beginning: its steps are told, and what cells found before, of other params perhaps, holds no more."""

    @functools.wraps(build)
    def begun(workbook: Workbook) -> Output:
        show.TOLD.clear()
        return progress.told(build)(workbook)

    return begun


@_stage
def derived(workbook: Workbook) -> Output:
    """Stage 1 once the files are in: deciles, predicted lifetime value, profile; says how many tables that are.

    Raises NothingToCompute where there is no purchase yet. Cost: what changed since the last time.

    Example:
        >>> build.derived(wb).bundle["text/plain"]
        '... tables are up to date, ... of them written now.'
    """
    built = _built(build_profile(workbook))
    with workbook.engine.read() as session:
        doubts = [show.note(show.upper_first(doubt) + ".") for doubt in doubts_of_as_of(session, workbook)]
    return show.stack(built, *doubts) if doubts else built


@_stage
def insights(workbook: Workbook) -> Output:
    """Stage 2: the star model, one's own tables and the key figures; shows each table behind a line.

    Raises TableError for a check that fails.

    Example:
        >>> build.insights(wb).bundle["text/plain"]
        '... rows'
    """
    return insights_stage.model(workbook, models.refresh(workbook, *models.MODEL))


@_stage
def audiences(workbook: Workbook) -> Output:
    """Stage 4: who is in each audience now. Raises ParamsError for a rule that asks for what is not there.

    Example:
        >>> build.audiences(wb).bundle["text/plain"]
        '... audiences are evaluated: ... realized, ... exited.'
    """
    rows = audiences_stage.evaluate(workbook)
    realized, exited = (sum(getattr(row, name) for row in rows) for name in ("realized", "exited"))
    texts = [people_text(count, workbook.params.min_cell) for count in (realized, exited)]
    evaluated = sum(not row.doubt for row in rows)
    doubts = "".join(f" Not evaluated: {row.doubt}." for row in rows if row.doubt)
    said = "audience is" if evaluated == 1 else "audiences are"
    return show.note(f"{evaluated} {said} evaluated: {texts[0]} realized, {texts[1]} exited.{doubts}")


@_stage
def activation(workbook: Workbook) -> Output:
    """Stage 5: who of each activation's audience may be written to, and who is control.

    Example:
        >>> build.activation(wb).bundle["text/plain"]
        'Decided for 1 activation.'
    """
    activation_stage.decide(workbook)
    count = len(workbook.params.activations)
    return show.note(f"Decided for {count} activation{'s' * (count != 1)}.")


@_stage
def campaigns(workbook: Workbook) -> Output:
    """Stage 6: responses, rates and effects. Raises StageSkipped for a workbook without campaigns.

    Example:
        >>> build.campaigns(wb).bundle["text/plain"]
        '... tables are up to date, ... of them written now.'
    """
    return _built(campaigns_stage.build(workbook))


def _built(rows: list[RefreshRow]) -> Output:
    changed = sum(row.is_changed for row in rows)
    return show.note(f"{len(rows)} tables are up to date, {changed} of them written now.")
