"""The composer: data on the left, the widget in the middle, its picture beside; saved as the board's YAML."""

from __future__ import annotations

from typing import Any

from clv_helpers.charts import MARKS, picture
from clv_helpers.charts.show import note
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import spec
from clv_helpers.dashboards.data_panel import DataPanel
from clv_helpers.dashboards.draft import Draft, problem_of, save
from clv_helpers.dashboards.properties import Properties
from clv_helpers.editors import Editor, files, html
from clv_helpers.engines.guarded_query import MEMORY
from clv_helpers.errors import UserError


def composer(workbook: Workbook, name: str = "") -> Any:
    """Compose a dashboard by clicking (a new one where none is named). In a batch run there is nobody to: a sentence.

    Gives an ipywidgets box in JupyterLab. Raises ParamsError for a dashboard that does not exist.

    Example:
        >>> dashboards.composer(wb, "value")  # doctest: +ELLIPSIS
        VBox(...)
    """
    if not workbook.interactive:
        return note("In JupyterLab, widgets are composed here: a column on an axis, a mark, a title; saved as YAML.")
    return Composer(workbook, name).widget


class Composer(Editor[Draft]):
    """The editor of dashboards."""

    kind, css, placeholder = "dashboards", "clv-composer", "my_board"

    def __init__(self, workbook: Workbook, name: str = ""):
        from clv_helpers.dashboards.grid import View

        super().__init__(workbook)
        ipw = self.ipw
        self.view, self.problem = View(cards=[]), ipw.HTML()
        self.data, self.properties = DataPanel(self), Properties(self)
        self.sure = ipw.Checkbox(description="sure", indent=False, layout={"width": "70px"})
        self.list = ipw.Select(rows=9, layout={"width": "auto"})
        self.list.observe(lambda change: self._select(change["new"]), "value")
        self.mark = ipw.Dropdown(description="Mark", options=list(MARKS), style={"description_width": "initial"})
        self.mark.observe(lambda change: self.change(lambda draft: draft.set("mark", change["new"])), "value")
        self.widget = self._lay_out()
        self.begin(name)

    def _lay_out(self) -> Any:
        title = self.head_field("title", self.text("Board", width="320px"))
        moves = self.move_buttons({
            "Add": lambda draft: draft.add(self.data.table), "Duplicate": lambda draft: draft.duplicate(),
            "Delete": lambda draft: draft.delete(), "↑": lambda draft: draft.move(-1),
            "↓": lambda draft: draft.move(1), "Wider": lambda draft: draft.resize(1),
            "Narrower": lambda draft: draft.resize(-1),
        })  # fmt: skip
        heading = self.ipw.HTML("<h4>The widget</h4>")
        panes = {
            "Data": [self.data.widget],
            "Widgets of the board": [self.list, moves, heading, self.mark, self.properties.widget],
            "As it will stand": [self.problem, self.view],
        }
        bar = self.file_bar(title, self.file_button("Delete board", self.delete), self.sure)
        return self.box(bar, self.panes("280px minmax(450px, 1fr) minmax(360px, 1.1fr)", panes))

    # the draft

    def empty(self) -> Draft:
        return Draft()

    def read(self, name: str) -> Draft:
        spec.load(self.workbook, name)  # says what is wrong with it
        return Draft(yaml_files.read(self.workbook, "dashboards", name))

    def write(self, name: str, read_as: str) -> str:
        return save(self.workbook, name, self.draft.raw, read_as)

    def _select(self, index: int | None) -> None:
        if index is not None and not self.filling and index != self.draft.selected:
            self.draft.selected = index
            self.refresh()

    def refresh(self) -> None:
        """Show the draft: its widgets, the selected one's properties and picture."""
        with self.fill():
            options = [(f"{i}. {w['title']}", i - 1) for i, w in enumerate(self.draft.widgets, 1)]
            self.list.options = options
            self.list.value = self.draft.selected if options else None
            self.mark.value = self.draft.widget.get("mark", "bar")
            self.data.show(self.draft)
            self.properties.show(self.draft)
        try:
            self.view.cards = [] if (problem := problem_of(self.draft)) else [self._card()]
        except UserError as error:
            problem, self.view.cards = str(error), []
        self.problem.value = html.problem(problem)

    def _card(self) -> dict[str, Any]:
        widget = self.draft.parse_widget().model_copy(update={"width": "full"})
        with self.workbook.engine.read(memory=MEMORY) as session:
            across = [spec["column"] for spec in self.draft.raw.get("filters", []) if "column" in spec]
            drawn = picture(session, self.workbook, widget, across=across)
        return {"key": f"{self.opened}/{self.draft.selected}/{widget.mark}", **drawn.card}

    # files

    def delete(self) -> None:
        """Delete the board's file; the box beside must be ticked."""
        name = self.opened
        if not name or not self.sure.value:
            raise UserError("Load the board, and tick “sure”; then its file is deleted.")
        file = yaml_files.file_of(self.workbook, "dashboards", name)
        if not file.exists():
            raise UserError(f"{name} is a built-in board; one of your own of that name takes its place.")
        files.delete(file, self.read_as)
        self.sure.value = False
        self.files.options = spec.names(self.workbook)
        self.new()
        self.status.value = html.done(f"deleted dashboards/{name}.yml")
