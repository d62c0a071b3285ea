"""The composer: data on the left, the widget in the middle, its picture beside; saved as the board's YAML.

Everything is a button or a field, so Tab, Enter and Space do what the mouse does.
"""

from __future__ import annotations

from typing import Any

from clv_helpers.charts import MARKS, picture
from clv_helpers.charts.show import note
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import read_yaml
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import dashboard_files, spec
from clv_helpers.dashboards.data_panel import DataPanel, problem
from clv_helpers.dashboards.draft import Draft, problem_of
from clv_helpers.dashboards.properties import Properties
from clv_helpers.errors import UserError

STYLE = """<style>
.clv-composer .clv-pane {border:1px solid #9aa7b4; border-radius:6px; padding:10px}
.clv-composer h4 {margin:0 0 4px 0; font-size:14px} .clv-composer .widget-html-content {line-height:1.45}
.clv-composer .widget-button:focus-visible {outline:2px solid #D55E00; outline-offset:1px}
.clv-composer table td, .clv-composer table th {padding:1px 8px 1px 0; text-align:left}
</style>"""


def composer(workbook: Workbook, name: str = "") -> Any:
    """Compose a dashboard (a new one where none is named). In a batch run there is nobody to compose: a sentence.

    Raises ParamsError for a dashboard that does not exist.
    """
    if not workbook.interactive:
        return note("In JupyterLab, widgets are composed here: a column on an axis, a mark, a title; saved as YAML.")
    return Composer(workbook, name).face


