"""Random rules, and a small store with missing values and moments on every boundary."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import duckdb
from hypothesis import strategies as st

from clv_helpers.engines.session import Session

NOW = dt.datetime(2026, 3, 1)  # in New York still February; a month with another length before it
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]
TEXTS = ["", "a", "A", "ab", "Zürich", "b'; DROP TABLE x; --", 'say "x"', "100%", "a_b\\c"]
PATTERNS = ["a", "^a", "b$", "[A-Z]", "^$", "a.b", "\\d+", "x|ü", "(ab)?c", "'"]
NUMBERS = [0, 1, 2, 5, -3]
CATEGORIES = ["ALL", "GOLD", "it's"]
DAYS = ["today", "yesterday", "2026-02-28", "2026-03-01", "2025-10-26", "2024-02-29", "2026-01-31"]
DURATIONS = ["1 day", "30 days", "1 month", "2 months", "1 year", "3 weeks", "36 hours", "90 minutes", "1 second"]
GAPS = ["1 second", "90 minutes", "36 hours", "1 day", "7 days", "2 weeks"]
COLUMNS = {
    "profile": {
        "n": "number",
        "m": "number",
        "d": "number",
        "t": "text",
        "u": "text",
        "b": "boolean",
        "day": "date",
        "next_day": "date",
        "at": "timestamp",
    },
    "purchases": {
        "amount": "number",
        "fee": "number",
        "kind": "text",
        "flag": "boolean",
        "booked_on": "date",
        "occurred_at": "timestamp",
    },
    "email_events": {"event_type": "text", "occurred_at": "timestamp"},
}


def small_store() -> tuple[Session, dict]:
    """A store in memory with 48 people, and the same rows in Python."""
    chance = random.Random(7)
    people = [
        {
            "customer_id": f"M{index:02d}",
            "n": chance.choice([None, *NUMBERS]),
            "m": chance.choice([None, *NUMBERS]),
            "d": chance.choice([None, Decimal("0.1000"), Decimal("2.5000"), Decimal("-3.0000")]),
            "t": chance.choice([None, *TEXTS]),
            "u": chance.choice([None, *TEXTS[:4]]),
            "b": chance.choice([None, True, False]),
            "day": chance.choice([None, *map(dt.datetime.date, moments())]),
            "next_day": chance.choice([None, *map(dt.datetime.date, moments())]),
            "at": chance.choice([None, *moments()]),
        }
        for index in range(48)
    ]
    numbers = [person["customer_id"] for person in people[:40]]  # eight people did nothing
    loyalty = [
        {
            "customer_id": chance.choice(numbers),
            "occurred_at": chance.choice(moments()),
            "amount": chance.choice([None, Decimal("1.0000"), Decimal("2.5000"), Decimal("40.0000")]),
            "fee": chance.choice([None, Decimal("1.0000"), Decimal("3.5000"), Decimal("42.0000")]),
            "kind": chance.choice([None, "flight", "card", "a"]),
            "flag": chance.choice([None, True, False]),
            "booked_on": chance.choice([None, *map(dt.datetime.date, moments())]),
        }
        for _ in range(160)
    ]
    email = [
        {
            "customer_id": chance.choice(numbers),
            "occurred_at": chance.choice(moments()),
            "event_type": chance.choice(["sent", "opened", "clicked"]),
        }
        for _ in range(120)
    ]
    deciles = {
        (number, category, months): chance.randint(1, 10)
        for number in numbers for category in CATEGORIES for months in (0, 12) if chance.random() < 0.6
    }  # fmt: skip
    memberships = {(name, number) for name in ("best", "it's") for number in numbers if chance.random() < 0.4}
    rows = {"people": people, "events": {"purchases": loyalty, "email_events": email}}
    rows |= {"deciles": deciles, "memberships": memberships}
    return _fill(rows), rows


def moments() -> list[dt.datetime]:
    """Moments at, just before and just after what the rules below ask for, in several time zones."""
    days = [NOW - dt.timedelta(days=d) for d in (0, 1, 2, 7, 21, 28, 30, 31, 59, 60, 365, 366)]
    days += [dt.datetime(2026, 2, 28), dt.datetime(2025, 10, 26), dt.datetime(2024, 2, 29), dt.datetime(2026, 1, 31)]
    days += [dt.datetime(2026, 1, 1), dt.datetime(2025, 3, 1), dt.datetime(2026, 4, 1), dt.datetime(2025, 12, 31)]
    steps = [dt.timedelta(), dt.timedelta(microseconds=-1), dt.timedelta(seconds=1)]
    steps += [dt.timedelta(hours=h) for h in (-1, 1, 5, 23, 12)] + [dt.timedelta(hours=-5, minutes=-30)]
    return [day + step for day in days for step in steps]


def _fill(rows: dict) -> Session:
    session = Session(duckdb.connect(config={"threads": 1}))
    session.run("SET TimeZone = 'UTC'")
    for schema in ("profile", "lake", "derived", "audiences"):
        session.run(f"CREATE SCHEMA {schema}")
    connection = session.connection
    connection.execute(
        "CREATE TABLE profile.customer (customer_id VARCHAR, n BIGINT, m BIGINT, d DECIMAL(18,4), t VARCHAR, "
        'u VARCHAR, b BOOLEAN, day DATE, next_day DATE, "at" TIMESTAMP)'
    )
    connection.execute(
        "CREATE TABLE lake.purchases (customer_id VARCHAR, occurred_at TIMESTAMP, amount DECIMAL(18,4), "
        "fee DECIMAL(18,4), kind VARCHAR, flag BOOLEAN, booked_on DATE)"
    )
    connection.execute(
        "CREATE TABLE lake.email_events (customer_id VARCHAR, occurred_at TIMESTAMP, event_type VARCHAR)"
    )
    connection.execute(
        "CREATE TABLE derived.customer_decile "
        "(customer_id VARCHAR, category VARCHAR, lookback_months BIGINT, decile BIGINT)"
    )
    connection.execute(
        "CREATE TABLE audiences.membership_period (audience VARCHAR, customer_id VARCHAR, left_at TIMESTAMP)"
    )
    for name, values in {
        "profile.customer": [list(p.values()) for p in rows["people"]],
        "lake.purchases": [list(e.values()) for e in rows["events"]["purchases"]],
        "lake.email_events": [list(e.values()) for e in rows["events"]["email_events"]],
        "derived.customer_decile": [[*key, decile] for key, decile in rows["deciles"].items()],
        "audiences.membership_period": [[*pair, None] for pair in sorted(rows["memberships"])] + [["best", "M45", NOW]],
    }.items():
        marks = ", ".join("?" * len(values[0]))
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", values)
    return session


def values_of(kind: str) -> st.SearchStrategy:
    if kind == "boolean":
        return st.booleans()
    return st.sampled_from(TEXTS if kind == "text" else [*NUMBERS, 2.5, 0.1])


@st.composite
def whens(draw: st.DrawFn) -> dict:
    day, duration = st.sampled_from(DAYS), st.sampled_from(DURATIONS)
    form = draw(
        st.sampled_from(["is", "in_last", "in_next", "on", "from", "during", "within", "before", "after", "rolling"])
    )
    ignore = draw(st.booleans())
    point = st.one_of(day, duration.map(lambda d: f"{d} ago"), duration.map(lambda d: f"{d} from now"))
    match form:
        case "is":
            raw = {"is": draw(st.sampled_from(["today", "yesterday", "this month", "this year"]))}
            ignore = ignore and raw["is"] != "this year"
        case "from":
            raw = {"from": draw(day), "to": draw(day)}
        case "during":
            raw = {"during": draw(st.sampled_from(["2026", "2026-02", "2025-10", "2024-02"]))}
            ignore = ignore and "-" in raw["during"]
        case "within":
            raw = {"within": draw(st.sampled_from(["1 day", "30 days", "1 month", "1 year"])), "of": draw(day)}
        case "rolling":
            relative = st.one_of(duration.map(lambda d: f"{d} ago"), duration.map(lambda d: f"{d} from now"))
            raw, ignore = {"rolling": [draw(relative), draw(relative)]}, False
        case "before" | "after":
            raw = {form: draw(point)}
            ignore = ignore and not raw[form].endswith(("ago", "now"))
        case "on":
            raw = {"on": draw(day)}
        case _:
            raw, ignore = {form: draw(duration)}, False
    return raw | ({"ignore_year": True} if ignore else {})


@st.composite
def comparisons(draw: st.DrawFn, field: str, kind: str, others: list[str]) -> dict:
    """One attribute against another, moved by a number or by days."""
    ops = ["equals", "not equals"]
    ops += [] if kind in ("text", "boolean") else ["at most", "at least", "less than", "more than"]
    raw = {"field": field, "op": draw(st.sampled_from(ops)), "than": draw(st.sampled_from(others))}
    moved = {"number": [1, -2, 0.5], "date": ["30 days", "-1 day"], "timestamp": ["1 day"]}.get(kind, [])
    return raw | ({"plus": draw(st.sampled_from(moved))} if moved and draw(st.booleans()) else {})


@st.composite
def conditions(draw: st.DrawFn, source: str = "profile") -> dict:
    field, kind = draw(st.sampled_from(sorted(COLUMNS[source].items())))
    rest = {"or_missing": True} if draw(st.integers(0, 3)) == 0 else {}
    others = sorted(name for name, other in COLUMNS[source].items() if other == kind and name != field)
    if others and draw(st.integers(0, 3)) == 0:
        return draw(comparisons(field, kind, others)) | rest
    if kind in ("date", "timestamp") and draw(st.integers(0, 4)):
        return {"field": field, "when": draw(whens()), **rest}
    ops = ["exists", "missing"]
    if kind not in ("date", "timestamp"):
        ops += ["equals", "not equals"]
    if kind in ("text", "number"):
        ops += ["in", "not in"]
    if kind == "number":
        ops += ["at most", "at least", "less than", "more than", "between"]
    if kind == "text":
        tests = ["contains", "starts with", "ends with", "matches"]
        ops += tests + [f"not {test}" for test in tests]
        rest |= {"ignore_case": True} if draw(st.integers(0, 3)) == 0 else {}
    op = draw(st.sampled_from(ops))
    if op in ("exists", "missing"):
        return {"field": field, "op": op}
    values = st.sampled_from(PATTERNS) if op.endswith("matches") else values_of(kind)
    if op == "between":
        return {"field": field, "op": op, "value": [draw(values), draw(values)], **rest}
    if op in ("in", "not in"):
        return {"field": field, "op": op, "value": draw(st.lists(values, min_size=1, max_size=3)), **rest}
    return {"field": field, "op": op, "value": draw(values), **rest}


def nested(children: st.SearchStrategy) -> st.SearchStrategy:
    several = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"all": several}),
        st.fixed_dictionaries({"any": several}),
        st.fixed_dictionaries({"not": children}),
    )


@st.composite
def happenings(draw: st.DrawFn) -> dict:
    """An event with its filters and its time."""
    dataset = draw(st.sampled_from(["purchases", "email_events"]))
    raw: dict = {"event": dataset}
    if draw(st.booleans()):
        raw["where"] = draw(st.recursive(conditions(dataset), nested, max_leaves=3))
    if draw(st.booleans()):
        raw["when"] = draw(whens())
    return raw


@st.composite
def event_conditions(draw: st.DrawFn) -> dict:
    raw = draw(happenings())
    if "where" in raw and draw(st.integers(0, 5)) == 0:
        return raw | {"op": "all"}
    op = draw(st.sampled_from(["equals", "not equals", "at most", "at least", "less than", "more than", "between"]))
    if raw["event"] == "purchases" and draw(st.integers(0, 2)) == 0:
        values = st.sampled_from([0, 1, 2.5, 3.5, 41, 42.5])
        raw |= {"aggregate": draw(st.sampled_from(["sum", "average", "min", "max"])), "of": "amount"}
    else:
        values = st.integers(0, 4)
    if op == "between":
        return raw | {"op": op, "value": sorted([draw(values), draw(values)])}
    return raw | {"op": op, "value": draw(values)}


@st.composite
def sequences(draw: st.DrawFn) -> dict:
    steps = [draw(happenings())]
    for _ in range(draw(st.integers(1, 3))):
        step = draw(happenings())
        for key in ("after", "within"):
            if draw(st.integers(0, 2)) == 0:
                step[key] = draw(st.sampled_from(GAPS))
        if draw(st.integers(0, 2)) == 0:
            step["absent"] = True
        steps.append(step)
    return {"sequence": steps}


@st.composite
def maps(draw: st.DrawFn) -> dict:
    raw = {
        "map": "decile",
        "category": draw(st.sampled_from(CATEGORIES)),
        "lookback_months": draw(st.sampled_from([0, 12])),
    }
    op = draw(st.sampled_from(["equals", "not equals", "at most", "at least", "between", "exists", "missing"]))
    rest = {"or_missing": True} if draw(st.integers(0, 3)) == 0 and op not in ("exists", "missing") else {}
    if op in ("exists", "missing"):
        return raw | {"op": op}
    return raw | rest | {"op": op, "value": [2, 5] if op == "between" else draw(st.integers(1, 10))}


AUDIENCES = st.sampled_from(["best", "it's", "none"]).map(lambda name: {"audience": name})
LEAVES = st.one_of(conditions(), event_conditions(), sequences(), maps(), AUDIENCES)
RULES = st.recursive(LEAVES, nested, max_leaves=5)


@st.composite
def compositions(draw: st.DrawFn) -> dict:
    """A whole audience: a rule or a priority, and any of what may follow on it."""
    others = st.lists(st.sampled_from(["best", "it's", "none"]), unique=True, max_size=2)
    share = st.sampled_from(["0.5%", "10%", "33.3%", "50%", "12.5%"])
    raw: dict = {"title": "x", "exclude": draw(others)}
    if draw(st.integers(0, 5)) == 0:
        raw["priority"] = draw(st.permutations(["best", "it's", "none"]))[: draw(st.integers(2, 3))]
    else:
        raw["rule"] = draw(RULES)
        if draw(st.booleans()):
            raw["split"] = {"into": dict(zip("ab", [draw(share), draw(share)], strict=True))}
    if draw(st.integers(0, 3)):
        by = draw(st.sampled_from(["n", "d", "day", "at"]))
        order = draw(st.sampled_from(["ascending", "descending"]))
        raw["rank"] = {"by": by, "order": order, "limit": draw(st.one_of(share, st.integers(1, 30)))}
    return raw
