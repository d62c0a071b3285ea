"""What stops an activation, and who is control: nothing is written before it is meant, nothing twice at once."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from activations import activated, changed, everyone_in, join, leave, plan, sent

from clv_helpers import activation
from clv_helpers.activation import ActivationBusy, ActivationStopped
from clv_helpers.activation.delivery import held_destination
from clv_helpers.config.workbook import Workbook


def shrink(workbook: Workbook, keep: int) -> None:
    customers = "SELECT customer_id FROM audiences.membership WHERE audience = 'best_now_quiet'"
    leave(workbook, f"customer_id NOT IN ({customers} ORDER BY customer_id LIMIT {keep})")


def test_an_empty_audience_stops(workbook: Workbook) -> None:
    shrink(workbook, 0)
    with pytest.raises(ActivationStopped, match="win-back to email_team is stopped: of the audience"):
        activated(workbook)
    assert not list((workbook.folder / "exports").glob("*.csv"))
    activation.decide(workbook)
    assert workbook.query("activation.delivery_run").empty


def test_many_exited_stop_unless_accepted(workbook: Workbook) -> None:
    everyone_in(workbook)
    workbook = changed(workbook, **{"destinations.email_team.mode": "full"})
    first = activated(workbook)
    shrink(workbook, 100)
    said = r"is stopped: \d+ of \d+ members \(\d\d%\) have exited; guards\.max_exited_share is 50%.*--accept-change"
    with pytest.raises(ActivationStopped, match=said):
        activated(workbook)
    activation.decide(workbook)
    assert "(8" in activation.dry_run(workbook, workbook.params.activations[0]).stops
    ledger = workbook.query("activation.ledger")
    assert len(ledger) == ledger["at_destination"].sum() == first.delivered
    done = activation.activate(workbook, workbook.params.activations[0], accept_change=True)
    assert 0 < done.delivered < first.delivered
    assert activated(workbook).outcome == "done"


def test_a_size_that_jumps_stops(workbook: Workbook) -> None:
    first = activated(workbook)
    everyone_in(workbook)
    with pytest.raises(
        ActivationStopped, match=rf"members are to be sent, \+\d+% from {5 * round(first.delivered / 5)} last time"
    ):
        activated(workbook)


def test_two_at_once_one_is_refused(workbook: Workbook) -> None:
    folder = workbook.folder / "activation"
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom clv_helpers.activation.delivery import held_destination\n"
        "with held_destination(Path(sys.argv[1]), 'email_team'):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ActivationBusy, match=f"email_team: process {other.pid} delivers to it"):
            activated(workbook)
        with held_destination(folder, "another_destination"):
            pass
        other.kill()
        other.wait()
    assert activated(workbook).outcome == "done"  # the lock went with the process that held it


def test_control_group_is_stratified_and_stays(workbook: Workbook) -> None:
    everyone_in(workbook, limit=400)
    options = {"activations": [plan(control={"share": 0.2}, guards={"max_size_change": 9})]}
    activated(workbook, **options)
    first = workbook.query("activation.assignment")
    is_control = (first["arm"] == "control").groupby(first["decile"], dropna=False)
    by_decile = is_control.agg(["sum", "size"])
    assert ((by_decile["sum"] - 0.2 * by_decile["size"]).abs() < 1).all()
    assert abs((first["arm"] == "control").sum() - 0.2 * len(first)) < 1
    everyone_in(workbook)
    activated(workbook, **options)
    second = workbook.query("activation.assignment")
    kept = second.merge(first, on=list(first.columns))
    assert len(kept) == len(first) < len(second)
    assert abs((second["arm"] == "control").sum() - 0.2 * len(second)) < 1
    control = set(second[second["arm"] == "control"]["customer_id"])
    assert not control & set(workbook.query("activation.ledger")["customer_id"])
    assert not control & sent(workbook)


def test_campaigns_draw_independent_control_groups(workbook: Workbook) -> None:
    everyone_in(workbook)
    both = [plan(campaign=name, control={"share": 0.5}) for name in ("one", "two")]
    activation.decide(changed(workbook, activations=both))
    arms = workbook.query("activation.arm").pivot(index="customer_id", columns="campaign", values="arm")
    together = ((arms["one"] == "control") & (arms["two"] == "control")).mean()
    assert together == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / len(arms)))


@pytest.mark.parametrize(("treated", "control", "rate"), [(9000, 1000, 0.05), (450, 450, 0.2), (2000, 200, 0.01)])
def test_detectable_effect_is_found_in_80_of_100_experiments(treated: int, control: int, rate: float) -> None:
    """Simulated experiments at that effect, tested with the pooled two-proportion z test."""
    effect = activation.detectable_effect(treated, control, rate)
    random = np.random.default_rng(8)
    rates = random.binomial(treated, rate + effect, 20_000) / treated, random.binomial(control, rate, 20_000) / control
    pooled = (rates[0] * treated + rates[1] * control) / (treated + control)
    z = (rates[0] - rates[1]) / np.sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control))
    # the normal approximation of the formula is off by a few points where the expected count is small
    assert (z > 1.96).mean() == pytest.approx(0.8, abs=0.02 if rate * control > 30 else 0.1)


def test_detectable_effect_agrees_with_a_published_table() -> None:
    """Fleiss, table A.4: 0.05 against 0.10, alpha 0.05 and power 0.80, takes 435 in each group without correction."""
    assert activation.detectable_effect(435, 435, 0.05) == pytest.approx(0.05, abs=0.0002)
    assert activation.detectable_effect(2, 2, 0.5) is None


def test_what_the_control_can_show(workbook: Workbook) -> None:
    activation.decide(workbook)
    arms = workbook.query("activation.arm")["arm"].value_counts()
    said = activation.control(workbook).bundle["text/plain"]
    assert said.startswith(f"win-back: <11 members are control against {5 * round(arms['treated'] / 5)}")
    activation.decide(changed(workbook, activations=[plan()]))
    assert (
        "No campaign has a control group"
        in activation.control(changed(workbook, activations=[plan()])).bundle["text/plain"]
    )


def test_the_difference_to_the_last_time(workbook: Workbook) -> None:
    everyone_in(workbook, limit=500)
    activated(workbook)
    before = sent(workbook)
    leave(workbook, f"customer_id <= '{sorted(before)[9]}'")
    join(workbook, "customer_id > 'M0000500'")
    activation.decide(workbook)
    change = workbook.query("activation.fact_change").iloc[0]
    now = sent(workbook)
    expected = (len(before), len(now - before), len(before - now), len(now))
    assert tuple(change[["before", "realized", "exited", "now"]]) == expected
    assert change["exited"] == 10
    assert change["realized"] > 0
