"""Simulated campaigns of which the truth is known, as the sums that stage 6 reads: only buyers are drawn one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clv_helpers.campaigns import estimates

DECILES = np.arange(1, 11)
# share that buys, and the lognormal (mean, sigma of the logarithm) of what a buyer spends. The first is as Hillstrom's
# mailing: 0.9 % buy for 120 USD on average, with a heavier tail than his.
SPENDS = {"0.9 % buy": (0.009, np.log(75), 1.0), "20 % buy": (0.20, np.log(60), 1.0)}
BY_DECILE = np.linspace(1.3, 0.7, 10)  # the best decile buys nearly twice as often as the last


@dataclass(frozen=True)
class Drawn:
    """Many campaigns of one kind: sums by campaign, decile and arm, and the true effect by decile."""

    sums: dict[str, np.ndarray]
    truth: np.ndarray

    def cells(self, index: int) -> estimates.Cells:
        return estimates.Cells(**{name: values[index] for name, values in self.sums.items()})

    def groups(self, campaigns: int) -> pd.DataFrame:
        """The first campaigns as rows of outcome_group."""
        index = pd.MultiIndex.from_product(
            [[f"c{each:03d}" for each in range(campaigns)], DECILES, estimates.ARMS],
            names=["campaign", "decile", "arm"],
        )
        sums = {name: values[:campaigns].ravel() for name, values in self.sums.items()}
        return pd.DataFrame(sums, index=index).reset_index().assign(audience="ALL")


def draw(
    seed: int, spend: str, customers: int, control: float, campaigns: int, lift: np.ndarray | float = 0.0
) -> Drawn:
    """Campaigns in which the treated buy more often by `lift` (relative, by decile); 0: without an effect."""
    rng = np.random.default_rng(seed)
    rate, mean, sigma = SPENDS[spend]
    size = np.array([round(customers / 10 * (1 - control)), round(customers / 10 * control)])
    chance = rate * BY_DECILE[:, None] * np.stack([1 + lift * np.ones(10), np.ones(10)], axis=1)
    buyers = rng.binomial(np.broadcast_to(size, (campaigns, 10, 2)), np.broadcast_to(chance, (campaigns, 10, 2)))
    spent = np.exp(rng.normal(mean, sigma, buyers.sum()))
    cell = np.repeat(np.arange(buyers.size), buyers.ravel())
    y, yy = (np.bincount(cell, value, buyers.size).reshape(buyers.shape) for value in (spent, spent**2))
    n = np.broadcast_to(size, buyers.shape).astype(float)
    messages, bought, none = n * [1, 0], buyers.astype(float), np.zeros(buyers.shape)
    sums = {
        "customers": n, "converted": bought, "bought_before": none, "sum_y": y, "sum_x": none, "sum_m": messages,
        "sum_p": bought, "sum_yy": yy, "sum_xx": none, "sum_mm": messages, "sum_pp": bought, "sum_xy": none,
        "sum_ym": y * [1, 0], "sum_xm": none, "sum_yp": y,
    }  # fmt: skip
    return Drawn(sums, (chance[:, 0] - chance[:, 1]) * np.exp(mean + sigma**2 / 2))
