"""Files of ours are checked at the door: a wrong key or value is named with its place and what is allowed."""

from __future__ import annotations

import copy
import difflib
import functools
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from clv_helpers.errors import UserError

Spec = typing.TypeVar("Spec", bound=BaseModel)


class Problem(typing.NamedTuple):
    """One thing wrong in a file: where, what stands there, what may stand there, and in which file, once known.

    Without a place the value is a whole sentence.
    """

    path: str
    value: str
    allowed: str
    file: str = ""

    def __str__(self) -> str:
        said = f"{self.path} is {self.value}" if self.path else self.value
        if not self.allowed:
            return said
        return f"{said}; {'' if self.allowed.startswith('did you mean') else 'allowed: '}{self.allowed}"

    @property
    def sentence(self) -> str:
        """All of it: the file, the place, the value and what is allowed."""
        return f"{self.file}: {self}"


class ParamsError(UserError):
    """A file that cannot be used; `problems` has one entry per wrong place."""

    def __init__(self, file: str, problems: list[Problem]):
        self.problems = [problem._replace(file=problem.file or file) for problem in problems]
        super().__init__("\n".join(problem.sentence for problem in self.problems))


class Strict(BaseModel):
    """Base of every spec: unknown keys are errors, and values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


def read_yaml(file: Path, shown: str = "") -> dict[str, Any]:
    """A YAML file as plain values (dates stay text, for pydantic to judge). Raises ParamsError, which names it as
    `shown`, or by its path.
    """
    place = shown or str(file)
    try:
        raw = copy.deepcopy(_parsed(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ParamsError(place, [Problem("the file", f"not readable: {error.strerror or error}", "")]) from None
    except UnicodeDecodeError:
        raise ParamsError(place, [Problem("the file", "not text", "YAML in UTF-8")]) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else "the file"
        reason = (getattr(error, "problem", None) or str(error)).split("\n")[0]
        allowed = "`key: value`, keys of one level indented alike, texts with : or # in quotes"
        raise ParamsError(place, [Problem(line, f"no YAML ({reason})", allowed)]) from None
    if not isinstance(raw, dict):
        raise ParamsError(place, [Problem("the file", type(raw).__name__, "a mapping of keys to values")])
    return raw


class _PlainConstructor(SafeConstructor):
    pass


_PlainConstructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def parse_value(text: str) -> Any:
    """A text of YAML as plain values, such as that of `--set key=value` (`5` is a number, `[a, b]` a list)."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _PlainConstructor
    return yaml.load(text)


@functools.lru_cache(maxsize=200)
def _parsed(text: str) -> Any:
    """A text as it was read before: a stream looks at the same files with each event, and reading takes most of it."""
    return parse_value(text)


def nearest(word: str, known: list[str]) -> str:
    """What is allowed in the place of a word: what it is likely meant to be, else all there is."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else ", ".join(known)


def validate(model: type[Spec], raw: Any, file: str, context: dict[str, Any] | None = None) -> Spec:
    """Raw values as a spec. Raises ParamsError, which names each wrong place, its value and what is allowed.

    `context`: what the spec's own checks need to know of what stands beside the file.
    """
    try:
        return model.model_validate(raw, context=context)
    except ValidationError as error:
        raise ParamsError(file, [_problem(model, detail) for detail in error.errors()]) from None


def _problem(model: type[BaseModel], detail: Any) -> Problem:
    # "[key]" and the <tags> of unions are pydantic's way of speaking, not places in the file
    loc = tuple(part for part in detail["loc"] if not re.match(r"\[|<|function-", str(part)))
    path = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, loc)))
    message = re.sub(r"^(Value error, |Input should be )", "", detail["msg"])
    if detail["type"] == "extra_forbidden":
        keys = sorted(_keys_at(model, loc[:-1]))
        return Problem(path, "not a key", nearest(str(loc[-1]), keys))
    if detail["type"] == "missing":
        return Problem(path, "missing", "it must be given")
    if not loc or (detail["type"] == "value_error" and isinstance(detail["input"], dict)):
        place, _, allowed = message.partition("; allowed: ")
        if allowed:
            name, _, value = place.partition(" is ")
            return Problem(f"{path}.{name}" if path else name, value, allowed)
        return Problem(path or "the file", "incomplete", message)
    return Problem(path, repr(detail["input"]), message)


def _keys_at(model: Any, loc: tuple[Any, ...]) -> list[str]:
    """The keys that the model knows at a place, by walking its annotations."""
    places = [model]
    for part in loc:
        places = [inner for place in places for inner in _below(place, part)]
    return [field.alias or name for place in places for name, field in _fields(place).items()]


def _below(place: Any, part: Any) -> list[Any]:
    """What stands below a key of a model, or in the items of a list or mapping; a union gives each of its own."""
    if _fields(place):
        found = [f.annotation for name, f in _fields(place).items() if part in (name, f.alias)]
    else:
        found = list(typing.get_args(place)[-1:])
    return [alternative for annotation in found for alternative in _alternatives(annotation)]


def _alternatives(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _alternatives(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [a for inner in typing.get_args(annotation) for a in _alternatives(inner)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation, *annotation.__subclasses__()]  # a base may stand for what is made of it
    return [annotation]


def _fields(place: Any) -> dict[str, Any]:
    return getattr(place, "model_fields", {})
