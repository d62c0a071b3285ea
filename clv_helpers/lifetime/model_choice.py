"""Chooses a model on cut-offs before the holdout: fitted on what was known then, judged by what came after it."""

from __future__ import annotations

import numpy as np

from clv_helpers.lifetime.origins import Forecast
from clv_helpers.lifetime.records import AVERAGED, MEANS, ModelScore

NEAR = 0.02  # within so much of the best score it is a draw, and the most even mean is used: it errs less where both do
EVENNESS = {**{name: min(weights) for name, weights in MEANS.items()}, **dict.fromkeys(AVERAGED, 0.0)}


def choose(made: list[Forecast]) -> list[ModelScore]:
    """What each candidate and their means score on rolling origins, the one to use first; none where there are none.

    A score adds up three errors without a unit, each 0 at best: the mean absolute error over the mean, and how far the
    total was off, both the mean of purchases and spend; and the log loss of P(at least one purchase).
    """
    scores = [score for score in (_score(model, made) for model in EVENNESS) if score]
    scores.sort(key=lambda score: score.total)
    if scores:
        near = [score for score in scores if score.total <= scores[0].total * (1 + NEAR)]
        used = max(near, key=lambda score: EVENNESS[score.model])
        scores.sort(key=lambda score: score is not used)
    return scores


def _score(model: str, made: list[Forecast]) -> ModelScore | None:
    """The mean over the cut-offs at which something was bought."""
    parts: dict[str, list[float]] = {}
    cut_offs = set()
    for row in made:
        if row.model != model or row.actual <= 0:
            continue
        cut_offs.add(str(row.cut_off))
        parts.setdefault("error", []).append(row.mae * row.customers / row.actual)
        parts.setdefault("miss", []).append(abs(row.forecast / row.actual - 1))
        if row.log_loss is not None:
            parts.setdefault("log_loss", []).append(row.log_loss)
    means = {name: round(float(np.mean(values)), 6) for name, values in parts.items()}
    return ModelScore(model, sorted(cut_offs, reverse=True), **means) if "log_loss" in means else None
