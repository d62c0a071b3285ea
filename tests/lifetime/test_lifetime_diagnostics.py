"""What is refused, what is warned of, and what bad input does: a sentence each, nothing lost, no stack trace."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clv_helpers import ingest, lifetime, models
from clv_helpers.config.settings import Words
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest import IngestError
from clv_helpers.lifetime import diagnostics
from clv_helpers.lifetime.counts import Histories, Spends
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.records import LifetimeRecord
from conftest import write_shop

Row = tuple[str, dt.date, Any]
FIRST = dt.date(2023, 1, 2)
SWITCHED_ON = "lifetime:\n  horizon_months: 12\n  margin: 0.3\n"
NOTHING_TO_FIT = (
    "0 customers bought",
    "bought on a second day",
    "less than a season (91 days)",
    "all amounts together are ",
)
NO_MINIMUM = SWITCHED_ON + "  minimum: {customers: 1, history_days: 1, with_three_purchases: 0, quiet_days: 4000}\n"


def purchases(customers: int, days: int = 500, seed: int = 1, rate: float = 0.02, dropout: float = 0.15) -> list[Row]:
    """One row per purchase of customers who begin in the first half year."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for customer in range(customers):
        day, own = float(rng.integers(0, 180)), rng.gamma(1.0, rate)
        level = rng.gamma(3, 10)
        while day < days:
            spent = round(float(rng.gamma(4, level / 4)) + 1, 2)
            rows.append((f"c{customer}", FIRST + dt.timedelta(days=int(day)), spent))
            if rng.random() < dropout:
                break
            day += 1 + rng.exponential(1 / own)
    return rows


def shop(folder: Path, rows: list[Row], extra: str = SWITCHED_ON) -> Workbook:
    lines = "".join(f"{customer},{day},{amount}\n" for customer, day, amount in rows)
    return Workbook.open(write_shop(folder, csv=f"customer,day,spent\n{lines}", extra=extra))


def predict(workbook: Workbook) -> LifetimeRecord:
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    record = lifetime.refresh(workbook)
    models.refresh(workbook, "profile")  # what follows goes on, whatever became of the prediction
    return record


def codes(record: LifetimeRecord) -> set[str]:
    assert all(warning.sentence.endswith(".") for warning in record.warnings)
    return {warning.code for warning in record.warnings}


def sentence(record: LifetimeRecord, code: str) -> str:
    return next(warning.sentence for warning in record.warnings if warning.code == code)


def shown(workbook: Workbook) -> str:
    """All that notebook 1 says of it."""
    views = lifetime.values, lifetime.holdout, lifetime.track_record, lifetime.models
    return "\n".join(view(workbook).bundle["text/plain"] for view in views)


def ranked_otherwise(workbook: Workbook) -> int:
    """How many customers NTILE would give another decile, from its one large sort."""
    with workbook.engine.read() as session:
        return session.scalar(
            "SELECT COUNT(CASE WHEN decile_predicted <> tile THEN 1 END) AS others FROM (SELECT decile_predicted, "
            "NTILE(10) OVER (ORDER BY lifetime_value DESC, MD5(customer_id), customer_id) AS tile "
            "FROM lifetime.customer_lifetime_value) AS ranked"
        )


