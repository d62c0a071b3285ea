"""What can be asked of one row: conditions on its columns, as rules and attributes have them, their checks and SQL.

`condition.py` is what may be written, `when.py` the times, `checks.py` whether it fits the columns, `row_test.py` the
SQL. Whoever is above says of which rows: of the profile, or of events.
"""

from clv_helpers.conditions.checks import OPERATORS_OF, condition_problems
from clv_helpers.conditions.columns import Attribute, kind_of
from clv_helpers.conditions.condition import Condition, Container, Where, WherePart
from clv_helpers.conditions.row_test import row_test
from clv_helpers.conditions.when import Clock, When

__all__ = [
    "OPERATORS_OF", "Attribute", "Clock", "Condition", "Container", "When", "Where", "WherePart", "condition_problems",
    "kind_of", "row_test",
]  # fmt: skip
