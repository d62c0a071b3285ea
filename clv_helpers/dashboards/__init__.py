"""Stage 3: dashboards are YAML files; the same file is a live board, a composer's draft and charts in the report."""

from clv_helpers.dashboards.board import board, others
from clv_helpers.dashboards.composer import composer
from clv_helpers.dashboards.foreseen import file_problems
from clv_helpers.dashboards.render import show
from clv_helpers.dashboards.spec import Dashboard, load, names

__all__ = ["Dashboard", "board", "composer", "file_problems", "load", "names", "others", "show"]
