"""The composer: the whole board as it will be, tables and columns to choose from, suggestions; saved as YAML."""

from __future__ import annotations

from typing import Any

from clv_helpers.charts.declared import as_shown
from clv_helpers.charts.show import note
from clv_helpers.conditions import Attribute
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import composer_state, spec
from clv_helpers.dashboards.composer_state import Pictures, SqlText
from clv_helpers.dashboards.draft import Draft, save
from clv_helpers.dashboards.proposals import Proposer, chosen, ways_of
from clv_helpers.dashboards.sources import sources, values_of
from clv_helpers.editors import files, html
from clv_helpers.editors.acting import Editor
from clv_helpers.engines.guarded_query import MEMORY, ask
from clv_helpers.errors import UserError

PREVIEW_ROWS = 8


def composer(workbook: Workbook, name: str = "") -> Any:
    """Compose a dashboard by clicking (a new one where none is named). In a batch run there is nobody to: a sentence.

    Gives an ipywidget for JupyterLab and Voila. Raises ParamsError for a dashboard that does not exist.

    Example:
        >>> dashboards.composer(wb, "value")  # doctest: +ELLIPSIS
        <clv_helpers.dashboards.grid.ComposerView object at ...>
    """
    if not workbook.interactive:
        return note("In JupyterLab, boards are composed here: choose a table and its columns; saved as YAML.")
    return Composer(workbook, name).view


