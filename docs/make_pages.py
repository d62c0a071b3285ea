"""The pages of docs/ that are made from the code: `make docs` writes them, a test holds them current.

reference.md: params keys, widgets, conditions, headers of tables, commands. tables.md: every table of the warehouse.
api.md: what `from clv_helpers import …` gives, from the docstrings. recipes.md: the recipes of known exports.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import clv_helpers

DOCS = Path(__file__).resolve().parent
MADE = "Made from the code by `make docs`.\n"


def pages() -> dict[str, str]:
    """Name of each page → its text."""
    return {"reference.md": reference(), "tables.md": tables(), "api.md": api(), "recipes.md": recipes()}


def reference() -> str:
    """Params keys, widgets, conditions, headers and commands."""
    from clv_helpers.audiences.rule import KINDS, Audience
    from clv_helpers.charts import MARKS
    from clv_helpers.conditions.condition import OPERATORS
    from clv_helpers.config.params import Params
    from clv_helpers.dashboards import Dashboard
    from clv_helpers.models.table_file import HEADERS

    sections = [
        "# Reference\n\n" + MADE,
        "## Params\n\nThe keys of `params/<workbook>.yml`.\n",
        *_models(Params),
        "## Dashboards\n\nThe keys of `params/<workbook>/dashboards/<name>.yml`; see [dashboards.md](dashboards.md).\n",
        *_models(Dashboard),
        "Marks: " + ", ".join(f"`{mark}`" for mark in MARKS) + ".\n",
        "## Audiences\n\nThe keys of `params/<workbook>/audiences/<name>.yml`; see [audiences.md](audiences.md).\n",
        *_models(Audience),
        "Conditions: " + ", ".join(f"`{kind}`" for kind in KINDS) + ".\n",
        "Operators: " + ", ".join(f"`{operator}`" for operator in OPERATORS) + ".\n",
        "## Headers of tables\n\nSee [own_tables.md](own_tables.md): "
        + ", ".join(f"`{header}`" for header in HEADERS)
        + ".\n",
        "## Commands\n",
        *_commands(),
    ]
    return "\n".join(sections)


def _models(root: type[BaseModel]) -> Iterator[str]:
    """A table of keys for a model, then one for each model that it holds: the nearest first, each once."""
    waiting, seen = [("", root)], {root}
    while waiting:
        name, model = waiting.pop(0)
        yield _keys(name, model)
        for key, field in model.model_fields.items():
            path = ".".join(filter(None, [name, field.alias or key]))
            for inner in _models_in(field.annotation):
                if inner not in seen:
                    seen.add(inner)
                    waiting.append((path, inner))


def _keys(name: str, model: type[BaseModel]) -> str:
    about = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0]
    fields = model.model_fields.items()
    rows = [f"| `{field.alias or key}` | {_about(field)} | {_default(field)} |" for key, field in fields]
    head = f"### `{name}`\n\n{about}\n\n" if name else ""
    return "\n".join([head + "| key | what it says | default |", "|---|---|---|", *rows, ""])


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def _about(field: FieldInfo) -> str:
    about = " ".join((field.description or "").split())
    allowed = _choices(field.annotation)
    return "; ".join(filter(None, [about, f"one of {allowed}" if allowed else ""])).replace("|", "\\|")


def _choices(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(annotation))
    if typing.get_origin(annotation) in (Annotated, typing.Union, types.UnionType):
        return next(filter(None, map(_choices, typing.get_args(annotation))), "")
    return ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "needed" if field.is_required() else "none"
    if isinstance(field.default, BaseModel):
        return "as below"
    return "none" if field.default in (None, [], {}, "") else f"`{field.default}`"


def _commands() -> Iterator[str]:
    import typer

    from clv_helpers.cli import app

    group: Any = typer.main.get_command(app)
    for name in sorted(group.commands):
        command = group.commands[name]
        usage = command.get_usage(command.context_class(command, info_name=f"clv {name}")).removeprefix("Usage: ")
        usage = re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), usage)
        options = [
            f"| `{_name(parameter)}` | {parameter.help or ''} |"
            for parameter in command.params
            if getattr(parameter, "help", None)
        ]
        table = "\n".join(["| argument or option | what it does |", "|---|---|", *options]) + "\n" if options else ""
        yield f"### `clv {name}`\n\n{inspect.cleandoc(command.help or '')}\n\n    {' '.join(usage.split())}\n\n{table}"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument" and parameter.metavar:
        return str(parameter.metavar).lower()
    return " ".join([*parameter.opts, *parameter.secondary_opts])


def tables() -> str:
    """Every table of the warehouse, by schema."""
    from clv_helpers.config.datasets import DATASETS
    from clv_helpers.config.tables import PYTHON_TABLES, SCHEMAS
    from clv_helpers.models.table_file import read_schemas

    rows = {f"lake.{name}": ("a row that came in.", ()) for name in DATASETS}
    rows |= {name: (table.one_row, ()) for name, table in PYTHON_TABLES.items()}
    rows |= {table.name: (table.one_row, table.key) for table in read_schemas(SCHEMAS)}
    lines = ["# Tables\n", MADE, "A schema reads only schemas before it."]
    for schema in SCHEMAS.values():
        lines.append(f"\n## {schema.name}\n\n{schema.holds}\n\n| table | one row | key |\n|---|---|---|")
        for name in sorted(name for name in rows if name.startswith(f"{schema.name}.")):
            one_row, key = rows[name]
            lines.append(f"| `{name}` | {one_row} | {', '.join(f'`{column}`' for column in key)} |")
    return "\n".join(lines) + "\n"


def recipes() -> str:
    """The recipes of known exports: their columns, and what counts."""
    from clv_helpers.config.recipes import names, recipe

    known = {name: recipe(name) for name in names()}
    rows = [f"| [`{name}`](#{name}) | {each.title} | `{each.dataset}` |" for name, each in known.items()]
    top = ["# Recipes\n", MADE, RECIPES, "| preset | export | dataset |", "|---|---|---|", *rows]
    return "\n".join([*top, *(_recipe(name, each) for name, each in known.items())]) + "\n"


RECIPES = """\
An export of a known system goes in as it is:

