"""Bring tables up to date: in the order that their SQL gives, and each only as far as one of its inputs changed."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import time
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from clv_helpers import progress
from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.params import Params
from clv_helpers.config.same import Same
from clv_helpers.config.sql_params import params_bindings
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session
from clv_helpers.models.changed_parts import restricted, semi_join, touched_parts
from clv_helpers.models.checkpoints import Checkpoint, LakeState
from clv_helpers.models.checks import check, check_key
from clv_helpers.models.plan import drop_removed, engine_error, planned
from clv_helpers.models.ranked_in_bands import in_bands
from clv_helpers.models.snapshots import keep_day
from clv_helpers.models.suspects import refreshing
from clv_helpers.models.table_file import DAILY, Table, TableError

# Up to this size a table that was built anew is compared with what it was, so that what depends on it can stay.
SMALL = 100_000


@dataclass(frozen=True)
class RefreshRow:
    """One table of a refresh: what a row of it is, what was done, how many rows it has (a view: None), how long.

    mode: `unchanged`, `rows` (only the parts that changed), `full` or `view`.
    """

    table: str
    one_row: str
    mode: str
    rows: int | None
    seconds: float

    @property
    def is_changed(self) -> bool:
        """Whether the table was written to."""
        return self.mode != "unchanged"


def refresh(workbook: Workbook, *schemas: str) -> list[RefreshRow]:
    """Bring all tables of these schemas up to date in one transaction, check them, and publish.

    Gives a row per table. An analyst's own tables come with those of the schema insights. Whatever a table reads and
    is not there yet is built first. The result is the same as of a build from nothing, but for the days kept of a
    table (`Snapshot`).
    Cost: a table that is kept fresh by parts takes one pass over its inputs' key columns and work on the parts that
    changed; any other is built anew when an input changed. A batch that was reverted, or an as_of moved back, builds
    anew what reads events. A check is tried where a table it reads has changed.
    Raises TableError; the last published tables stay as they were.

    Example:
        >>> rows = models.refresh(wb, "derived")
        >>> next(row.one_row for row in rows if row.table == "derived.as_of")
        'the workbook.'
    """
    with refreshing(workbook) as session:
        return refresh_tables(session, workbook, *schemas)


def refresh_tables(
    session: Session,
    workbook: Workbook,
    *schemas: str,
    bindings: dict[str, Any] | None = None,
    of_people_only: bool = False,
) -> list[RefreshRow]:
    """Bring tables up to date and check them, within the caller's transaction. Raises TableError.

    `bindings` stand beside those of the workbook; with an as_of among them, in their place. `of_people_only`: the
    tables of which the parts are a customer's, or a message's; rankings and sums over all follow with the next
    refresh without it.
    """
    own = bindings or {}
    state = LakeState.read(session, own if "as_of" in own else {**workbook.bindings(session), **own})
    everything = [
        _as_chosen(model, state.bindings) if own else _as_the_params_say(Same(model), Same(workbook.params))
        for model in planned(set(state.versions), workbook, schemas)
    ]
    models = [model for model in everything if not of_people_only or model.of_people]
    _create_empty(state, models)
    rows: list[RefreshRow] = []
    for number, model in enumerate(models, 1):
        progress.step(f"{model.name} (table {number} of {len(models)})")
        try:
            rows += _refresh_one(state, model)
        except session.errors as error:
            raise TableError(engine_error(model, error), model.name) from None
        progress.rows(rows[-1].rows)
    state.keep()
    progress.step("checks")
    check(session, models, state.bindings, {row.table for row in rows if row.is_changed})
    drop_removed(session, everything, schemas)
    return rows


@functools.lru_cache(maxsize=1_000)
def _as_the_params_say(model: Same[Table], params: Same[Params]) -> Table:
    return _as_chosen(model.thing, _said_by(params))


@functools.lru_cache(maxsize=10)
def _said_by(params: Same[Params]) -> dict[str, Any]:
    return params_bindings(params.thing)  # hundreds of trees, the same for each table


@functools.lru_cache(maxsize=1_000)
def _as_of(model: Same[Table], day: dt.date) -> exp.Query:
    query = model.thing.bound({"as_of": day})
    return in_bands(query) if model.thing.is_ours else query


def _as_chosen(model: Table, bindings: dict[str, Any]) -> Table:
    """A table with what the params choose in its query, and the tables that it reads there among its inputs."""
    return replace(model, query=model.bound({**bindings, "as_of": exp.Placeholder(this="as_of")}))


def _create_empty(state: LakeState, models: list[Table]) -> None:
    """What Python writes and a table reads is there, perhaps empty, whether or not anything was predicted or sent."""
    needed = {name for model in models for name in model.depends_on & ALWAYS_THERE.keys()}
    for name in sorted(needed):
        if name not in state.versions:
            state.session.create_if_absent(name, dict(ALWAYS_THERE[name]))
            state.session.set_version(name, "empty")
            state.note(name)


def _refresh_one(state: LakeState, model: Table) -> list[RefreshRow]:
    """The row of a table, and that of its days where it keeps them."""
    started = time.perf_counter()
    mode = _refresh_table(state, model)
    # the rows of a view would have to be computed to be counted
    count = None if model.refresh == "view" else state.session.count(table(model.name))
    rows = [RefreshRow(model.name, model.one_row, mode, count, _seconds(started))]
    if model.snapshot:
        started = time.perf_counter()
        mode = keep_day(state.session, model, state.bindings["as_of"], changed=mode != "unchanged")
        days, one_row = model.name + DAILY, f"by day (as_of): {model.one_row}"
        if mode != "unchanged":
            state.note(days)
        rows.append(RefreshRow(days, one_row, mode, state.session.count(table(days)), _seconds(started)))
    return rows


def _seconds(started: float) -> float:
    return round(time.perf_counter() - started, 3)


def _refresh_table(state: LakeState, model: Table) -> str:
    """Bring one table up to date; gives the mode."""
    session, name, before, now = state.session, model.name, state.checkpoints.get(model.name), state.now(model)
    if before == now and now.is_complete and name in state.versions:
        return "unchanged"
    query = _as_of(Same(model), state.bindings["as_of"])
    mode = "full"
    if model.refresh == "view":
        mode = "view"
        session.create_view(name, query, version=hashlib.sha256(repr(now).encode()).hexdigest())
        check_key(session, model, table(name))
    elif _has_few_changes(state, model, query, before, now):
        mode = "rows"
        _rebuild_parts(state, model, query)
    else:
        _build(state, model, query)
    state.write(name, now)
    return mode


def _has_few_changes(
    state: LakeState, model: Table, query: exp.Query, before: Checkpoint | None, now: Checkpoint
) -> bool:
    """Whether the touched parts are known and less than half of the table: beyond that, all of it is the shorter way.

    Leaves them as the temporary table `touched`, and the rows they have now as `before`.
    """
    session = state.session
    if model.refresh != "by" or not state.versions.get(model.name):
        return False
    touched = touched_parts(session, model, query, before, now)
    if touched is None:
        return False
    session.create_temporary("touched", touched)
    if not session.count(table("touched")):
        return True
    session.create_temporary("before", semi_join(table(model.name), model.part))
    return 2 * session.count(table("before")) <= session.count(table(model.name))


def _build(state: LakeState, model: Table, query: exp.Query) -> None:
    """The whole table. Where it is small and comes out as it was, it keeps its version: what reads it stays too."""
    session, name = state.session, model.name
    version, columns = state.versions.get(name), None
    if version and session.count(table(name)) <= SMALL:
        columns = session.columns(table(name))
        session.create_temporary("before", exp.select("*").from_(table(name)))
    session.create_table(name, query, near=PRIMARY_IDENTITY if PRIMARY_IDENTITY in model.part else "")
    check_key(session, model, table(name))
    comparable = columns == session.columns(table(name)) and session.count(table(name)) <= SMALL
    if version and comparable and not session.difference(name, model.key, "before", name, since=version):
        session.set_version(name, version)


def _rebuild_parts(state: LakeState, model: Table, query: exp.Query) -> None:
    """The touched parts of a table in the place of what they were."""
    session, name = state.session, model.name
    if not session.count(table("touched")):  # what came since is of none of them
        return
    session.create_temporary("fresh", restricted(session, model, query))
    check_key(session, model, table("fresh"))
    delta = session.difference(name, model.key, "before", "fresh", since=state.versions[name])
    if delta:
        session.change_rows(name, delta)
