"""One process, one measurement of pymc-marketing's BG/NBD by MAP. Prints a JSON object."""

import json
import logging
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
from pymc_marketing.clv import BetaGeoModel  # noqa: E402


def measure(file):
    frame = pd.read_parquet(file, columns=["customer_id", "frequency", "recency_days", "age_days"])
    data = pd.DataFrame(
        {
            "customer_id": frame["customer_id"].to_numpy(),
            "frequency": frame["frequency"].to_numpy(),
            "recency": frame["recency_days"].to_numpy() / 7,
            "T": frame["age_days"].to_numpy() / 7,
        }
    )
    started = time.process_time()
    model = BetaGeoModel(data=data)
    model.fit(method="map", progressbar=False)
    fitted = time.process_time()
    alive = model.expected_probability_alive(data)
    before, discounted = np.zeros(len(data)), np.zeros(len(data))
    for month in range(1, 13):
        ahead = model.expected_purchases(data, future_t=month * 365.25 / 84).to_numpy().ravel()
        discounted += (ahead - before) / 1.1 ** (month / 12)
        before = ahead
    scored = time.process_time()
    summary = {name: float(model.idata.posterior[name].mean()) for name in ("r", "alpha", "a", "b")}
    return {
        "fit": fitted - started,
        "score": scored - fitted,
        "parameters": list(summary.values()),
        "unusable": int(np.isnan(np.asarray(alive)).sum() + np.isnan(discounted).sum()),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
