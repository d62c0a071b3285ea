"""Maximum likelihood on counts: several starts, analytic gradients, standard errors from the Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # brings no types

from clv_helpers.lifetime.beta_geometric import BG_CNBD, BG_NBD, MBG_CNBD, MBG_NBD, BetaGeometric
from clv_helpers.lifetime.counts import Array, CellHistories, Histories, Spends
from clv_helpers.lifetime.covariates import WithCovariates, start_of
from clv_helpers.lifetime.gamma_gamma import GAMMA_GAMMA
from clv_helpers.lifetime.mean_of_models import MeanOfModels
from clv_helpers.lifetime.pareto_nbd import PARETO_NBD, ParetoNBD
from clv_helpers.lifetime.records import AVERAGED, MEANS, Fit, Level
from clv_helpers.lifetime.shifted_beta_geometric import SHIFTED_BETA_GEOMETRIC, Contracts

PURCHASE_MODELS: dict[str, BetaGeometric | ParetoNBD] = {
    m.name: m for m in (BG_NBD, MBG_NBD, BG_CNBD, MBG_CNBD, PARETO_NBD)
}
OF_EVEN_INTERVALS = (BG_CNBD.name, MBG_CNBD.name)
MOST_EVEN = 8  # the greatest k that is tried; intervals then vary by a third of their mean
Objective = Callable[[Array], tuple[float, Array]]
Counts = Histories | Spends | Contracts
LOWEST, HIGHEST = np.log(1e-5), np.log(1e6)
# A parameter whose logarithm has a standard error above this could be a seventh, or seven times as much.
UNIDENTIFIED = 1.0
PART = 10_000
Z_95 = 1.959964


class Model(Protocol):
    """What is fitted: the names of its parameters, where fits start, and the log-likelihood."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> tuple[str, ...]: ...

    @property
    def starts(self) -> tuple[tuple[float, ...], ...]: ...

    def log_likelihood(self, theta: Array, data: Any, /) -> tuple[float, Array]:
        """Of all customers, and its gradient; `data` is what the model is fitted on: Histories, Spends or Contracts."""


OTHER_MODELS: dict[str, Model] = {m.name: m for m in (GAMMA_GAMMA, SHIFTED_BETA_GEOMETRIC)}


def fit(
    name: str,
    data: Counts,
    log_gaps: float | None = None,
    near: Fit | None = None,
    *,
    levels: Sequence[Level] = (),
) -> Fit:
    """Fit a model to counted histories, spends or contracts. Cost: some twenty passes over them, and more over a part.

    The likelihood has flat ridges, so the best of several starts goes on: they are tried on every n-th history where
    there are many. Newton's steps bring it to full precision. The k of BG/CNBD-k and MBG/CNBD-k is the first after
    which the likelihood falls; they need `log_gaps`, the sum of the logs of the weeks between purchases. A mean of
    models is of AVERAGED. `near`: a fit of the same model on nearly the same data, to start from alone, at a third of
    the cost. `levels` of covariates: their factors are fitted too, on histories in cells. Cost: by the cells' number.
    """
    if name in MEANS:
        return mean_of(name, [fit(each, data, log_gaps, levels=levels) for each in AVERAGED])
    if name not in OF_EVEN_INTERVALS:
        return _fit(OTHER_MODELS.get(name) or PURCHASE_MODELS[name], data, near, levels)
    model = PURCHASE_MODELS[name]
    if log_gaps is None or not isinstance(data, Histories) or not isinstance(model, BetaGeometric):
        raise ValueError(f"{name} needs histories, and the sum of the logs of their intervals")
    best = _fit(model, data, near, levels)
    for k in range(2, MOST_EVEN + 1):
        more_even = replace(model, k=k)
        fitted = _fit(more_even, data, near, levels)
        likelihood = fitted.log_likelihood + more_even.of_intervals(data, log_gaps)
        if likelihood <= best.log_likelihood:
            break
        best = replace(fitted, log_likelihood=likelihood, k=k)
    return best


def mean_of(name: str, fits: list[Fit]) -> Fit:
    """The fits of AVERAGED on the same histories, as one whose forecasts are the mean of theirs."""
    likelihood = float(np.mean([fitted.log_likelihood for fitted in fits]))
    return Fit(name, {}, {}, {}, likelihood, fits[0].customers, fits[0].histories, parts=fits)


def purchase_model(fitted: Fit) -> BetaGeometric | ParetoNBD | MeanOfModels:
    """The model of a fit, as evenly as it was found to buy."""
    if not fitted.parts:
        return _one_model(fitted)
    return MeanOfModels(tuple(map(_one_model, fitted.parts)), MEANS[fitted.model])


def _one_model(fitted: Fit) -> BetaGeometric | ParetoNBD:
    model = PURCHASE_MODELS[fitted.model]
    return replace(model, k=fitted.k) if isinstance(model, BetaGeometric) else model