class TestRefusal:
    def test_too_little_is_refused_with_every_reason(self, outputs: Path, tmp_path: Path) -> None:
        rows = [("a", FIRST, 10), ("b", FIRST, 20), ("a", FIRST + dt.timedelta(days=40), 5)]
        workbook = shop(tmp_path, rows, f"as_of: 2023-04-01\n{SWITCHED_ON}")
        record = predict(workbook)
        assert record.status == "refused"
        assert record.refused == [
            "<11 customers bought; 500 are needed",
            "the purchases go back 89 days; 180 are needed",
            "0 customers bought on three days or more; 1 must have",
            "the last purchase was 49 days ago; 30 are allowed",
        ]
        assert "There is no prediction on this data: <11 customers bought; 500 are needed;" in shown(workbook)
        assert workbook.query("profile.customer")["lifetime_value"].isna().all()

    def test_params_move_the_minimum(self, outputs: Path, tmp_path: Path) -> None:
        rows = purchases(120)
        assert predict(shop(tmp_path, rows)).refused == ["120 customers bought; 500 are needed"]
        moved = Workbook.open(tmp_path / "shop.yml", overrides={"lifetime.minimum.customers": 100})
        record = predict(moved)
        assert record.status == "predicted"
        assert sentence(record, "few_repeaters") == (
            f"Only {5 * round(record.repeaters / 5)} customers came back: parameters and values are rough."
        )
        assert moved.query("profile.customer")["lifetime_value"].notna().all()
        assert not ranked_otherwise(moved)

    def test_an_earlier_prediction_is_taken_back(self, outputs: Path, tmp_path: Path) -> None:
        workbook = shop(tmp_path, purchases(550))
        assert predict(workbook).status == "predicted"
        stricter = Workbook.open(workbook.file, overrides={"lifetime.minimum.customers": 100_000})
        assert predict(stricter).status == "refused"
        assert stricter.query("profile.customer")["lifetime_value"].isna().all()
        assert stricter.query("lifetime.customer_lifetime_value").empty

    def test_switched_off_says_how_to_switch_it_on(self, outputs: Path, tmp_path: Path) -> None:
        workbook = shop(tmp_path, purchases(20), extra="")
        assert predict(workbook).status == "off"
        assert "lifetime:\n  horizon_months: 12" in shown(workbook)
        assert "lifetime_value" in workbook.query("profile.customer")


