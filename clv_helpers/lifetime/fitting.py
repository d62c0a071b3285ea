"""Maximum likelihood on counts: several starts, analytic gradients, standard errors from the Hessian."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from clv_helpers.lifetime.beta_geometric import BG_NBD, MBG_NBD
from clv_helpers.lifetime.gamma_gamma import GAMMA_GAMMA
from clv_helpers.lifetime.pareto_nbd import PARETO_NBD

PURCHASE_MODELS = {model.name: model for model in (BG_NBD, MBG_NBD, PARETO_NBD)}
MODELS = {**PURCHASE_MODELS, GAMMA_GAMMA.name: GAMMA_GAMMA}
LOWEST, HIGHEST = np.log(1e-5), np.log(1e6)
# A parameter whose logarithm has a standard error above this could be a seventh, or seven times as much.
UNIDENTIFIED = 1.0
PART = 10_000
Z_95 = 1.959964


@dataclass(frozen=True)
class Fit:
    """A fitted model. `log_errors`: standard errors of the parameters' logarithms, inf where the data do not tell."""

    model: str
    theta: np.ndarray
    log_errors: np.ndarray
    log_likelihood: float
    customers: int
    histories: int

    @property
    def title(self) -> str:
        return MODELS[self.model].title

    @property
    def parameters(self) -> dict[str, float]:
        """Each parameter by its name; times in weeks."""
        return dict(zip(MODELS[self.model].parameters, self.theta.tolist(), strict=True))

    @property
    def unidentified(self) -> list[str]:
        """The parameters at a boundary, or of which the data tell next to nothing."""
        names = MODELS[self.model].parameters
        return [name for name, error in zip(names, self.log_errors, strict=True) if not error < UNIDENTIFIED]

    def interval(self, name: str) -> tuple[float, float] | None:
        """The 95% interval of a parameter, even in its logarithm; None where the data do not tell it."""
        position = MODELS[self.model].parameters.index(name)
        value, error = self.theta[position], self.log_errors[position]
        if not error < UNIDENTIFIED:
            return None
        return float(value * np.exp(-Z_95 * error)), float(value * np.exp(Z_95 * error))

    def as_record(self) -> dict[str, Any]:
        """The fit in plain values, for run.json and the command line."""
        errors = {
            name: None if name in self.unidentified else float(value * error)
            for (name, value), error in zip(self.parameters.items(), self.log_errors, strict=True)
        }
        return {
            "model": self.model,
            "parameters": self.parameters,
            "standard_errors": errors,
            "intervals": {name: self.interval(name) for name in self.parameters},
            "log_likelihood": self.log_likelihood,
            "customers": self.customers,
            "histories": self.histories,
        }


def fit(name: str, data: Any) -> Fit:
    """Fit a model to counted histories (or spends). Cost: some twenty passes over them, and more over a part.

    The likelihood has flat ridges, so the best of several starts goes on: they are tried on every n-th history where
    there are many. Newton's steps bring it to full precision.
    """
    model = MODELS[name]
    objective = _objective(model, data)
    # the optimizer's matrices are four by four: threads would spend their time waiting for each other
    with threadpool_limits(1, user_api="blas"):
        begun = [_minimize(_objective(model, _thinned(data)), np.log(start)) for start in model.starts]
        start = min(begun, key=lambda result: result.fun).x
        if _at_bound(start).any():  # perhaps only in that part, and the likelihood is flat there
            start = np.log(model.starts[0])
        log_theta, hessian = _polish(objective, _minimize(objective, start).x)
    value, _ = objective(log_theta)
    errors = _standard_errors(hessian, data.total, log_theta)
    return Fit(name, np.exp(log_theta), errors, -value * data.total, round(data.total), len(data.frequency))


def _objective(model: Any, data: Any) -> Any:
    """Minus the mean log-likelihood and its gradient, by the logarithms of the parameters."""

    def objective(log_theta: np.ndarray) -> tuple[float, np.ndarray]:
        theta = np.exp(log_theta)
        value, gradient = model.log_likelihood(theta, data)
        return -value / data.total, -gradient * theta / data.total

    return objective


def _minimize(objective: Any, start: np.ndarray) -> Any:
    bounds = [(LOWEST, HIGHEST)] * len(start)
    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8}
    return minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)


def _thinned(data: Any) -> Any:
    """Every n-th history, so that no more than PART are left."""
    step = -(-len(data.frequency) // PART)
    return data if step == 1 else type(data)(*(getattr(data, each.name)[::step] for each in fields(data)))


def _at_bound(log_theta: np.ndarray) -> np.ndarray:
    return (log_theta < LOWEST + 0.1) | (log_theta > HIGHEST - 0.1)


def _polish(objective: Any, log_theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _hessian(objective: Any, log_theta: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Central differences of the analytic gradient."""
    rows = []
    for unit in np.eye(len(log_theta)) * step:
        rows.append((objective(log_theta + unit)[1] - objective(log_theta - unit)[1]) / (2 * step))
    hessian = np.array(rows)
    return (hessian + hessian.T) / 2


def _standard_errors(hessian: np.ndarray, customers: float, log_theta: np.ndarray) -> np.ndarray:
    """From the inverse Hessian; inf along directions in which the likelihood is flat, and at a bound."""
    curvature, directions = np.linalg.eigh(hessian * customers)
    flat = curvature < 1e-8
    loads = directions**2
    errors = np.sqrt((loads[:, ~flat] / curvature[~flat]).sum(axis=1))
    errors = np.where((loads[:, flat] > 1e-6).any(axis=1), np.inf, errors)
    return np.where(_at_bound(log_theta), np.inf, errors)
