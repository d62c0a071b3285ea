"""A customer's own rhythm: when the next purchase is due, and whether the silence is long for who is still there.

Of one who is still there, the next gap is Erlang-k at a rate of events that is Gamma(r + k x, alpha + t_x) after x gaps
of t_x together (see beta_geometric), so that the chance of a gap of at most s days is the regularized incomplete beta
function I(z; k, r + k x) at z = s / (alpha + t_x + s). k is how even the gaps of all customers are, whichever model
forecasts: given their sum, the gaps of a customer are Dirichlet(k, ..., k) parts of it, whatever the rate and whoever
has left, and k is the maximum of that likelihood. Who bought once has no gap of their own, and those who never come
back leave none behind: there it is read from when second purchases came (see SecondPurchase), where enough did.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betainc, betaincinv, gammaln

from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import DAYS_PER_WEEK, KEY, Array, Histories
from clv_helpers.lifetime.fitting import purchase_model
from clv_helpers.lifetime.records import Fit
from clv_helpers.lifetime.tables import load

if TYPE_CHECKING:
    import pandas as pd

OVERDUE = 0.9  # from this share of one's own gaps on, a longer silence is called overdue
EVENNESS = (0.2, 100.0)  # as found: below 1 purchases come in clumps, above evenly
LONGEST_GAP = 36_500  # days
KEPT = "lifetime.second_purchase"
FEWEST_LEFT = 50  # customers whose second purchase is still to come: of fewer no share is told
FEWEST_CAME = 20  # second purchases; of fewer no curve is told
SECONDS = """
    WITH seen AS (
        SELECT purchased_on, CASE WHEN next_purchased_on <= $until THEN next_purchased_on END AS next_on
        FROM derived.purchase_number
        WHERE purchase_number = 1 AND purchased_on <= $until
    )
    SELECT
        DATE_DIFF('day', purchased_on, COALESCE(next_on, $until)) AS days, COUNT(next_on) AS came, COUNT(*) AS customers
    FROM seen
    GROUP BY 1
    ORDER BY 1
"""


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


@dataclass(frozen=True)
class SecondPurchase:
    """When second purchases come: the cumulative hazard by days since the first (Kaplan & Meier 1958).

    `hazard`: its value at the end of each day as far as FEWEST_LEFT are left; `rate`: per day beyond, that of the last
    quarter of those days. `ahead`: who has not come in so many days more counts as gone.
    """

    hazard: Array
    rate: float
    ahead: int

    def came(self, days: Array) -> Array:
        """The share of all customers who have bought again within so many days of the first purchase."""
        last = len(self.hazard) - 1
        known = self.hazard[np.minimum(days, last).astype(int)]
        return 1 - np.exp(-known - self.rate * np.maximum(days - last, 0))

    def overdue(self, days: Array) -> Array:
        """Of those who come within `ahead` days more, the share who have come by now."""
        by_then = self.came(days + self.ahead)
        return np.divide(self.came(days), by_then, out=np.zeros(len(days)), where=by_then > 0)

    @property
    def gap_days(self) -> float:
        """Within so many days, half of those have come who come at all."""
        days = np.arange(len(self.hazard) + self.ahead, dtype=float)
        return float(np.argmax(self.overdue(days) >= 0.5)) or LONGEST_GAP


def second_purchase(session: Session, until: dt.date, ahead: int) -> SecondPurchase | None:
    """What the second purchases up to a day say; None where fewer than FEWEST_CAME are known.

    Cost: a pass over the customers' first purchase days.
    """
    found = session.frame(SECONDS, until=until)
    left = found["customers"].to_numpy(float)[::-1].cumsum()[::-1]
    found = found[left >= FEWEST_LEFT].astype(float)
    if found["came"].sum() < FEWEST_CAME:
        return None
    days = np.arange(int(found["days"].max()) + 1)
    share = np.clip(found["came"].to_numpy() / left[: len(found)], 0, 1 - 1e-9)
    steps = np.zeros(len(days))
    steps[found["days"].to_numpy(int)] = -np.log1p(-share)
    tail = max(len(days) // 4, 1)
    return SecondPurchase(steps.cumsum(), float(steps[-tail:].mean()), ahead)


def keep_second_purchase(session: Session, second: SecondPurchase | None) -> None:
    """lifetime.second_purchase: the curve of a fit, for histories that are scored by it later; none where none is."""
    import pandas as pd

    if second:
        days = np.arange(len(second.hazard), dtype=np.int32)
        load(
            session,
            KEPT,
            pd.DataFrame({"day": days, "hazard": second.hazard, "rate": second.rate, "ahead": second.ahead}),
        )


def kept_second_purchase(session: Session) -> SecondPurchase | None:
    """The curve of the last fit; None where it had none."""
    if not session.has_table(KEPT):
        return None
    kept = session.frame(f"SELECT hazard, rate, ahead FROM {KEPT} ORDER BY day")
    return SecondPurchase(kept["hazard"].to_numpy(float), float(kept["rate"].iloc[0]), int(kept["ahead"].iloc[0]))


def with_rhythm(scored: pd.DataFrame, fitted: Fit, k: float, second: SecondPurchase | None = None) -> pd.DataFrame:
    """The scored histories with `gap_days` and `overdue` beside.

    gap_days: within so many days of the last purchase, half of those who are still there with this history have bought
    again. overdue: the share of them who would have, in the days that have passed since. Of who bought once, both are
    as `second` says, where it is given.
    """
    frequency, recency, age = (scored[name].to_numpy(float) for name in KEY)
    n, scale = _rates(fitted, frequency, recency, k)
    silence, half = age - recency, betaincinv(k, n, 0.5)
    with np.errstate(divide="ignore"):
        gap = np.minimum(scale * half / (1 - half), LONGEST_GAP)
    overdue = betainc(k, n, silence / (scale + silence))
    if second:
        once = frequency == 0
        gap[once], overdue[once] = second.gap_days, second.overdue(silence[once])
    return scored.assign(gap_days=np.maximum(np.rint(gap), 1).astype(np.int32), overdue=overdue)


def _rates(fitted: Fit, frequency: Array, recency_days: Array, k: float) -> tuple[Array, Array]:
    """The rate of events of who is still there after the last purchase: Gamma(n, scale), the scale in days.

    The fitted alpha is of the model's own k; events of an evenness of k come k times as often as purchases.
    """
    first = fitted.each[0]  # of a mean of models, whose rates are nearly alike
    r, alpha = first.theta[:2]
    return r + k * frequency, alpha * purchase_model(first).k / k * DAYS_PER_WEEK + recency_days