class TestBadInput:
    @pytest.mark.parametrize(
        "rows",
        [
            [("a", FIRST, 10)],
            [("a", FIRST, 10), ("a", FIRST + dt.timedelta(days=9), 12)],
            [(f"c{n}", FIRST + dt.timedelta(days=n % 300), 10) for n in range(700)],
            [(f"c{n}", FIRST, 10) for n in range(700)],
            [(f"c{n % 90}", FIRST + dt.timedelta(days=3 * n), 0) for n in range(300)],
            [(f"c{n % 90}", FIRST + dt.timedelta(days=4 * (n // 3)), -5) for n in range(300)],
        ],
        ids=["one purchase", "one customer", "all one-time", "all on one day", "all for nothing", "all refunds"],
    )
    def test_extremes_end_in_sentences(self, outputs: Path, tmp_path: Path, rows: list[Row]) -> None:
        assert predict(shop(tmp_path / "default", rows)).status == "refused"
        workbook = shop(tmp_path / "open", rows, NO_MINIMUM)  # the same name: the lake holds the file already
        record = predict(workbook)
        assert shown(workbook)
        assert record.status == "refused"
        assert any(reason in "; ".join(record.refused) for reason in NOTHING_TO_FIT)
        assert workbook.query("lifetime.customer_lifetime_value").empty

    def test_amounts_as_text(self, outputs: Path, tmp_path: Path) -> None:
        rows = purchases(550)
        workbook = shop(tmp_path / "few", [*rows, ("c1", FIRST, "twelve")])
        record = predict(workbook)
        assert record.status == "predicted"
        rejected = workbook.query("derived.rejected_reason")
        assert rejected["rejected_rows"].sum() == 1
        many = shop(tmp_path / "many", [(c, d, f"{a} euros") for c, d, a in rows])
        with pytest.raises(IngestError, match="rows break the contract"):
            predict(Workbook.open(many.file.rename(many.file.with_name("other.yml"))))

    def test_what_lies_after_as_of_is_left_out_and_counted(self, outputs: Path, tmp_path: Path) -> None:
        rows = purchases(550)
        later = [("c1", dt.date(2025, 1, 1), 10), ("c2", dt.date(2025, 1, 2), 10)]
        workbook = shop(tmp_path, [*rows, *later], f"as_of: 2024-05-16\n{SWITCHED_ON}")
        record = predict(workbook)
        assert sentence(record, "events_after_as_of") == (
            "Not used, as they are not before as_of (2024-05-16): <11 events."
        )
        assert workbook.query("lifetime.customer_history")["age_days"].max() <= 500

    def test_duplicates_count_once_and_are_said(self, outputs: Path, tmp_path: Path) -> None:
        rows = purchases(550)
        single = predict(shop(tmp_path / "single", rows))
        doubled = shop(tmp_path / "doubled", rows * 2)
        record = predict(Workbook.open(doubled.file.rename(doubled.file.with_name("twice.yml"))))
        assert "repeated_rows" not in codes(single)
        assert f"{5 * round(len(rows) / 5):,} rows" in sentence(record, "repeated_rows")
        ours, twice = (next(f for f in result.fits if f.data == "all") for result in (single, record))
        assert ours.parameters == pytest.approx(twice.parameters)


class TestRefunds:
    ROWS = [
        ("a", dt.date(2023, 1, 2), 100),
        ("a", dt.date(2023, 1, 5), -40),  # nets against the first day: no repeat spend
        ("a", dt.date(2023, 2, 1), 50),
        ("a", dt.date(2023, 2, 9), -20),  # nets against the repeat day, and is no purchase
        ("b", dt.date(2023, 1, 3), -10),  # no purchase before it
        ("b", dt.date(2023, 1, 4), 30),
        ("b", dt.date(2023, 1, 4), -5),  # nets within its day
        ("b", dt.date(2023, 3, 4), 30),
        ("c", dt.date(2023, 1, 4), -30),  # nothing but a refund: no customer
        ("d", dt.date(2023, 1, 4), 12),
        ("d", dt.date(2023, 1, 9), 0),  # a gift is a purchase day, without spend
    ]

    def test_netting(self, outputs: Path, tmp_path: Path) -> None:
        workbook = shop(tmp_path, self.ROWS, f"as_of: 2023-04-01\n{NO_MINIMUM}")
        record = predict(workbook)
        history = workbook.query("lifetime.customer_history", order_by="customer_id").set_index("customer_id")
        assert history["frequency"].to_dict() == {"a": 1, "b": 1, "d": 1}
        assert history["repeat_spend"].to_dict() == {"a": 30, "b": 30, "d": 0}
        assert history["spend"].to_dict() == {"a": 90, "b": 55, "d": 12}
        assert history["recency_days"].to_dict() == {"a": 30, "b": 59, "d": 5}
        assert "<11 customers got back more than they spent on a day" in sentence(record, "refunds")
        assert "<11 had no purchase before" in sentence(record, "refunds")
        assert sentence(record, "repeat_without_spend").startswith("<11 customers came back and spent nothing")

    def test_histories_are_the_same_on_both_ways(self, outputs: Path, tmp_path: Path) -> None:
        """The calibration is read from the days, all data from derived.customer_value: on one date they agree."""
        rows = purchases(550) + [(f"c{n}", FIRST + dt.timedelta(days=200 + n), -3) for n in range(0, 100, 7)]
        last = max(day for _, day, _ in rows)
        params = f"as_of: {last + dt.timedelta(days=1)}\n{SWITCHED_ON}"
        everything = shop(tmp_path / "all", rows, params)
        predict(everything)
        later = [("z", last + dt.timedelta(days=n), 5) for n in (40, 70)]
        held_back = shop(tmp_path / "held", rows + later, f"{SWITCHED_ON}  calibration_end: {last}\n")
        held_back = Workbook.open(held_back.file.rename(held_back.file.with_name("held.yml")))
        predict(held_back)
        columns = ["customer_id", "frequency", "recency_days", "repeat_spend", "spend"]
        ours = everything.query("lifetime.customer_history", order_by="customer_id")
        known = held_back.query("lifetime.customer_calibration", order_by="customer_id")
        assert known[columns].round(6).equals(ours[columns].round(6))
        assert ours["age_days"].equals(known["age_days"])  # both to the last day that is known


class TestBoundaries:
    def test_no_dropout(self) -> None:
        rng = np.random.default_rng(3)
        rates, age = rng.gamma(1.5, 1 / 10, 3_000), rng.integers(100, 200, 3_000).astype(float)
        x = rng.poisson(rates * age)
        recency = np.where(x > 0, age * rng.beta(np.maximum(x, 1), 1), 0.0)
        for model in ("bg_nbd", "mbg_nbd", "pareto_nbd"):
            fitted = fit(model, Histories(x.astype(float), recency, age, np.ones(3_000)))
            (warning,) = diagnostics.about_fit(fitted, Words())
            assert warning.code == "no_dropout"
            assert warning.sentence.startswith(f"{fitted.title} cannot tell who has left: ")
            lost = fitted.unidentified
            assert lost
            assert all(fitted.standard_errors[name] is None for name in lost)
            assert all(fitted.intervals[name] is None for name in lost)
            assert all(np.isfinite(fitted.theta))

    def test_everyone_drops_out_alike(self) -> None:
        rng = np.random.default_rng(5)
        rows = []
        for _ in range(3_000):
            rate, age, moment, x, last = rng.gamma(1.0, 0.1), rng.uniform(80, 160), 0.0, 0, 0.0
            while True:
                moment += rng.exponential(1 / rate)
                if moment > age:
                    break
                x, last = x + 1, moment
                if rng.random() < 0.2:
                    break
            rows.append((x, last, age))
        x, recency, age = np.array(rows).T
        fitted = fit("bg_nbd", Histories(x, recency, age, np.ones(len(x))))
        (warning,) = diagnostics.about_fit(fitted, Words(purchase="flight"))
        assert warning.code == "dropout_not_identified"
        assert warning.sentence == "Only the mean share that drops out after each flight, a/(a+b) = 20%, is identified."

    def test_everyone_buys_alike(self) -> None:
        rng = np.random.default_rng(5)
        age = rng.uniform(50, 150, 2_000)
        x = rng.poisson(0.1 * age).astype(float)
        recency = np.where(x > 0, age * rng.beta(np.maximum(x, 1), 1), 0.0)
        fitted = fit("bg_nbd", Histories(x, recency, age, np.ones(2_000)))
        assert "rates_not_identified" in {warning.code for warning in diagnostics.about_fit(fitted, Words())}

    def test_spend_that_follows_frequency(self, outputs: Path, tmp_path: Path) -> None:
        rows = purchases(700, dropout=0.05)
        often: dict[str, int] = {}
        for customer, _, _ in rows:
            often[customer] = often.get(customer, 0) + 1
        record = predict(shop(tmp_path, [(c, d, round(5.0 * often[c] + a / 50, 2)) for c, d, a in rows]))
        assert record.correlation_of_frequency_and_spend > 0.9
        said = sentence(record, "spend_depends_on_frequency")
        assert said.startswith("Who buys more often spends more each time (correlation 1.00;")

    def test_spend_without_a_mean(self) -> None:
        rng = np.random.default_rng(6)
        nu = rng.gamma(0.7, 1 / 20, 4_000)
        total = rng.gamma(3 * 2, 1 / nu)
        fitted = fit("gamma_gamma", Spends(np.full(4_000, 2.0), np.log(total), np.ones(4_000)))
        assert fitted.parameters["q"] == pytest.approx(0.7, rel=0.1)
        assert [warning.code for warning in diagnostics.about_spend(fitted, 0.0, Words())] == ["spend_without_mean"]

    def test_short_data_and_a_large_miss_are_said(self, outputs: Path, tmp_path: Path) -> None:
        rows = purchases(550, days=230)
        record = predict(shop(tmp_path, rows, f"{SWITCHED_ON}  calibration_end: 2023-07-20\n"))
        assert {"short_holdout"} <= codes(record)
        assert record.holdout.days < 56
        for end in ("2023-01-01", "2029-01-01"):
            none = predict(Workbook.open(tmp_path / "shop.yml", overrides={"lifetime.calibration_end": end}))
            assert none.status == "predicted"
            assert none.holdout is None
            assert f"the calibration would end on {end}" in sentence(none, "no_holdout")
