"""The YAML files beside a params file: params/<workbook>/dashboards/*.yml and params/<workbook>/audiences/*.yml."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from clv_helpers.config.validation import ParamsError, Problem, Spec, read_yaml, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import write_atomically

Kind = Literal["dashboards", "audiences"]
# What a workbook without files of its own uses.
BUILT_IN = Path(__file__).resolve().parents[1] / "templates"
# Of these, one's own take the place of all that are built in; of others, each that of the one of its name.
REPLACED_TOGETHER = ("audiences",)


class SpecChanged(UserError):
    """The file changed since it was read: saving would lose what another wrote."""


def folders(workbook: Workbook, kind: Kind) -> list[Path]:
    """Where files of one kind are looked for, in this order: params/<workbook>/<kind>/, then the built-in ones."""
    own, built_in = workbook.specs / kind, BUILT_IN / kind
    return [own] if kind in REPLACED_TOGETHER and any(own.glob("*.yml")) else [own, built_in]


def names(workbook: Workbook, kind: Kind, ending: str = "yml") -> list[str]:
    """The files of one kind, by name, sorted."""
    return sorted({file.stem for folder in folders(workbook, kind) for file in folder.glob(f"*.{ending}")})


def find(workbook: Workbook, kind: Kind, name: str, ending: str = "yml") -> Path | None:
    """A file of one kind, one's own before a built-in one; None where there is neither."""
    files = [folder / f"{name}.{ending}" for folder in folders(workbook, kind)]
    return next((file for file in files if file.exists()), None)


def load(workbook: Workbook, kind: Kind, name: str, model: type[Spec]) -> Spec:
    """Read one file as its model. Raises ParamsError, which names the place, the value and what is allowed."""
    return validate(model, read(workbook, kind, name), shown(workbook, kind, name))


def read(workbook: Workbook, kind: Kind, name: str) -> dict[str, Any]:
    """Read one file as plain values, one's own before a built-in one. Raises ParamsError."""
    file = find(workbook, kind, name)
    if file is None:
        known = ", ".join(names(workbook, kind))
        raise ParamsError(str(workbook.file), [Problem(kind.removesuffix("s"), repr(name), known)])
    return read_yaml(file, shown(workbook, kind, name))


def shown(workbook: Workbook, kind: Kind, name: str) -> str:
    """A spec's file as messages name it: params/<workbook>/<kind>/<name>.yml, from where the params file is named."""
    return str(workbook.file.parent / workbook.name / kind / f"{name}.yml")


def file_of(workbook: Workbook, kind: Kind, name: str, ending: str = "yml") -> Path:
    """Where a file of the workbook's own is kept, which need not be there.

    Raises ParamsError for a name that is not one of a file.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,60}", name):
        allowed = "small letters, digits, _ and -, such as best_now_quiet"
        raise ParamsError(str(workbook.file), [Problem(f"the {kind.removesuffix('s')}'s name", repr(name), allowed)])
    return workbook.specs / kind / f"{name}.{ending}"


def fingerprint(file: Path) -> str:
    """What `save` compares: changes with the file's content; empty where there is no file."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def check_unchanged(file: Path, read_as: str) -> None:
    """Raise SpecChanged where the file is no longer the one with the fingerprint `read_as`."""
    if fingerprint(file) != read_as:
        what = "was changed by another" if read_as else "exists already"
        raise SpecChanged(f"{file.parent.name}/{file.name} {what}; load it, or save under another name")


def save(file: Path, text: str, read_as: str) -> str:
    """Write beside the file and rename; gives the new fingerprint. Raises SpecChanged.

    The first of a kind that is replaced together takes the built-in ones with it: what a workbook had before, it has
    still. Where that fails none of them is there.
    """
    check_unchanged(file, read_as)
    kind = file.parent.name
    is_first = kind in REPLACED_TOGETHER and not any(file.parent.glob("*.yml"))
    built_in = {file.with_name(each.name): each for each in (BUILT_IN / kind).glob("*.yml") if is_first}
    try:
        for own, each in built_in.items():
            write_atomically(own, each.read_text("utf-8"))
        write_atomically(file, text)
    except OSError:
        for own in built_in:  # none of them was there before
            own.unlink(missing_ok=True)
        raise
    return fingerprint(file)


def round_trip() -> YAML:
    """The form in which specs are written: comments of a file that was read stay."""
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def dump(raw: Any) -> str:
    """Plain values as YAML, or what `round_trip` read."""
    stream = io.StringIO()
    round_trip().dump(raw, stream)
    return stream.getvalue()
