"""Chooses a model on cut-offs before the holdout: fitted on what was known then, judged by what came after it."""

from __future__ import annotations

import numpy as np

from clv_helpers.lifetime.origins import Forecast
from clv_helpers.lifetime.records import ModelScore

# BG/NBD is not among them: to it, nobody leaves before a second purchase.
CANDIDATES = ("mbg_cnbd_k", "pareto_nbd")


def choose(made: list[Forecast]) -> list[ModelScore]:
    """What each candidate scores on rolling origins, the best model first; none where there are none.

    A score adds up three errors without a unit, each 0 at best: the mean absolute error over the mean purchases, the
    log loss of P(at least one purchase), and how far the total was off.
    """
    scores = []
    for model in CANDIDATES:
        rows = [row for row in made if row.model == model and row.measure == "purchases" and row.actual > 0]
        if rows:
            means = {
                "error": np.mean([row.mae / row.actual * row.customers for row in rows]),
                "log_loss": np.mean([row.log_loss for row in rows]),
                "miss": np.mean([abs(row.forecast / row.actual - 1) for row in rows]),
            }
            parts = {name: round(float(mean), 6) for name, mean in means.items()}
            scores.append(ModelScore(model, [str(row.cut_off) for row in rows], **parts))
    return sorted(scores, key=lambda score: round(score.total, 4))  # in a draw, the first of the candidates
