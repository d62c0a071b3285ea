"""The YAML files beside a params file: params/<workbook>/dashboards/*.yml and params/<workbook>/audiences/*.yml."""

from __future__ import annotations

import io
from typing import Any, Literal

from ruamel.yaml import YAML

from clv_helpers.validation import ParamsError, Problem, Spec, read_yaml, validate
from clv_helpers.workbook import Workbook

Kind = Literal["dashboards", "audiences"]


def names(workbook: Workbook, kind: Kind) -> list[str]:
    """The files of one kind, by name, sorted."""
    return sorted(file.stem for file in (workbook.specs / kind).glob("*.yml"))


def load(workbook: Workbook, kind: Kind, name: str, model: type[Spec]) -> Spec:
    """Read one file as its model. Raises ParamsError, which names the place, the value and what is allowed."""
    file = workbook.specs / kind / f"{name}.yml"
    if not file.exists():
        known = ", ".join(names(workbook, kind)) or f"there is none in {workbook.specs / kind}"
        raise ParamsError(str(workbook.file), [Problem(kind.removesuffix("s"), repr(name), known)])
    return validate(model, read_yaml(file), f"{kind}/{file.name}")


def dump(raw: Any) -> str:
    """Plain values as YAML."""
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(raw, stream)
    return stream.getvalue()
