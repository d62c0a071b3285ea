"""Chooses a model, and whether a baseline has a part in the forecast, on earlier cut-offs: by what came after them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clv_helpers.lifetime.baselines import BLENDS
from clv_helpers.lifetime.origin_forecasts import Forecast
from clv_helpers.lifetime.records import AVERAGED, MEANS, NEAR, Blend, ModelScore

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


def choose_blend(made: list[Forecast], model: str) -> Blend:
    """Whether a baseline has a part in a model's forecast; the model alone where it is as good, or nothing is known.

    By the same errors, but for the log loss, as P(at least one purchase) is the model's throughout. What is chosen
    never has larger ones than a baseline alone, as that is among them; within a draw (NEAR) of the best, it is the
    model alone, else half of each.
    """
    scored = {blend: _score(blend.of(model), made) for blend in (Blend(), *BLENDS)}
    totals = {blend: score.error + score.miss for blend, score in scored.items() if score}
    alone = scored[Blend()]
    if alone is None:
        return Blend()
    baselines: dict[str, float] = {blend.baseline: totals[blend] for blend in BLENDS if blend.share == 1}
    most = min(min(totals.values()) * (1 + NEAR), *baselines.values())
    fair = [blend for blend, total in totals.items() if total <= most]
    used = min(fair, key=lambda blend: (blend.share > 0, blend.share, totals[blend]))
    scores = {"model": totals[Blend()], **baselines, "used": totals[used]}
    return replace(used, cut_offs=len(alone.cut_offs), scores=scores)


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
