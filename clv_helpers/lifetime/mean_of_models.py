"""The weighted mean of purchase models' forecasts, read like one model: weights are a customer's chances of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clv_helpers.lifetime.beta_geometric import BetaGeometric
from clv_helpers.lifetime.counts import Array
from clv_helpers.lifetime.pareto_nbd import ParetoNBD


@dataclass(frozen=True)
class MeanOfModels:
    """Models that were fitted on the same histories; theta holds their parameters one after the other.

    A phase is one of a model's phases. Its share is of who is still there, so those of a model grow with its own
    probability of being there. Every formula is the models' own, and sums are means of theirs.
    """

    models: tuple[BetaGeometric | ParetoNBD, ...]
    weights: tuple[float, ...]

    @property
    def k(self) -> int:
        """How many phases there are."""
        return sum(model.k for model in self.models)

    def probability_alive(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """The probability of not having left yet."""
        return self._alive(theta, frequency, recency, age).sum(axis=0)

    def phase_shares(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """How likely each phase is of who is still there. One row: a phase."""
        alive, parts = self._alive(theta, frequency, recency, age), self._parts(theta)
        of_models = alive / alive.sum(axis=0)
        shares = [model.phase_shares(own, frequency, recency, age) for model, own in parts]
        return np.concatenate([of_model * share for of_model, share in zip(of_models, shares, strict=True)])

    def expected_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array, phase: int = 0) -> Array:
        """Expected purchases in the next weeks of who is still there, in this phase."""
        model, own, inner = self._of(theta, phase)
        return model.expected_if_alive(own, frequency, age, weeks, inner)

    def purchase_if_alive(self, theta: Array, frequency: Array, age: Array, weeks: Array, phase: int = 0) -> Array:
        """The probability of a purchase in the next weeks of who is still there, in this phase."""
        model, own, inner = self._of(theta, phase)
        return model.purchase_if_alive(own, frequency, age, weeks, inner)

    def at_least_if_alive(
        self, theta: Array, frequency: Array, age: Array, weeks: float, purchases: Array, phase: int = 0
    ) -> Array:
        """The probability of so many purchases or more in the next weeks of who is still there, in this phase."""
        model, own, inner = self._of(theta, phase)
        return model.at_least_if_alive(own, frequency, age, weeks, purchases, inner)

    def _alive(self, theta: Array, frequency: Array, recency: Array, age: Array) -> Array:
        """The weight of each model, times being there by it. One row: a model."""
        there = [model.probability_alive(own, frequency, recency, age) for model, own in self._parts(theta)]
        return np.array(self.weights)[:, None] * np.array(there)

    def _parts(self, theta: Array) -> Iterator[tuple[BetaGeometric | ParetoNBD, Array]]:
        """Each model with its own parameters."""
        ends = np.cumsum([len(model.parameters) for model in self.models])
        return zip(self.models, np.split(theta, ends[:-1]), strict=True)

    def _of(self, theta: Array, phase: int) -> tuple[BetaGeometric | ParetoNBD, Array, int]:
        """The model that a phase is of, its parameters, and which of its own phases it is."""
        for model, own in self._parts(theta):
            if phase < model.k:
                return model, own, phase
            phase -= model.k
        raise ValueError(f"there are {self.k} phases")
