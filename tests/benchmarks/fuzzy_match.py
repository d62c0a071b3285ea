"""Two lists of so many people each, matched: how long it takes on one core, and how right it is.

python tests/benchmarks/fuzzy_match.py [PEOPLE] [SHARE ON BOTH]
"""

from __future__ import annotations

import resource
import sys
import time

from clv_helpers.ingest.fuzzy_match import find_matches
from clv_helpers.simulate import simulate_two_lists

BY = ["first_name", "last_name", "birth_date", "postal_code", "email"]


def main(people: int, in_both: float) -> None:
    lists = simulate_two_lists(people, in_both=in_both)
    first, second = (rows.rename(columns={"number": "id"})[["id", *BY]] for rows in (lists.customers, lists.cards))
    same = lists.checked[lists.checked["is_same"]]
    true = {*zip(same["customer_id"], same["card_id"], strict=True)}
    for apart in ("first_name",) if people > 50_000 else ("first_name", ""):
        started, cpu = time.perf_counter(), time.process_time()
        found = find_matches(first, second, apart)
        seconds, busy = time.perf_counter() - started, time.process_time() - cpu
        pairs = found.pairs[(found.pairs["probability"] >= 0.95) & ~found.pairs["apart"]]
        right = len(true & {*zip(pairs["a"], pairs["b"], strict=True)})
        gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(
            f"{people:,} by {people:,}, apart {apart!r}: {seconds:.1f} s ({busy:.1f} s of CPU), {gigabytes:.1f} GB; "
            f"{len(pairs):,} matches, learned: {found.learned}, precision {right / max(len(pairs), 1):.4f}, "
            f"recall {right / max(len(true), 1):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20_000, float(sys.argv[2]) if sys.argv[2:] else 0.3)
