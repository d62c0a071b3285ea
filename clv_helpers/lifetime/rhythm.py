"""A customer's own rhythm: when the next purchase is due, and whether the silence is long for who is still there.

Of one who is still there, the next gap is Erlang-k at a rate of events that is Gamma(r + k x, alpha + t_x) after x gaps
of t_x together (see beta_geometric), so that the chance of a gap of at most s days is the regularized incomplete beta
function I(z; k, r + k x) at z = s / (alpha + t_x + s). With one purchase it is that of all customers; each gap of one's
own takes its place. k is how even the gaps of all customers are, whichever model forecasts: given their sum, the gaps
of a customer are Dirichlet(k, ..., k) parts of it, whatever the rate and whoever has left, and k is the maximum of that
likelihood.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betainc, betaincinv, gammaln

from clv_helpers.lifetime.counts import DAYS_PER_WEEK, KEY, Array, Histories
from clv_helpers.lifetime.fitting import purchase_model
from clv_helpers.lifetime.records import Fit

if TYPE_CHECKING:
    import pandas as pd

OVERDUE = 0.9  # from this share of one's own gaps on, a longer silence is called overdue
EVENNESS = (0.2, 100.0)  # as found: below 1 purchases come in clumps, above evenly
LONGEST_GAP = 36_500  # days


def evenness(histories: Histories, log_gaps: float) -> float:
    """How even the gaps between a customer's purchases are: k of Erlang gaps, 1 where purchases come at random.

    `log_gaps`: the sum of the logs of all gaps, in weeks (counts.log_gaps). 1 where nobody came back twice, of whom
    alone gaps can be compared. Cost: the distinct histories, some thirty times.

    Example:
        >>> import numpy as np
        >>> known = Histories.from_days(np.array([4.0]), np.array([112.0]), np.array([120.0]), np.array([50.0]))
        >>> evenness(known, 50 * 4 * math.log(112 / 7 / 4)) > 50  # each customer's gaps are all alike
        True
    """
    again = histories.frequency > 1
    if not again.any():
        return 1.0
    came_back = histories.frequency > 0
    x, sums = histories.frequency[came_back], histories.recency[came_back]
    customers = histories.customers[came_back]
    of_sums = float(customers @ (x * np.log(sums)))

    def against(log_k: float) -> float:
        k = math.exp(log_k)
        parts = float(customers @ (gammaln(k * x) - x * gammaln(k)))
        return -(parts + (k - 1) * log_gaps - k * of_sums)

    bounds = math.log(EVENNESS[0]), math.log(EVENNESS[1])
    return math.exp(minimize_scalar(against, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)


def with_rhythm(scored: pd.DataFrame, fitted: Fit, k: float) -> pd.DataFrame:
    """The scored histories with `gap_days` and `overdue` beside.

    gap_days: within so many days of the last purchase, half of those who are still there with this history have bought
    again. overdue: the share of them who would have, in the days that have passed since.
    """
    frequency, recency, age = (scored[name].to_numpy(float) for name in KEY)
    n, scale = _rates(fitted, frequency, recency, k)
    silence, half = age - recency, betaincinv(k, n, 0.5)
    with np.errstate(divide="ignore"):
        gap = np.minimum(scale * half / (1 - half), LONGEST_GAP)
    return scored.assign(
        gap_days=np.maximum(np.rint(gap), 1).astype(np.int32), overdue=betainc(k, n, silence / (scale + silence))
    )


def _rates(fitted: Fit, frequency: Array, recency_days: Array, k: float) -> tuple[Array, Array]:
    """The rate of events of who is still there after the last purchase: Gamma(n, scale), the scale in days.

    The fitted alpha is of the model's own k; events of an evenness of k come k times as often as purchases.
    """
    first = fitted.each[0]  # of a mean of models, whose rates are nearly alike
    r, alpha = first.theta[:2]
    return r + k * frequency, alpha * purchase_model(first).k / k * DAYS_PER_WEEK + recency_days
