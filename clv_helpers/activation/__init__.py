"""Stage 5: an audience reaches the e-mail system once, completely, and only those who may be written to."""

from clv_helpers.activation.decision import decide
from clv_helpers.activation.delivery import (
    ActivationBusy,
    ActivationStopped,
    activate,
    activate_planned,
    drop,
    dry_run,
    planned,
)
from clv_helpers.activation.ledger import ActivationResult
from clv_helpers.activation.views import changes, chart, control, detectable_effect, done, examples, waterfall

__all__ = [
    "ActivationBusy",
    "ActivationResult",
    "ActivationStopped",
    "activate",
    "activate_planned",
    "changes",
    "chart",
    "control",
    "decide",
    "detectable_effect",
    "done",
    "drop",
    "dry_run",
    "examples",
    "planned",
    "waterfall",
]
