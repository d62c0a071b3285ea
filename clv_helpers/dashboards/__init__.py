"""Stage 3: dashboards are YAML files; the same file is a live board, a composer's draft and charts in the report."""

from clv_helpers.dashboards.composer_view import composer
from clv_helpers.dashboards.live_board import board, others
from clv_helpers.dashboards.spec import Dashboard, file_problems, load, names
from clv_helpers.dashboards.static_board import show, titles

__all__ = ["Dashboard", "board", "composer", "file_problems", "load", "names", "others", "show", "titles"]