```yaml
title: Our shop
time_zone: America/New_York
sources:
  purchases:
    preset: shopify_orders
    path: orders_export*.csv
```

A recipe is a file of its own, `clv_helpers/recipes/NAME.yml`, and gives the keys of a source. Keys beside `preset` go
over it: columns, statuses and rows left out by name, where `null` takes out what the recipe says, such as a column that
your export lacks. Its columns were read in the pages that are named, on that day; an export may have changed since.

There is none for Klaviyo, whose events bear the number of their metric and not its name, nor for Mailchimp's campaigns,
whose events come as one list for each person: no rule over one row can tell them.
"""


def _recipe(name: str, each: Any) -> str:
    pages = ", ".join(f"<{page}>" for page in each.published.pages) or "none, as it is no vendor's"
    source = {key: value for key, value in each.source.items() if key != "columns"}
    columns = [f"| `{ours}` | {_read_from(theirs)} |" for ours, theirs in each.source["columns"].items()]
    keys = [f"- `{key}`: {_written(value)}" for key, value in source.items()]
    head = f"\n## {name}\n\n{each.title}.\n\nColumns described in (read {each.published.read:%Y-%m-%d}): {pages}\n"
    parts = [head, "| our column | read from |", "|---|---|", *columns, "", *keys, *([""] if keys else [])]
    return "\n".join([*parts, *(f"- {note}" for note in each.notes)])


def _read_from(column: Any) -> str:
    if isinstance(column, dict):
        return f"`{column['sql']}`".replace("|", "\\|")
    return " or ".join(f"`{header}`" for header in ([column] if isinstance(column, str) else column))


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_written(inner)}" for key, inner in value.items())
    return ", ".join(f"`{each}`" for each in (value if isinstance(value, list) else [value]))


def api() -> str:
    """What a notebook imports, from the docstrings."""
    sections = [
        f"# What `clv_helpers` gives\n\n{MADE}",
        f"    from clv_helpers import {', '.join(clv_helpers.__all__[:4])} …\n",
    ]
    sections += [_documented("Workbook", clv_helpers.Workbook, "##")]
    sections += [
        _documented(f"Workbook.{name}", member, "###")
        for name, member in inspect.getmembers(clv_helpers.Workbook)
        if not name.startswith("_") and (inspect.isfunction(member) or inspect.ismethod(member))
    ]
    for room in clv_helpers.__all__:
        module = getattr(clv_helpers, room) if room != "Workbook" else None
        if module is None:
            continue
        sections.append(f"## {room}\n\n{inspect.cleandoc(module.__doc__ or '')}\n")
        sections += [_documented(f"{room}.{name}", getattr(module, name), "###") for name in module.__all__]
    return "\n".join(sections)


def _documented(name: str, thing: Any, heading: str) -> str:
    signature = ""
    if inspect.isfunction(thing) or inspect.ismethod(thing):
        signature = re.sub(r"'([^']*)'", r"\1", str(inspect.signature(thing)))
        signature = re.sub(r"<(?:function|class) .*?>+(?: at 0x\w+>)?", "…", signature)
    elif not inspect.isclass(thing):
        return f"{heading} `{name}`\n\n    {thing!r}\n"
    doc = inspect.cleandoc(thing.__doc__ or "")
    text, _, example = doc.partition("Example:\n")
    code = "\n".join(f"    {line.strip()}" for line in example.strip().splitlines())
    return f"{heading} `{name}{signature}`\n\n{text.strip()}\n" + (f"\n{code}\n" if code else "")


if __name__ == "__main__":
    for page, content in pages().items():
        (DOCS / page).write_text(content, encoding="utf-8")
        print(f"docs/{page}", file=sys.stderr)
