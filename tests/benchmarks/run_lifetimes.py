"""One process, one measurement of the archived `lifetimes`, plain or with `weights`. Prints a JSON object."""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter


def measure(file, weighted):
    frame = pd.read_parquet(file, columns=["frequency", "recency_days", "age_days"])
    started = time.process_time()
    model = BetaGeoFitter()
    if weighted:
        groups = frame.groupby(["frequency", "recency_days", "age_days"]).size().reset_index(name="customers")
        model.fit(groups.frequency, groups.recency_days / 7, groups.age_days / 7, weights=groups.customers)
    else:
        model.fit(frame.frequency, frame.recency_days / 7, frame.age_days / 7)
    fitted = time.process_time()
    history = frame.frequency.to_numpy(), frame.recency_days.to_numpy() / 7, frame.age_days.to_numpy() / 7
    alive = model.conditional_probability_alive(*history)
    before, discounted = np.zeros(len(frame)), np.zeros(len(frame))
    for month in range(1, 13):
        ahead = model.conditional_expected_number_of_purchases_up_to_time(month * 365.25 / 84, *history)
        discounted += (np.asarray(ahead) - before) / 1.1 ** (month / 12)
        before = np.asarray(ahead)
    scored = time.process_time()
    return {
        "fit": fitted - started,
        "score": scored - fitted,
        "parameters": [float(value) for value in model.params_],
        "unusable": int(np.isnan(alive).sum() + np.isnan(discounted).sum()),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], "weighted" in sys.argv)))
