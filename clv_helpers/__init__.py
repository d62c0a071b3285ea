"""The CLV workbook: customer lifetime value measured, seen and used, one room per stage of the guide."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clv_helpers.config.workbook import Workbook

__version__ = "0.2.0"
__all__ = [
    "Workbook",
    "activation",
    "adobe",
    "audiences",
    "build",
    "campaigns",
    "closing",
    "dashboards",
    "derived",
    "ingest",
    "insights",
    "lifetime",
    "models",
    "new",
    "run",
    "schedule",
    "simulate",
]
# Rooms' modules that a notebook calls by a name of their own.
_MODULES = {"build": "run.build", "closing": "run.closing", "new": "run.new", "schedule": "run.schedule"}


def __getattr__(name: str) -> Any:
    """`Workbook` and the stages, imported when first asked for: the command line starts quickly."""
    if name == "Workbook":
        from clv_helpers.config.workbook import Workbook

        return Workbook
    if name in __all__:
        return importlib.import_module(f"{__name__}.{_MODULES.get(name, name)}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
