"""The segment builder: blocks on the left, the rule in the middle, its estimate on the right. Here alone: ipywidgets.

Everything is a button or a field, so Tab, Enter and Space do what the mouse does.
"""

from __future__ import annotations

import time
from typing import Any

from IPython.display import display
from pydantic import ValidationError

from clv_helpers.audiences import audience_files, estimate, memberships, panels, views
from clv_helpers.audiences.blocks import Blocks, soon
from clv_helpers.audiences.draft import Draft, Row, problem_of
from clv_helpers.audiences.formats import CannotExpress, platform_notes
from clv_helpers.audiences.hints import hints
from clv_helpers.audiences.rule import Audience, parse_part
from clv_helpers.audiences.sentence import part_in_words, to_sentence
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, parse_value
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError

TABS = ("Funnel", "Sentence", "SQL", "PQL", "YAML", "Ten customers", "Notes", "Changes")
STYLE = """<style>
.clv-builder .widget-button.clv-row {text-align:left; white-space:normal; height:auto; min-height:30px;
  line-height:1.35; padding:5px 10px; background:#F5F7F9;
  border:1px solid #DDE3E8; border-radius:4px; overflow-wrap:anywhere; color:#222}
.clv-builder .widget-button.clv-group {background:#E8F1F7; font-weight:600}
.clv-builder .widget-button.clv-out {background:#FBEDE6; border-color:#E8B79B}
.clv-builder .widget-button.clv-chosen {box-shadow:0 0 0 2px #0072B2}
.clv-builder .widget-button:focus-visible {outline:2px solid #D55E00; outline-offset:1px}
.clv-builder .widget-html-content {line-height:1.45}
.clv-builder h4 {margin:0 0 4px 0; font-size:14px} .clv-builder table td {padding:1px 4px; text-align:right}
.clv-builder .clv-panel {border:1px solid #DDE3E8; border-radius:6px; padding:10px}
</style>"""


def builder(workbook: Workbook, name: str = "") -> Any:
    """Edit an audience (a new one where none is named). In a batch run: its count, funnel and sentence, as they are.

    Raises ParamsError for an audience that does not exist.
    """
    if not workbook.interactive:
        for each in views.summary(workbook, name):
            display(each)
        return None
    return Builder(workbook, name).face