class Composer(Editor):
    """Holds the draft, and takes the actions of `view`, the widget to display, whose state it sets after each."""

    on_the_draft = (
        "undo", "redo", "duplicate", "delete", "move", "move_to", "resize", "clear", "swap", "set", "set_offer",
        "withdraw",
    )  # fmt: skip
    own = (
        "select", "add", "take", "put", "filter", "turn_filter", "highlight", "offer", "suggest", "head", "rename",
        "open", "new", "copy", "save", "delete_board", "preview_sql", "use_sql",
    )  # fmt: skip
    draft: Draft

    def __init__(self, workbook: Workbook, name: str = ""):
        from clv_helpers.dashboards.grid import ComposerView

        self.workbook, self.propose, self.pictures = workbook, Proposer(workbook), Pictures(workbook)
        with workbook.engine.read() as session:
            self.sources = sources(session, workbook)
        self.usual = {source.name: source.usual for source in self.sources}
        self.sql = SqlText()
        self.columns: list[Attribute] = []  # of the selected widget's source
        self.view = ComposerView()
        self.view.on_msg(lambda _, message, __: self.act(**message))
        self.new()
        if name:
            self.open(name)
        self.refresh()

    def refresh(self) -> None:
        """Show the draft."""
        with self.workbook.engine.read(memory=MEMORY) as session:
            state = composer_state.state_of(session, self)
            self.view.state = state  # the board at once, and the suggestions once they are drawn
            self.view.state = state | {"suggestions": composer_state.suggested(session, self)}

    # the widgets and their columns

    def select(self, place: int) -> None:
        """The widget to work on."""
        if 0 <= place < len(self.draft.widgets):
            self.draft.selected = place

    def add(self, table: str, is_sql: bool = False) -> None:
        """A widget on a table or a SQL file; one that shows nothing yet makes room for it."""
        if self.draft.widget and not chosen(self.draft.widget):
            self.draft.delete()
        self.draft.add(table, is_sql)

    def _column(self, name: str) -> Attribute:
        found = next((attribute for attribute in self.columns if attribute.name == name), None)
        if found is None:
            raise UserError(f"the column is {name!r}; allowed: {', '.join(a.name for a in self.columns)}")
        return found

    def take(self, column: str) -> None:
        """Choose a column, or no longer."""
        self.draft.take(self._column(column), self.columns)

    def put(self, shelf: str, column: str) -> None:
        """A column on a shelf."""
        self.draft.put(shelf, self._column(column))

    def suggest(self, place: int) -> None:
        """Draw the widget in one of the suggested ways."""
        self.draft.draw(ways_of(self.draft.widget, self.columns)[place])

    def filter(self, column: str) -> None:
        """Show the rows of one value of a column only: the first, to be changed."""
        values = self._values(column)
        if not values:
            raise UserError(f"{column} has no value to filter by")
        self.draft.set(f"filters.{column}", values[0])

    def turn_filter(self, kind: str, column: str) -> None:
        """From rows with these values to rows without them, and back."""
        other = {"filters": "exclude", "exclude": "filters"}[kind]
        values = self.draft.get(f"{kind}.{column}")
        self.draft.set(f"{kind}.{column}", None)
        self.draft.set(f"{other}.{column}", values)

    def highlight(self, column: str = "", value: Any = None) -> None:
        """The mark of this value stands out; none does without a column."""
        self.draft.set("highlight", {column: value} if column else None)

    def offer(self, column: str) -> None:
        """A filter of the whole board by a column."""
        self.draft.offer(self._column(column).name, composer_state.label_of(self.workbook, column))

    def _values(self, column: str) -> list[Any]:
        with self.workbook.engine.read() as session:
            return values_of(session, self.workbook, self.draft.widget, column)

    # files

    def head(self, key: str, value: str) -> None:
        """The board's title or description."""
        self.draft.set_head(key, value)

    def open(self, name: str) -> None:
        """Read a board; unsaved changes go."""
        spec.load(self.workbook, name)  # says what is wrong with it
        raw = yaml_files.read(self.workbook, "dashboards", name)
        read_as = yaml_files.fingerprint(yaml_files.file_of(self.workbook, "dashboards", name))
        self._begin(Draft(raw, self.propose, self.usual), name, read_as)

    def new(self) -> None:
        """Begin an empty board."""
        self._begin(Draft(None, self.propose, self.usual))

    def copy(self) -> None:
        """Go on with a copy, to be saved under another name."""
        self.name, self.opened, self.read_as = f"{self.name or self.proposed_name}_copy", "", ""

    @property
    def proposed_title(self) -> str:
        """What a board without a title is called: as its first widget."""
        return self.draft.widgets[0]["title"] if self.draft.widgets else ""

    @property
    def title(self) -> str:
        """The board's, or as its first widget."""
        return super().title or self.proposed_title

    def save(self) -> None:
        """Write the board's file, where nobody else has changed it meanwhile."""
        if not self.draft.raw.get("title"):
            self.draft.set_head("title", self.proposed_title)
        name = self.name or self.proposed_name
        self.read_as = save(self.workbook, name, self.draft.raw, self.read_as if name == self.opened else "")
        self.opened = self.name = name
        self._keep()
        self.status = f"Saved as dashboards/{name}.yml"

    def delete_board(self) -> None:
        """Delete the board's file. Who asks for it has confirmed it."""
        name = self.opened
        file = yaml_files.file_of(self.workbook, "dashboards", name) if name else None
        if file is None or not file.exists():
            raise UserError(f"{name or 'This board'} has no file of yours to delete; a built-in board stays.")
        files.delete(file, self.read_as)
        self.new()
        self.status = f"Deleted dashboards/{name}.yml"

    # SQL of one's own

    def preview_sql(self, text: str) -> None:
        """Run the SELECT on the published tables, read-only; a few of its rows, as they may be shown."""
        self.sql = SqlText(self.sql.name, text, self.sql.read_as, self.sql.of)
        with self.workbook.engine.read(memory=MEMORY) as session:
            rows = ask(session, text, "the SQL", PREVIEW_ROWS)
        shown = as_shown(self.workbook, text, rows, None).to_dict("records")
        self.sql.rows = [{str(name): html.in_short(value) for name, value in row.items()} for row in shown]

    def use_sql(self, name: str, text: str) -> None:
        """Save the SELECT beside the dashboards, and take a widget's rows from it."""
        read_as = self.sql.read_as if name == self.sql.name else ""
        self.sql = SqlText(name, text, read_as, self.sql.of)
        file = yaml_files.file_of(self.workbook, "dashboards", name, "sql")
        self.preview_sql(text)
        self.sql.read_as = yaml_files.save(file, text.rstrip() + "\n", read_as)
        self.sql.of = name
        if self.draft.widget.get("sql") != name:
            self.add(name, is_sql=True)