def _fit(model: Model, data: Counts, near: Fit | None = None, levels: Sequence[Level] = ()) -> Fit:
    """By maximum likelihood; with the factors of covariates, where the histories lie in more cells than one."""
    others = tuple(level for level in levels if level.place)
    if not (others and isinstance(data, CellHistories) and isinstance(model, BetaGeometric | ParetoNBD)):
        return _maximized(model, data, near)
    more = WithCovariates(model, others)
    return more.told(_maximized(more, data, near))


def _maximized(model: Model, data: Counts, near: Fit | None = None) -> Fit:
    objective = _objective(model, data)
    starts = (start_of(near),) if near and len(start_of(near)) == len(model.parameters) else model.starts
    # the optimizer's matrices are four by four: threads would spend their time waiting for each other
    with threadpool_limits(1, user_api="blas"):
        results = [_minimize(_objective(model, _thinned(data)), np.log(start)) for start in starts]
        start = min(results, key=lambda result: result.fun).x
        if _at_bound(start).any():  # perhaps only in that part, and the likelihood is flat there
            start = np.log(model.starts[0])
        log_theta, hessian = _polish(objective, _minimize(objective, start).x)
    theta, errors = np.exp(log_theta), _standard_errors(hessian, data.total, log_theta)
    rows = list(zip(model.parameters, theta.tolist(), errors.tolist(), strict=True))
    return Fit(
        model=model.name,
        parameters={parameter: value for parameter, value, _ in rows},
        standard_errors={
            parameter: value * error if error < UNIDENTIFIED else None for parameter, value, error in rows
        },
        intervals={parameter: _interval(value, error) for parameter, value, error in rows},
        log_likelihood=-objective(log_theta)[0] * data.total,
        customers=round(data.total),
        histories=len(data.frequency),
    )


def _interval(value: float, log_error: float) -> tuple[float, float] | None:
    """The 95% interval of a parameter, even in its logarithm; None where the data do not tell it."""
    if not log_error < UNIDENTIFIED:
        return None
    return value * math.exp(-Z_95 * log_error), value * math.exp(Z_95 * log_error)


def _objective(model: Model, data: Counts) -> Objective:
    """Minus the mean log-likelihood and its gradient, by the logarithms of the parameters."""

    def objective(log_theta: Array) -> tuple[float, Array]:
        theta = np.exp(log_theta)
        value, gradient = model.log_likelihood(theta, data)
        return -value / data.total, -gradient * theta / data.total

    return objective


def _minimize(objective: Objective, start: Array) -> OptimizeResult:
    bounds = [(LOWEST, HIGHEST)] * len(start)
    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8}
    return minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)


def _thinned(data: Counts) -> Counts:
    """Every n-th history, so that no more than PART are left."""
    step = -(-len(data.frequency) // PART)
    return data if step == 1 else type(data)(*(getattr(data, column.name)[::step] for column in fields(data)))


def _at_bound(log_theta: Array) -> Array:
    return (log_theta < LOWEST + 0.1) | (log_theta > HIGHEST - 0.1)


def _polish(objective: Objective, log_theta: Array) -> tuple[Array, Array]:
    """Newton's steps from the optimizer's result, as long as they gain; gives the Hessian at the end too."""
    value, gradient = objective(log_theta)
    hessian = _hessian(objective, log_theta)
    for _ in range(5):
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        if np.abs(step).max() > 1 or np.abs(step).max() < 1e-9:
            break
        there = np.clip(log_theta - step, LOWEST, HIGHEST)
        value_there, gradient_there = objective(there)
        if not value_there < value:
            break
        log_theta, value, gradient = there, value_there, gradient_there
        hessian = _hessian(objective, log_theta)
    return log_theta, hessian


def _hessian(objective: Objective, log_theta: Array, step: float = 1e-4) -> Array:
    """Central differences of the analytic gradient."""
    rows = []
    for unit in np.eye(len(log_theta)) * step:
        rows.append((objective(log_theta + unit)[1] - objective(log_theta - unit)[1]) / (2 * step))
    hessian = np.array(rows)
    return (hessian + hessian.T) / 2


def _standard_errors(hessian: Array, customers: float, log_theta: Array) -> Array:
    """From the inverse Hessian; inf along directions in which the likelihood is flat, and at a bound."""
    curvature, directions = np.linalg.eigh(hessian * customers)
    flat = curvature < 1e-8
    loads = directions**2
    errors = np.sqrt((loads[:, ~flat] / curvature[~flat]).sum(axis=1))
    errors = np.where((loads[:, flat] > 1e-6).any(axis=1), np.inf, errors)
    return np.where(_at_bound(log_theta), np.inf, errors)
