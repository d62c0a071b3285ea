"""The segment builder: conditions edited in place, joined by and and or, each with its count; saved as YAML."""

from __future__ import annotations

import copy
from typing import Any, cast

from clv_helpers.audiences import audience_files, builder_state, estimate, memberships, templates, views
from clv_helpers.audiences.builder_state import Counted
from clv_helpers.audiences.catalog import event_tables
from clv_helpers.audiences.checks import known_categories
from clv_helpers.audiences.composer_fields import compose
from clv_helpers.audiences.draft import Draft, problem_of
from clv_helpers.audiences.rows import Rows
from clv_helpers.audiences.rule import Audience, Rule, parse_part
from clv_helpers.charts import show
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import parse_value
from clv_helpers.config.workbook import Workbook
from clv_helpers.editors.acting import Editor
from clv_helpers.errors import UserError

Typed = tuple[list[int] | None, Any] | None
DEFAULTS = {"evaluation": "batch", "time_zone": "UTC"}


def builder(workbook: Workbook, name: str = "") -> Any:
    """Edit an audience by clicking (a new one where none is named). In a batch run: its count, sentence and funnel.

    Gives an ipywidget for JupyterLab. Raises ParamsError for an audience that does not exist.

    Example:
        >>> audiences.builder(wb, "best_now_quiet")  # doctest: +ELLIPSIS
        <clv_helpers.audiences.builder_view.BuilderView object at ...>
    """
    if not workbook.interactive:
        return show.stack(*views.summary(workbook, name))
    return Builder(workbook, name).view


