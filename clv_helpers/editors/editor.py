"""The base of an editor: a file bar on top, panes below, and a draft that every button and field changes.

Everything is a button or a field, so Tab, Enter and Space do what the mouse does. Here and above alone: ipywidgets.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.editors import html
from clv_helpers.editors.draft import Draft
from clv_helpers.errors import UserError

AnyDraft = TypeVar("AnyDraft", bound=Draft)
LABELLED = {"description_width": "initial"}
WRAPPED = {"flex_flow": "row wrap", "align_items": "center"}
STYLE = """
.clv-editor .clv-pane {border:1px solid #9aa7b4; border-radius:6px; padding:10px}
.clv-editor h4 {margin:0 0 4px 0; font-size:14px} .clv-editor .widget-html-content {line-height:1.45}
.clv-editor .widget-button:focus-visible {outline:2px solid #D55E00; outline-offset:1px}
.clv-editor table td, .clv-editor table th {padding:1px 8px 1px 0; text-align:left}
"""


def soon(action: Callable[[], object]) -> None:
    """Act once the fields are up to date: a click overtakes what was typed just before it, while the kernel is busy."""
    try:
        asyncio.get_running_loop().call_later(0.15, action)
    except RuntimeError:  # no event loop, so nobody types
        action()


class Editor(ABC, Generic[AnyDraft]):
    """Holds the draft and the widgets; `widget` is the box to display, which the subclass lays out.

    A subclass makes its panes before it calls `begin`, and defines how its files are read and written.
    """

    kind: ClassVar[yaml_files.Kind]
    css: ClassVar[str]
    placeholder: ClassVar[str]
    widget: Any  # ipywidgets bring no types

    def __init__(self, workbook: Workbook):
        import ipywidgets as ipw

        self.ipw, self.workbook = ipw, workbook
        self.draft, self.opened, self.read_as = self.empty(), "", ""
        self.filling = False
        self.files = ipw.Dropdown(options=self._names(), layout={"width": "200px"})
        self.name = self.text("File", width="220px", placeholder=self.placeholder, continuous_update=True)
        self.status = ipw.HTML()
        self.head: dict[str, tuple[Any, str]] = {}  # by key: the field, and what holds by default

    # what a subclass defines

    @abstractmethod
    def empty(self) -> AnyDraft:
        """A draft of a new file."""

    @abstractmethod
    def read(self, name: str) -> AnyDraft:
        """A file as a draft. Raises ParamsError, which says what is wrong with it."""

    @abstractmethod
    def write(self, name: str, read_as: str) -> str:
        """The draft as a file; gives its fingerprint. Raises ParamsError for an incomplete one, SpecChanged."""

    @abstractmethod
    def refresh(self) -> None:
        """Show the draft in the panes."""

    def head_changed(self, key: str) -> None:  # noqa: ARG002 (for those that override it)
        """What follows from a change of the title or another text of the whole file."""
        self.refresh()

    # fields and boxes

    def button(self, label: str, action: Callable[[], object], style: str = "") -> Any:
        """A button whose errors stand in the status line."""
        button = self.ipw.Button(description=label, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: self.attempt(action))
        return button

    def move_buttons(self, moves: dict[str, Callable[[AnyDraft], object]]) -> Any:
        """A button for each move of the draft, with undo and redo."""
        moves = {**moves, "Undo": lambda draft: draft.undo(), "Redo": lambda draft: draft.redo()}
        buttons = [self.button(label, partial(self.change, move)) for label, move in moves.items()]
        return self.ipw.HBox(buttons, layout=WRAPPED)

    def text(self, label: str, *, width: str, placeholder: str = "", continuous_update: bool = False) -> Any:
        """A field for a text."""
        return self.ipw.Text(
            description=label,
            placeholder=placeholder,
            style=LABELLED,
            layout={"width": width},
            continuous_update=continuous_update,
        )

    def head_field(self, key: str, field: Any, default: str = "") -> Any:
        """A field for a text of the whole file: such as its title."""
        self.head[key] = (field, default)
        field.observe(lambda change: self._set_head(key, change["new"], default), "value")
        return field

    def file_bar(self, *more: Any) -> Any:
        """Load, begin, copy and save a file, and what more the subclass does with one."""
        actions = {"Load": self.load, "New": self.new, "Copy": self.copy}
        buttons = [self.file_button(label, action) for label, action in actions.items()]
        save = self.file_button("Save", self.save, "primary")
        return self.ipw.HBox([self.files, *buttons, self.name, save, *more, self.status], layout=WRAPPED)

    def file_button(self, label: str, action: Callable[[], object], style: str = "") -> Any:
        """A button that first waits for what was typed just before the click."""
        return self.button(label, partial(soon, partial(self.attempt, action)), style)

    def panes(self, template: str, panes: dict[str, list[Any]]) -> Any:
        """Panes side by side, each under its heading."""
        boxes = [self.ipw.VBox([self.ipw.HTML(f"<h4>{heading}</h4>"), *parts]) for heading, parts in panes.items()]
        for box in boxes:
            box.add_class("clv-pane")
        layout = {"grid_template_columns": template, "grid_gap": "10px", "align_items": "flex-start"}
        return self.ipw.GridBox(boxes, layout=layout)

    def box(self, *parts: Any, style: str = "") -> Any:
        """All of the editor, one part below the other."""
        box = self.ipw.VBox([self.ipw.HTML(f"<style>{STYLE}{style}</style>"), *parts])
        box.add_class("clv-editor").add_class(self.css)
        return box

    # the draft

    def begin(self, name: str) -> None:
        """Open the named file, or none."""
        if name:
            self.files.value = name
            self.load()
        else:
            self._open(self.empty(), "", "")

    def attempt(self, action: Callable[[], object]) -> None:
        """Act; what cannot be done stands in the status line."""
        try:
            self.status.value = ""
            action()
        except UserError as error:
            self.status.value = html.problem(str(error))

    def change(self, move: Callable[[AnyDraft], object]) -> None:
        """One change of the draft, and everything that follows from it."""
        if not self.filling:
            self.attempt(lambda: move(self.draft))
            self.refresh()

    @contextmanager
    def fill(self) -> Iterator[None]:
        """Within it fields are set to what the draft holds, and change nothing."""
        before, self.filling = self.filling, True
        try:
            for key, (field, default) in self.head.items():
                field.value = self.draft.raw.get(key, default)
            yield
        finally:
            self.filling = before

    def _set_head(self, key: str, value: str, default: str) -> None:
        if not self.filling:
            self.attempt(lambda: self.draft.set_head(key, value, default))
            self.head_changed(key)

    # files

    def new(self) -> None:
        """Begin an empty draft."""
        self._open(self.empty(), "", "")

    def load(self) -> None:
        """Read the chosen file; unsaved changes go."""
        name = self.files.value
        if not name:
            raise UserError(f"There is no file in {self.kind} to load yet.")
        draft = self.read(name)
        self._open(draft, name, yaml_files.fingerprint(yaml_files.file_of(self.workbook, self.kind, name)))

    def copy(self) -> None:
        """Go on with a copy, to be saved under another name."""
        self.name.value, self.opened, self.read_as = f"{self.name.value or 'new'}_copy", "", ""
        self.refresh()

    def save(self) -> None:
        """Write the file, where nobody else has changed it meanwhile."""
        name = self.name.value
        self.read_as = self.write(name, self.read_as if name == self.opened else "")
        self.opened = name
        self.files.options = self._names()
        self.files.value = name
        self.status.value = html.done(f"saved as {self.kind}/{name}.yml")
        self.refresh()

    def _open(self, draft: AnyDraft, name: str, read_as: str) -> None:
        self.draft, self.opened, self.read_as = draft, name, read_as
        self.name.value = name
        self.refresh()

    def _names(self) -> list[str]:
        return yaml_files.names(self.workbook, self.kind)
