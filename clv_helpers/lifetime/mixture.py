"""Expected purchases of a customer who may drop out after each: sums of positive terms, so nothing cancels.

Someone who never dropped out would buy K times, negative binomial with n = r + x and z = t / (alpha + T + t);
of the K purchases, the j-th happens if no earlier one was the last: E = sum_j P(K > j) E[(1 - p)^j].
This is the 2F1 of the papers, (a + b + x - 1) / (a - 1) * (1 - (1 - z)^n 2F1(n, b + x; a + b + x - 1; z)),
without its difference of nearly equal numbers near a = 1 and its overflow for thousands of purchases.
Where a purchase is each k-th event (see beta_geometric), K counts events, of which every k-th is one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from clv_helpers.lifetime.counts import Array, Index

LONGEST_SERIES = 600  # terms; beyond, the integral over the dropout probability takes as long whatever is ahead
CHUNK = 100_000
EPSILON = 1e-17


def purchases_until_dropout(n: Array, ratio: Array, a: float, kept: Array, every: int = 1, before: int = 0) -> Array:
    """Expected purchases where event rates are Gamma(n, 1), time is `ratio`, dropout Beta(a, kept).

    A purchase is each `every`-th event, `before` of them having come already.
    """
    n, ratio, kept = np.broadcast_arrays(n, ratio, kept)
    flat = [np.ravel(values).astype(float) for values in (n, ratio, kept)]
    result = np.empty(n.size)
    spread = np.sqrt(flat[0] * flat[1] * (1 + flat[1]))
    terms = flat[0] * flat[1] + 10 * spread + 40 * (1 + flat[1])
    long = (terms > LONGEST_SERIES) & (every == 1)
    for part in _parts(~long, CHUNK):
        result[part] = _by_series(flat[0][part], flat[1][part], a, flat[2][part], every, before)
    for part in _parts(long, CHUNK // 50):
        result[part] = _by_integral(flat[0][part], flat[1][part], a, flat[2][part])
    return result.reshape(n.shape)


def _parts(which: npt.NDArray[np.bool_], size: int) -> Iterator[Index]:
    rows = np.flatnonzero(which)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _by_series(n: Array, ratio: Array, a: float, kept: Array, every: int, before: int) -> Array:
    """The sum term by term, over the rows that still need terms; weights are scaled, so that none overflows."""
    result, rows = np.empty(len(n)), np.arange(len(n))
    z = ratio / (1 + ratio)
    weight, total = np.ones(len(n)), np.ones(len(n))  # of K = 0
    happens, so_far, answer = np.ones(len(n)), np.zeros(len(n)), np.zeros(len(n))
    for k in range(100_000):
        weight = weight * ((n + k) / (k + 1) * z)
        purchases, into = divmod(k + 1 + before, every)
        if into == 0:  # this event is a purchase
            so_far = so_far + happens
            happens = happens * ((kept + purchases - 1) / (a + kept + purchases - 1))
        answer = answer + weight * so_far
        total = total + weight
        if k % 8 < 7 or not purchases:
            continue
        falls = (n + k + 1) / (k + 2) * z
        done = (falls < 1) & (weight * so_far <= EPSILON * answer * (1 - falls) ** 2)
        if done.any():
            result[rows[done]] = (answer / total)[done]
            rows = rows[~done]
            n, z, kept, weight, total, answer, happens, so_far = (
                state[~done] for state in (n, z, kept, weight, total, answer, happens, so_far)
            )
            if not len(rows):
                break
        large = np.where(total > 1e200, 1e-200, 1.0)
        weight, total, answer = weight * large, total * large, answer * large
    return result


def _by_integral(n: Array, ratio: Array, a: float, kept: Array) -> Array:
    """E[(1 - (1 + p ratio)^-n) / p] over p ~ Beta(a, kept): the trapezoidal rule on the log odds of p.

    The integrand is analytic, so the rule's error falls exponentially with its step; both tails are pure
    exponentials, whose sums are geometric series.
    """
    step = np.minimum(0.2, 0.4 * np.sqrt(1 / a + 1 / kept))
    peak = np.log(a) - np.log(kept)
    low = np.minimum(peak, -np.log1p(n * ratio)) - 40.0
    high = np.maximum(peak, 0.0) + 40.0
    # where the density has fallen by e^-45 before that, the window ends earlier
    low = np.maximum(low, peak - 45.0 / a - 12 * np.sqrt(1 / a + 1 / kept))
    high = np.minimum(high, peak + 45.0 / kept + 12 * np.sqrt(1 / a + 1 / kept))
    count = int(np.ceil(((high - low) / step).max())) + 1
    odds = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, count)
    step = (high - low) / (count - 1)
    log_p, log_q = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    density = a * log_p + kept[:, None] * log_q
    density = np.exp(density - density.max(axis=1, keepdims=True))
    density[:, 0] /= -np.expm1(-a * step)
    density[:, -1] /= -np.expm1(-kept * step)
    p = np.exp(log_p)
    wanted = -np.expm1(-n[:, None] * np.log1p(p * ratio[:, None])) / p
    return (density * wanted).sum(axis=1) / density.sum(axis=1)