class Builder(Editor):
    """Holds the draft, and takes the actions of `view`, the widget to display, whose state it sets after each."""

    on_the_draft = (
        "remove", "exclude", "switch", "wrap", "unwrap", "move", "move_in", "move_out", "drop", "duplicate", "undo",
        "redo",
    )  # fmt: skip
    own = (
        "add", "add_group", "set", "replace", "to_rules", "template", "then", "head", "rename", "open", "new", "copy",
        "save", "evaluate", "show",
    )  # fmt: skip
    draft: Draft

    saved: Audience | None = None  # the file's, where one is open

    def __init__(self, workbook: Workbook, name: str = ""):
        from clv_helpers.audiences.builder_view import BuilderView

        people = f"Ten {workbook.words.customers}"
        self.details = ["Funnel", "Overlap", "SQL", "PQL", "YAML", people, "Notes", "Changes"]
        self.workbook, self.shown, self.counted = workbook, "", Counted()
        self.titles = self._titles()
        self._typed: Typed = None  # the row and the field of the action, if it sets one
        self._typed_before: Typed = None
        self._values: dict[tuple[str, str], list[str]] = {}
        with workbook.engine.read() as session:
            catalog = views.published_context(session, workbook.params).catalog
            categories = known_categories(session, [*catalog.maps])
        self.rows = Rows(catalog, workbook.words, values=self._values_of, categories=categories, titles=self.titles)
        self.templates = templates.offered(catalog, workbook.words)
        self.view = BuilderView()
        self.view.on_msg(lambda _, message, __: self.act(**message))
        self.new()
        if name:
            self.open(name)
        self.refresh()

    def _do(self, do: str, path: list[int] | None = None, **given: Any) -> None:
        """To the row at `path`, else to the one that is selected."""
        if path is not None:
            self.draft.select(tuple(path))
        self._typed_before, self._typed = self._typed, (path, given.get("key")) if do == "set" else None
        super()._do(do, **given)

    def refresh(self) -> None:
        """Show the draft, and count who meets it."""
        self.view.state = builder_state.state_of(self)

    def _values_of(self, events: str, column: str) -> list[str]:
        """The values to offer for a column of the profile, or of a dataset of events; read once."""
        if (events, column) not in self._values:
            lookup, _, looked_up = column.rpartition(".")
            source = event_tables(self.workbook.params)[events] if events else "profile.customer"
            source = f"lake.{lookup}" if lookup else source
            with self.workbook.engine.read() as session:
                found = estimate.values_of(session, source, looked_up, self.workbook.params.min_cell)
            self._values[events, column] = found
        return self._values[events, column]

    # the rule

    def add(self, block: str, within: str = "") -> None:
        """A condition on what was chosen, in the selected group; of events also how long ago, such as `90 days`."""
        part = self.rows.new(block)
        if within:
            part.get("not", part)["when"] = {"in_last": within}
        self.draft.add(part)

    def add_group(self) -> None:
        """A group within the selected one, of the other kind, to be filled."""
        other = "any" if self.draft.row().container == "all" else "all"
        self.draft.add({other: []})

    def set(self, key: str, value: Any, typing: bool = False) -> None:
        """One field of the selected condition; what is typed into one field is undone at once."""
        row = self.draft.row()
        new = self.rows.changed(row.part, key, value)
        if new != row.part:
            is_same = typing and self._typed == self._typed_before
            self.draft.replace(new.get("not", new) if row.excluded else new, is_same)

    def replace(self, text: str) -> None:
        """The selected part as it is written in YAML."""
        part = parse_value(text)
        if not isinstance(part, dict) or not part:
            raise UserError("This is no condition: write one as in the file of an audience.")
        self.draft.replace(part)

    def to_rules(self) -> None:
        """In place of an audience a copy of its own rule."""
        part = self.draft.row().part
        if "audience" not in part:
            raise UserError("Only an audience can be replaced by its rule.")
        rule = audience_files.as_rules(parse_part(part), audience_files.load_all(self.workbook))
        self.draft.replace(cast(Rule, rule).model_dump(mode="json", by_alias=True, exclude_defaults=True))

    def template(self, place: int) -> None:
        """Begin with one of the templates."""
        chosen = copy.deepcopy(self.templates[place])
        self.new()
        self.draft.compose({"title": chosen["title"], "description": chosen["about"], "rule": chosen["rule"]})

    def then(self, key: str, value: Any) -> None:
        """What follows on the rule, or stands in its place."""
        compose(self.draft, key, value)

    def head(self, key: str, value: str) -> None:
        """The title or another text of the whole file."""
        self.draft.set_head(key, value, DEFAULTS.get(key, ""))

    def show(self, name: str = "") -> None:
        """Unfold one of the details, or none."""
        self.shown = name if name in self.details else ""

    # files

    @property
    def file(self) -> str:
        """The name by which customers are drawn, once the draft is saved under it."""
        return self.name or self.proposed_name or "draft"

    def _titles(self) -> dict[str, str]:
        """The titles of the audiences by name, in their order; of one that cannot be read, its name."""
        loaded, wrong = audience_files.load_usable(self.workbook)
        titles = {name: each.title for name, each in loaded.items()} | {name: name for name in wrong}
        return dict(sorted(titles.items(), key=lambda item: item[1].lower()))

    def open(self, name: str) -> None:
        """Read an audience; unsaved changes go."""
        audience = audience_files.load(self.workbook, name)
        read_as = yaml_files.fingerprint(audience_files.file_of(self.workbook, name))
        self._begin(Draft(audience), name, read_as)
        self.saved = audience

    def new(self) -> None:
        """Begin an empty audience."""
        self._begin(Draft())
        self.saved = None

    def copy(self) -> None:
        """Go on with a copy, to be saved under another name."""
        self.draft.set_head("title", f"{self.draft.raw.get('title', '')} (copy)")
        self.name, self.opened, self.read_as, self.saved = "", "", "", None

    def save(self) -> None:
        """Write the file, where nobody else has changed it meanwhile."""
        if not self.draft.in_place_of_rule and (said := self._unfinished()):
            raise UserError(f"Not saved yet, as a condition is not complete. {said}")
        if problem := problem_of(self.draft):
            raise UserError(problem)
        audience, name = self.draft.parse(), self.file
        with views.reading(self.workbook, name, audience):
            pass  # which raises what is wrong with it
        self.read_as = audience_files.save(self.workbook, name, audience, self.read_as if name == self.opened else "")
        self.saved, self.opened, self.name = audience, name, name
        self._keep()
        self.titles = self.rows.titles = self._titles()
        self.status = f"Saved as audiences/{name}.yml"

    def _unfinished(self) -> str:
        rows = [row for row in self.draft.rows() if not row.container]
        return next((said for row in rows if (said := self.rows.lacking(row.part))), "")

    def evaluate(self) -> None:
        """Bring the memberships of the saved audience up to date."""
        if not self.opened:
            raise UserError("Save the audience first; then it can be evaluated.")
        row = next(r for r in memberships.evaluate(self.workbook, self.opened) if r.audience == self.opened)
        customers = self.workbook.words.customers
        self.status = f"{row.customers:,} {customers}: {row.realized:,} realized, {row.exited:,} exited"
