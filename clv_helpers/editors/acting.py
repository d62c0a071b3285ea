"""What composer and builder do alike: an action by its name, what was done or went wrong, and the file's name."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from clv_helpers.config.validation import ParamsError
from clv_helpers.editors import files
from clv_helpers.editors.draft import Draft
from clv_helpers.errors import UserError

NO_PROBLEM = {"at": "", "text": ""}
SAID = {
    "undo": "Undone.", "redo": "Done again.", "add": "Added.", "remove": "Removed.", "delete": "Removed.",
    "duplicate": "Copied.", "move": "Moved.", "move_to": "Moved.", "move_in": "Moved.", "move_out": "Moved.",
    "drop": "Moved.", "open": "Opened.", "new": "Emptied.", "select": "Selected.",
}  # fmt: skip
SILENT = ("head", "rename", "show", "preview_sql")


class Editor:
    """Takes the actions of a page, which change the `draft` or are its own; after each, `refresh` shows the draft."""

    on_the_draft: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[tuple[str, ...]] = ()
    draft: Draft[Any]

    def act(self, do: str, at: str = "", **given: Any) -> None:
        """One action by its name, such as `do="put", shelf="x", column="region"`; what goes wrong is said at `at`."""
        self.status, self.done, self.problem = "", "", NO_PROBLEM
        before = copy.deepcopy(self.draft.raw)
        try:
            if do not in (*self.on_the_draft, *self.own):
                raise UserError(f"the action is {do!r}; allowed: {', '.join((*self.on_the_draft, *self.own))}")
            self._do(do, **given)
            is_idle = do in self.on_the_draft and self.draft.raw == before
            self.done = "Nothing changed." if is_idle else "" if do in SILENT else SAID.get(do, "Changed.")
        except ParamsError as error:
            self.problem = {"at": at, "text": "\n".join(map(str, error.problems))}
        except UserError as error:
            self.problem = {"at": at, "text": str(error)}
        self.refresh()

    def _do(self, do: str, **given: Any) -> None:
        getattr(self.draft if do in self.on_the_draft else self, do)(**given)

    def refresh(self) -> None:
        """Show the draft."""
        raise NotImplementedError

    # the file

    def _begin(self, draft: Draft[Any], name: str = "", read_as: str = "") -> None:
        self.draft, self.opened, self.name, self.read_as = draft, name, name, read_as
        self.status, self.done, self.problem = "", "", NO_PROBLEM
        self._keep()

    def _keep(self) -> None:
        """The draft is as in the file; a copy, as moves change the draft in place."""
        self.kept = copy.deepcopy(self.draft.raw)

    @property
    def is_changed(self) -> bool:
        """Whether there is something to save."""
        return bool(self.draft.raw != self.kept)

    @property
    def title(self) -> str:
        """What the file's name is proposed from."""
        return str(self.draft.raw.get("title") or "")

    @property
    def proposed_name(self) -> str:
        """The file's name, from the title."""
        return files.name_of(self.title)

    def rename(self, name: str) -> None:
        """The file's name; empty: as proposed from the title."""
        self.name = name.strip()