class Builder:
    """Holds the draft and the widgets; `face` is the box to display."""

    def __init__(self, workbook: Workbook, name: str = ""):
        import ipywidgets as ipw

        self.ipw, self.workbook = ipw, workbook
        self.draft, self.opened, self.saved, self.read_as = Draft(), "", None, ""
        self.found, self.parsed = None, None
        with workbook.engine.read() as session:
            self.catalog = views.published_context(session, words=workbook.words).catalog
        self.blocks = Blocks(workbook, self.catalog, self._change)
        self._make_canvas()
        self._make_result()
        self._make_file()
        self.face = self._lay_out()
        if name:
            self.files.value = name
            self.load()
        else:
            self.refresh()

    # what the panes hold

    def _make_canvas(self) -> None:
        ipw = self.ipw
        self.rows = ipw.VBox(layout={"width": "100%"})
        self.source = ipw.Textarea(rows=4, layout={"width": "100%"}, placeholder="the selected part as YAML")
        moves = {
            "↑ Up": lambda d: d.move(-1), "↓ Down": lambda d: d.move(1), "→ Into": lambda d: d.move_in(),
            "← Out": lambda d: d.move_out(), "And / or": lambda d: d.switch(), "Exclude": lambda d: d.exclude(),
            "Wrap": lambda d: d.wrap(), "Unwrap": lambda d: d.unwrap(), "To rules": self._to_rules,
            "Remove": lambda d: d.remove(), "Undo": lambda d: d.undo(),
        }  # fmt: skip
        buttons = [self._button(label, move) for label, move in moves.items()]
        self.tools = ipw.HBox(buttons, layout={"flex_flow": "row wrap"})
        self.apply = ipw.Button(description="Apply to the selected part", layout={"width": "auto"})
        self.apply.on_click(lambda _: self._change(lambda d: d.replace(parse_value(self.source.value))))

    def _make_result(self) -> None:
        ipw = self.ipw
        self.count = ipw.HTML()
        self.tabs = ipw.Tab([ipw.HTML() for _ in TABS], titles=TABS)
        self.tabs.observe(lambda _: self._show_tab(), names="selected_index")

    def _make_file(self) -> None:
        ipw, width = self.ipw, {"description_width": "initial"}
        self.title = ipw.Text(description="Title", layout={"width": "260px"}, style=width, continuous_update=False)
        self.description = ipw.Text(
            description="Who is in it", layout={"flex": "1"}, style=width, continuous_update=False
        )
        evaluations = ["batch", "streaming"]
        self.evaluation = ipw.Dropdown(
            description="Evaluated", options=evaluations, layout={"width": "170px"}, style=width
        )
        self.zone = ipw.Text(
            description="Time zone", value="UTC", layout={"width": "200px"}, style=width, continuous_update=False
        )
        self.name = ipw.Text(description="File", placeholder="best_now_quiet", layout={"width": "260px"}, style=width)
        self.files = ipw.Dropdown(options=audience_files.names(self.workbook), layout={"width": "220px"})
        self.status = ipw.HTML()
        for widget, key in (
            (self.title, "title"), (self.description, "description"),
            (self.evaluation, "evaluation"), (self.zone, "time_zone"),
        ):  # fmt: skip
            widget.observe(lambda change, key=key: self._say(key, change["new"]), names="value")
        actions = {"New": self.new, "Load": self.load, "Duplicate": self.duplicate}
        actions |= {"Save": self.save, "Evaluate": self.evaluate}
        self.actions = [ipw.Button(description=label, layout={"width": "92px"}) for label in actions]
        for button, action in zip(self.actions, actions.values(), strict=True):
            button.on_click(lambda _, action=action: soon(lambda: self._tried(action)))
        self.actions[3].button_style = "primary"

    def _lay_out(self) -> Any:
        ipw = self.ipw
        new, load, duplicate, save, evaluate = self.actions
        wrapped = {"flex_flow": "row wrap"}
        files = [self.files, load, new, duplicate, self.name, save, evaluate, self.status]
        about = [self.title, self.description, self.evaluation, self.zone]
        head = ipw.VBox([ipw.HBox(files, layout=wrapped), ipw.HBox(about, layout=wrapped)])
        left = self.blocks.face
        middle = ipw.VBox([ipw.HTML("<h4>The rule</h4>"), self.tools, self.rows, self.source, self.apply])
        right = ipw.VBox([ipw.HTML("<h4>Estimate</h4>"), self.count])
        for panel in (left, middle, right):
            panel.add_class("clv-panel")
        columns = ipw.GridBox(
            [left, middle, right],
            layout={
                "grid_template_columns": "300px minmax(320px,1fr) 250px",
                "grid_gap": "10px",
                "align_items": "flex-start",
            },
        )
        face = ipw.VBox([ipw.HTML(STYLE), head, columns, self.tabs])
        face.add_class("clv-builder")
        return face

    # the rule

    def _button(self, label: str, move: Any) -> Any:
        button = self.ipw.Button(description=label, layout={"width": "auto"})
        button.on_click(lambda _: self._change(move))
        return button

    def _change(self, move: Any) -> None:
        """One change of the draft, and everything that follows from it."""
        self._tried(lambda: move(self.draft))
        self.refresh()

    def _tried(self, action: Any) -> None:
        try:
            self.status.value = ""
            action()
        except UserError as error:
            self.status.value = panels.problem_panel(str(error))

    def _to_rules(self, draft: Draft) -> None:
        part = draft.row().part
        if "audience" not in part:
            raise UserError("Select an audience in the rule; it is replaced by a copy of its own rule.")
        copy = audience_files.as_rules(parse_part(part), audience_files.load_all(self.workbook))
        draft.replace(copy.model_dump(mode="json", by_alias=True, exclude_defaults=True))

    def _say(self, key: str, value: str) -> None:
        if self.draft.raw.get(key, {"evaluation": "batch", "time_zone": "UTC"}.get(key, "")) != value:
            self.draft.set(**{key: value})
            if key in ("evaluation", "time_zone"):
                self.refresh()
            elif self.parsed:  # a title changes no count, and the panes need not be drawn anew under the mouse
                self.parsed = self.draft.parse() if not problem_of(self.draft) else None
                self._show_tab()

    def _draw_rows(self) -> None:
        chosen = self.draft.row()
        buttons = []
        for row in self.draft.rows():
            button = self.ipw.Button(description=_in_words(row, self.draft), tooltip="select")
            button.layout = {"margin": f"2px 0 2px {22 * row.depth}px", "width": "auto", "align_self": "stretch"}
            for name, applies in (
                ("clv-row", True), ("clv-group", bool(row.container)), ("clv-out", row.excluded),
                ("clv-chosen", row.path == chosen.path),
            ):  # fmt: skip
                if applies:
                    button.add_class(name)
            button.on_click(lambda _, path=row.path: self._select(path))
            buttons.append(button)
        self.rows.children = buttons
        self.source.value = yaml_files.dump(chosen.part)

    def _select(self, path: tuple[int, ...]) -> None:
        self.draft.selected = path
        self._draw_rows()
        next(b for b, row in zip(self.rows.children, self.draft.rows(), strict=True) if row.path == path).focus()

    # the result

    def refresh(self) -> None:
        """Draw the rule, and count anew."""
        self._draw_rows()
        problem = problem_of(self.draft)
        self.found, self.parsed = None, None
        if not problem:
            try:
                self.parsed = self.draft.parse()
                self._estimate(self.parsed)
            except UserError as error:
                problem, self.parsed = str(error), None
        if problem:
            self.count.value = panels.problem_panel(problem)
        self._show_tab()

    def _estimate(self, audience: Audience) -> None:
        params = self.workbook.params
        with self.workbook.engine.read() as session:
            context = views.checked_context(session, "the draft", audience)
            started = time.perf_counter()
            self.found = estimate.estimate(session, audience.rule, context)
            seconds = time.perf_counter() - started
            overlap = estimate.overlaps(session, audience.rule, context)
        self.count.value = panels.estimate_panel(self.found, seconds, overlap, params.value.unit, params.spending.unit)

    def _show_tab(self) -> None:
        """Fill the open tab, and it alone."""
        index = self.tabs.selected_index or 0
        panel = self.tabs.children[index]
        if self.parsed is None:
            panel.value = "<p>Nothing to show while the rule is not complete.</p>"
            return
        try:
            panel.value = self._tab(TABS[index], self.parsed)
        except CannotExpress as error:
            panel.value = panels.problem_panel(str(error))

    def _tab(self, tab: str, audience: Audience) -> str:
        match tab:
            case "Funnel":
                return panels.funnel_panel(self.found)
            case "Sentence":
                return panels.list_panel([to_sentence(audience, self.workbook.words)], "")
            case "SQL" | "PQL":
                return panels.code_panel(views.in_language(self.workbook, audience, tab.lower()))
            case "YAML":
                return panels.code_panel(audience_files.to_yaml(audience))
            case "Ten customers":
                with self.workbook.engine.read() as session:
                    context = views.checked_context(session, "the draft", audience)
                    return panels.customers_panel(estimate.sample_customers(session, audience.rule, context))
            case "Notes":
                return panels.list_panel([*hints(audience), *platform_notes(audience)], "Nothing to note.")
        changes = audience_files.diff(self.saved, audience) if self.saved else ""
        return panels.code_panel(changes or ("As in the file." if self.saved else "Not saved yet."))

    # files

    def new(self) -> None:
        """Begin an empty draft."""
        self._open(Draft(), "", None, "")

    def load(self) -> None:
        """Read the chosen file; unsaved changes go."""
        name = self.files.value
        if not name:
            raise UserError("There is no audience to load yet.")
        audience = audience_files.load(self.workbook, name)
        self._open(Draft(audience), name, audience, audience_files.fingerprint(self.workbook, name))

    def duplicate(self) -> None:
        """Go on with a copy, to be saved under another name."""
        self.name.value, self.saved, self.read_as = f"{self.name.value or 'audience'}_copy", None, ""
        self.refresh()

    def save(self) -> None:
        """Write the file, where nobody else has changed it meanwhile."""
        if problem := problem_of(self.draft):
            raise UserError(problem)
        audience = self.draft.parse()
        with self.workbook.engine.read() as session:
            views.checked_context(session, self.name.value, audience)
        expected = self.read_as if self.name.value == self.opened else ""
        self.read_as = audience_files.save(self.workbook, self.name.value, audience, expected)
        self.opened, self.saved = self.name.value, audience
        self.files.options = audience_files.names(self.workbook)
        self.files.value = self.name.value
        self.status.value = f"<span class='clv-saved'>saved as audiences/{self.name.value}.yml</span>"
        self.refresh()

    def evaluate(self) -> None:
        """Bring the memberships of the saved audience up to date."""
        if not self.opened:
            raise UserError("Save the audience first; then it can be evaluated.")
        row = next(r for r in memberships.evaluate(self.workbook, self.opened) if r.audience == self.opened)
        said = f"{row.customers:,} {self.workbook.words.customers}: {row.realized:,} realized, {row.exited:,} exited"
        self.status.value = f"<span class='clv-evaluated'>{said}</span>"

    def _open(self, draft: Draft, name: str, saved: Audience | None, read_as: str) -> None:
        self.draft, self.opened, self.saved, self.read_as = draft, name, saved, read_as
        self.name.value = name
        for widget, key, unsaid in (
            (self.title, "title", ""), (self.description, "description", ""),
            (self.evaluation, "evaluation", "batch"), (self.zone, "time_zone", "UTC"),
        ):  # fmt: skip
            widget.value = draft.raw.get(key, unsaid)
        self.refresh()


def _in_words(row: Row, draft: Draft) -> str:
    """A row of the canvas: how it is joined to the one above, and what it says."""
    joined = ""
    if row.path and row.path[-1]:
        above = next(r for r in reversed(draft.rows()) if r.container and draft._inside(r) == row.path[:-1])
        joined = "and " if above.container == "all" else "or "
    out = "EXCLUDING " if row.excluded else ""
    if row.container:
        return f"{joined}{out}{'all of' if row.container == 'all' else 'any of'}:"
    try:
        return f"{joined}{out}{part_in_words(parse_part(row.part))}"
    except (ValidationError, ParamsError):
        return f"{joined}{out}(not complete) {yaml_files.dump(row.part).strip()}"
