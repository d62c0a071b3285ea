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
from clv_helpers.config.validation import ParamsError, parse_value
from clv_helpers.config.workbook import Workbook
from clv_helpers.editors import files
from clv_helpers.errors import UserError

MOVES = (
    "remove", "exclude", "switch", "wrap", "unwrap", "move", "move_in", "move_out", "drop", "duplicate", "undo", "redo",
)  # fmt: skip
OWN = (
    "add", "add_group", "set", "replace", "to_rules", "template", "then", "head", "rename", "open", "new", "copy",
    "save", "evaluate", "show",
)  # fmt: skip
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


class Builder:
    """Holds the draft, and takes the actions of `view`, the widget to display, whose state it sets after each."""

    def __init__(self, workbook: Workbook, name: str = ""):
        from clv_helpers.audiences.builder_view import BuilderView

        people = f"Ten {workbook.words.customers}"
        self.details = ["Funnel", "Overlap", "SQL", "PQL", "YAML", people, "Notes", "Changes"]
        self.workbook, self.shown, self.counted = workbook, "", Counted()
        self.titles = self._titles()
        self._typed: tuple[list[int] | None, Any] | None = None  # the row and the field that were changed last
        self._values: dict[tuple[str, str], list[str]] = {}
        with workbook.engine.read() as session:
            catalog = views.published_context(session, workbook.params).catalog
            categories = known_categories(session, [*catalog.maps])
        self.rows = Rows(catalog, workbook.words, values=self._values_of, categories=categories, titles=self.titles)
        self.templates = templates.offered(catalog, workbook.words)
        self.view = BuilderView()
        self.view.on_msg(lambda _, message, __: self.act(**message))
        self._begin(Draft())
        if name:
            self.open(name)
        self.refresh()

    def act(self, do: str, at: str = "", path: list[int] | None = None, **given: Any) -> None:
        """One action by its name, such as `do="set", path=[0], key="value", value="3"`; `path`: the row it is done to.

        What goes wrong is said at `at`.
        """
        self.status, self.problem = "", {"at": "", "text": ""}
        try:
            if do not in (*MOVES, *OWN):
                raise UserError(f"the action is {do!r}; allowed: {', '.join((*MOVES, *OWN))}")
            if path is not None:
                self._select(tuple(path))
            getattr(self.draft if do in MOVES else self, do)(**given)
        except ParamsError as error:
            self.problem = {"at": at, "text": "\n".join(map(str, error.problems))}
        except UserError as error:
            self.problem = {"at": at, "text": str(error)}
        self._typed = (path, given.get("key")) if do == "set" else None
        self.refresh()

    def refresh(self) -> None:
        """Show the draft, and count who meets it."""
        self.view.state = builder_state.state_of(self)

    def _select(self, path: tuple[int, ...]) -> None:
        if path not in {row.path for row in self.draft.rows()}:
            raise UserError("This condition is no longer there.")
        self.draft.selected = path

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

    def add(self, block: str) -> None:
        """A condition on what was chosen, in the selected group."""
        self.draft.add(self.rows.new(block))

    def add_group(self) -> None:
        """A group within the selected one, of the other kind, to be filled."""
        other = "any" if self.draft.row().container == "all" else "all"
        self.draft.add({other: []})

    def set(self, key: str, value: Any, typing: bool = False) -> None:
        """One field of the selected condition; what is typed into one field is undone at once."""
        row = self.draft.row()
        new = self.rows.changed(row.part, key, value)
        if new != row.part:
            is_same = self._typed == (list(self.draft.selected), key)
            self.draft.replace(new.get("not", new) if row.excluded else new, typing and is_same)

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
        self._begin(Draft())
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
    def proposed_name(self) -> str:
        """The file's name, from the title."""
        return files.name_of(self.draft.raw.get("title", ""))

    @property
    def file(self) -> str:
        """The name by which customers are drawn, once the draft is saved under it."""
        return self.name or self.proposed_name or "draft"

    def _begin(self, draft: Draft, name: str = "", read_as: str = "", saved: Audience | None = None) -> None:
        self.draft, self.opened, self.name, self.read_as, self.saved = draft, name, name, read_as, saved
        self.kept = copy.deepcopy(draft.raw)  # as moves change the draft in place
        self.status, self.problem = "", {"at": "", "text": ""}
        self._typed = None

    def _titles(self) -> dict[str, str]:
        """The titles of the audiences by name, in their order; of one that cannot be read, its name."""
        loaded, wrong = audience_files.load_usable(self.workbook)
        titles = {name: each.title for name, each in loaded.items()} | {name: name for name in wrong}
        return dict(sorted(titles.items(), key=lambda item: item[1].lower()))

    def rename(self, name: str) -> None:
        """The file's name; empty: as proposed from the title."""
        self.name = name.strip()

    def open(self, name: str) -> None:
        """Read an audience; unsaved changes go."""
        audience = audience_files.load(self.workbook, name)
        read_as = yaml_files.fingerprint(audience_files.file_of(self.workbook, name))
        self._begin(Draft(audience), name, read_as, audience)

    def new(self) -> None:
        """Begin an empty audience."""
        self._begin(Draft())

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
        self.saved, self.kept, self.opened, self.name = audience, copy.deepcopy(self.draft.raw), name, name
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