class Composer:
    """Holds the draft and the widgets; `face` is the box to display."""

    def __init__(self, workbook: Workbook, name: str = ""):
        import ipywidgets as ipw

        from clv_helpers.dashboards.grid import View

        self.ipw, self.workbook = ipw, workbook
        self.draft, self.opened, self.read_as = Draft(), "", ""
        self.view = View(cards=[])
        self.data = DataPanel(workbook, self.change)
        self.properties = Properties(workbook, self.change)
        self.said = ipw.HTML()
        self._make_file()
        self._make_widgets()
        self.face = self._lay_out()
        if name:
            self.files.value = name
            self.load()
        else:
            self.refresh()

    # what the panes hold

    def _make_file(self) -> None:
        ipw, width = self.ipw, {"description_width": "initial"}
        self.files = ipw.Dropdown(options=spec.names(self.workbook), layout={"width": "190px"})
        self.name = ipw.Text(description="File", placeholder="my_board", style=width, layout={"width": "210px"})
        self.title = ipw.Text(description="Board", style=width, layout={"width": "320px"}, continuous_update=False)
        self.title.observe(lambda change: self.change(lambda d: d.retitle(change["new"])), "value")
        self.status = ipw.HTML()
        self.delete_button = self._button("Delete board", self.delete)
        self.sure = ipw.Checkbox(description="sure", indent=False, layout={"width": "70px"})

    def _make_widgets(self) -> None:
        self.list = self.ipw.Select(rows=9, layout={"width": "auto"})
        self.list.observe(lambda change: self._select(change["new"]), "value")
        moves = {
            "Add": lambda d: d.add(self.data.table), "Duplicate": lambda d: d.duplicate(),
            "Delete": lambda d: d.delete(), "↑": lambda d: d.move(-1), "↓": lambda d: d.move(1),
            "Wider": lambda d: d.resize(1), "Narrower": lambda d: d.resize(-1), "Undo": lambda d: d.undo(),
        }  # fmt: skip
        buttons = [self._button(label, lambda move=move: self.change(move)) for label, move in moves.items()]
        self.tools = self.ipw.HBox(buttons, layout={"flex_flow": "row wrap"})
        self.mark = self.ipw.Dropdown(description="Mark", options=list(MARKS), style={"description_width": "initial"})
        self.mark.observe(lambda change: self.change(lambda d: d.set("mark", change["new"])), "value")

    def _lay_out(self) -> Any:
        ipw, wrapped = self.ipw, {"flex_flow": "row wrap", "align_items": "center"}
        head = ipw.HBox(
            [self.files, self._button("Load", self.load), self._button("New", self.new),
             self._button("Copy", self.copy), self.name, self.title, self._button("Save", self.save, "primary"),
             self.delete_button, self.sure, self.status],
            layout=wrapped,
        )  # fmt: skip
        left = ipw.VBox([ipw.HTML("<h4>Data</h4>"), self.data.face])
        widgets = [ipw.HTML("<h4>Widgets of the board</h4>"), self.list, self.tools]
        middle = ipw.VBox([*widgets, ipw.HTML("<h4>The widget</h4>"), self.mark, self.properties.face])
        right = ipw.VBox([ipw.HTML("<h4>As it will stand</h4>"), self.said, self.view])
        for pane in (left, middle, right):
            pane.add_class("clv-pane")
        template = "280px minmax(450px, 1fr) minmax(360px, 1.1fr)"
        panes = ipw.GridBox(
            [left, middle, right],
            layout={"grid_template_columns": template, "grid_gap": "10px", "align_items": "flex-start"},
        )
        face = ipw.VBox([ipw.HTML(STYLE), head, panes])
        face.add_class("clv-composer")
        return face

    def _button(self, label: str, action: Any, style: str = "") -> Any:
        button = self.ipw.Button(description=label, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: self._tried(action))
        return button

    def _tried(self, action: Any) -> None:
        try:
            self.status.value = ""
            action()
        except UserError as error:
            self.status.value = problem(str(error))

    # the draft

    def change(self, move: Any) -> None:
        """One change of the draft, and everything that follows from it."""
        if not getattr(self, "filling", False):
            self._tried(lambda: move(self.draft))
            self.refresh()

    def _select(self, index: int | None) -> None:
        if index is not None and not self.filling and index != self.draft.selected:
            self.draft.selected = index
            self.refresh()

    def refresh(self) -> None:
        """Show the draft: its widgets, the selected one's properties and picture."""
        self.filling = True
        try:
            self.title.value = self.draft.raw["title"]
            options = [(f"{i}. {w['title']}", i - 1) for i, w in enumerate(self.draft.widgets, 1)]
            self.list.options = options
            self.list.value = self.draft.selected if options else None
            self.mark.value = self.draft.widget.get("mark", "bar")
            self.data.show(self.draft)
            self.properties.show(self.draft)
        finally:
            self.filling = False
        self._draw()

    def _draw(self) -> None:
        from clv_helpers.dashboards.grid import card

        self.said.value = problem(found) if (found := problem_of(self.draft)) else ""
        if found:
            self.view.cards = []
            return
        try:
            widget = self.draft.parse_widget().model_copy(update={"width": "full"})
            with self.workbook.engine.read() as session:
                drawn = picture(session, self.workbook, widget)
            self.view.cards = [card(drawn, f"{self.opened}/{self.draft.selected}/{widget.mark}")]
        except UserError as error:
            self.said.value, self.view.cards = problem(str(error)), []

    # files

    def new(self) -> None:
        """Begin an empty board."""
        self._open(Draft(), "", "")

    def load(self) -> None:
        """Read the chosen file; unsaved changes go."""
        name = self.files.value
        if not name:
            raise UserError("There is no dashboard to load yet.")
        spec.load(self.workbook, name)  # says what is wrong with it
        file = dashboard_files.file_of(self.workbook, name)
        self._open(Draft(read_yaml(file)), name, yaml_files.fingerprint(file))

    def copy(self) -> None:
        """Go on with a copy of the board, to be saved under another name."""
        self.name.value, self.opened, self.read_as = f"{self.name.value or 'board'}_copy", "", ""

    def save(self) -> None:
        """Write the file, where nobody else has changed it meanwhile."""
        expected = self.read_as if self.name.value == self.opened else ""
        self.read_as = dashboard_files.save(self.workbook, self.name.value, self.draft.raw, expected)
        self.opened = self.name.value
        self.files.options = spec.names(self.workbook)
        self.files.value = self.opened
        self.status.value = f"<span class='clv-saved'>saved as dashboards/{self.opened}.yml</span>"

    def delete(self) -> None:
        """Delete the board's file; the box beside must be ticked."""
        if not self.opened or not self.sure.value:
            raise UserError("Load the board, and tick “sure”; then its file is deleted.")
        dashboard_files.delete(self.workbook, self.opened, self.read_as)
        self.sure.value = False
        gone = self.opened
        self.files.options = spec.names(self.workbook)
        self.new()
        self.status.value = f"<span class='clv-saved'>deleted dashboards/{gone}.yml</span>"

    def _open(self, draft: Draft, name: str, read_as: str) -> None:
        self.draft, self.opened, self.read_as = draft, name, read_as
        self.name.value = name
        self.refresh()
