"""Who is on two lists, though names, addresses and dates differ: pairs with a probability, by Splink.

The model is Fellegi and Sunter's: how often a column agrees among pairs of one person, against how often it does by
chance. The latter is counted over random pairs, and by how frequent a value is; the former is learned from the lists
themselves (expectation maximisation), where enough pairs agree so well that they can be nothing but matches. It takes
columns to agree independently, which those of a household do not: so two whose first names are wholly different are
held apart, whatever else agrees.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.config.identities import Identities
from clv_helpers.engines.dialect import column, expression, table, to_sql
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest.identity_values import PERSON

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

MATCH = "profile.match"
NAMES = ("first_name", "last_name")
LIKELY = 0.1  # the least probability of a pair that is kept
MOST_PAIRS = 10  # per row of both lists, of those that agree in some columns and so are looked at
SURE = 3  # in so many comparisons agree pairs that are matches
SURE_SHARE = 0.5  # of all matches, about; twice as many or half make little difference
ENOUGH = 30  # such pairs are needed to learn from
RANDOM_PAIRS = 300_000
SEED = 1
# As values are compared: without case, accents and blanks around.
TEXT = "NULLIF(LOWER(STRIP_ACCENTS(TRIM(CAST($column AS TEXT)))), '')"
FULL_NAME = "SELECT *, first_name || ' ' || last_name AS full_name FROM $rows AS r"
SWAPPED = "l.first_name = r.last_name AND l.last_name = r.first_name"
ALL_PAIRS = "SELECT (SELECT COUNT(*) FROM a) * (SELECT COUNT(*) FROM b)"
ROWS = f"""
    SELECT {PERSON} AS id, $values FROM $rows AS r
    QUALIFY ROW_NUMBER() OVER (PARTITION BY {PERSON} ORDER BY _batch_id DESC, $first) = 1
    ORDER BY id
"""
SCORED = """
    SELECT CASE WHEN source_dataset_l = 'a' THEN unique_id_l ELSE unique_id_r END AS a,
        CASE WHEN source_dataset_l = 'a' THEN unique_id_r ELSE unique_id_l END AS b,
        ROUND(match_weight, 6) AS weight, ROUND(match_probability, 6) AS probability
    FROM $predicted AS p
"""
WHOLLY_DIFFERENT = """
    COALESCE(JARO_WINKLER_SIMILARITY($a, $b) < 0.8 AND NOT STARTS_WITH($a, $b) AND NOT STARTS_WITH($b, $a), FALSE)
        AND NOT COALESCE($swapped, FALSE)
"""
# Of each the best of the other list, where it is the best of that one, too: so nobody is matched twice.
BEST = """
    SELECT s.a, s.b, s.probability, $apart AS apart
    FROM $scored AS s JOIN a ON a.unique_id = s.a JOIN b ON b.unique_id = s.b
    QUALIFY ROW_NUMBER() OVER (PARTITION BY s.a ORDER BY apart, weight DESC, s.b) = 1
        AND ROW_NUMBER() OVER (PARTITION BY s.b ORDER BY apart, weight DESC, s.a) = 1
    ORDER BY s.a
"""
OUTCOMES = """
    SELECT a AS customer_id, b AS source_customer_id, probability,
        CASE WHEN apart THEN 'held apart' WHEN probability < $threshold THEN 'too uncertain' ELSE 'joined' END
            AS outcome,
        learned
    FROM matched
"""


class MatchingError(UserError):
    """Two lists cannot be matched."""


@dataclass(frozen=True)
class Found:
    """The pairs (`a`, `b`, `probability`, `apart`), at most one of each row; whether there were enough to learn from.

    `apart`: the names are wholly different, as in a household.
    """

    pairs: pd.DataFrame
    learned: bool


def refresh_matches(session: Session, identities: Identities) -> None:
    """Bring profile.match up to date with the two lists, as the params ask for it; empty where they do not.

    Cost: a look through both lists; where one of them changed, that of `find_matches`. Raises MatchingError.
    """
    match = identities.match
    lists = [_rows(session, name, match.by) for name in match.lists] if match else []
    apart = identities.apart if match and identities.apart in match.by else ""
    version = hashlib.sha256(repr((match, apart, [rows.to_csv() for rows in lists])).encode()).hexdigest()
    if session.version(MATCH) == version:
        return
    session.run("DELETE FROM $rows WHERE TRUE", rows=table(MATCH))
    if match and all(map(len, lists)):
        found = find_matches(lists[0], lists[1], apart)
        session.load_frame("matched", found.pairs.assign(learned=found.learned))
        outcomes = expression(OUTCOMES, threshold=match.threshold)
        session.run("INSERT INTO $rows SELECT * FROM $outcomes AS o", rows=table(MATCH), outcomes=outcomes)
    session.set_version(MATCH, version)


def _rows(session: Session, dataset: str, by: list[str]) -> pd.DataFrame:
    """A list: of each customer id, as it came, the newest row."""
    values = [column(name) for name in by]
    return session.frame(expression(ROWS, values=values, first=values[0], rows=table(f"lake.{dataset}")))


def find_matches(first: pd.DataFrame, second: pd.DataFrame, apart: str = "") -> Found:
    """Pairs of rows of two lists that are likely one person's: both have a column `id` and the columns to compare.

    First and last name are compared together, by how alike they are, also swapped; any other column by whether it is
    the same but for one letter. A value that is missing says nothing; one that many have says little. Nobody should be
    on a list twice. Same lists, same pairs. Cost: 20,000 by 20,000 about 10 s on one core; it grows with the pairs that
    agree in something rare, not with all. Raises MatchingError without Splink, or where no columns tell rows apart.

    Example:
        >>> import pandas as pd
        >>> from clv_helpers.ingest.fuzzy_match import find_matches
        >>> rows = pd.DataFrame({"id": [1, 2], "name": ["Ito", "Kaya"], "born": ["1970", "1981"], "code": ["7", "9"]})
        >>> find_matches(rows, rows.assign(id=["x", "y"])).pairs["b"].to_list()
        ['x', 'y']
    """
    import duckdb

    by = [name for name in first.columns if name != "id"]
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # so that sums, and draws, come out the same
        for name, rows in (("a", first), ("b", second)):
            _load(connection, name, rows, by)
        linker, learned = _trained(connection, by)
        predicted = linker.inference.predict(threshold_match_probability=LIKELY)
        scored = expression(SCORED, predicted=table(predicted.physical_name))
        best = expression(BEST, scored=scored, apart=_is_apart(apart, by))
        return Found(connection.execute(to_sql(best)).df(), learned)


def _is_apart(apart: str, by: list[str]) -> exp.Expression:
    if not apart:
        return exp.false()
    swapped = expression("a.first_name = b.last_name" if set(NAMES) <= set(by) else "FALSE")
    sides = {side: exp.column(exp.to_identifier(apart, quoted=True), side) for side in "ab"}
    return expression(WHOLLY_DIFFERENT, swapped=swapped, **sides)


def _load(connection: duckdb.DuckDBPyConnection, name: str, rows: pd.DataFrame, by: list[str]) -> None:
    """A list as a table, its values written in one way."""
    connection.register("given", rows)
    values = [expression(TEXT, column=column(each)).as_(each, quoted=True) for each in by]
    query = expression("SELECT CAST(id AS TEXT) AS unique_id, $values FROM given", values=values)
    query = expression(FULL_NAME, rows=query) if set(NAMES) <= set(by) else query
    connection.execute(f"CREATE TABLE {name} AS {to_sql(query)}")
    connection.unregister("given")


def _trained(connection: Any, by: list[str]) -> tuple[Any, bool]:
    """The model of the lists, and whether it was learned from them."""
    try:
        from splink import DuckDBAPI, Linker, block_on
    except ImportError:
        needed = "identities.match needs Splink: pip install 'clv-helpers[matching]'"
        raise MatchingError(needed) from None
    has_names = set(NAMES) <= set(by)
    alone = [(name,) for name in by if not (has_names and name in NAMES)]
    parts: list[tuple[str, ...]] = [NAMES, *alone] if has_names else [*alone]
    sure = _sure(connection, parts)
    api = DuckDBAPI(connection)
    sides = [api.register(side, dataset_display_name=side) for side in "ab"]
    linker = Linker(sides, _settings(connection, by, parts, sure), log_level=logging.ERROR)
    linker.training.estimate_u_using_random_sampling(RANDOM_PAIRS, seed=SEED, min_count_per_level=None, num_chunks=1)
    learned = len(parts) >= SURE and sure >= ENOUGH
    if learned:  # from pairs that are alike in what is rare all else is learned; so it takes two of them
        for part in sorted(parts, key=lambda part: _by_chance(connection, part))[:2]:
            linker.training.estimate_parameters_using_expectation_maximisation(
                block_on(*part), record_sample_proportion=1.0
            )
    return linker, learned


def _settings(connection: Any, by: list[str], parts: list[tuple[str, ...]], sure: int) -> Any:
    """What Splink is asked: how columns are compared, which pairs are looked at, and how many are matches, about."""
    from splink import SettingsCreator, block_on

    looked_at: list[Any] = [block_on(*rule) for rule in _rules(connection, by)]
    if NAMES in parts:
        looked_at.append(SWAPPED)
    return SettingsCreator(
        link_type="link_only",
        comparisons=[_comparison(part) for part in parts],
        blocking_rules_to_generate_predictions=looked_at,
        probability_two_random_records_match=min(0.5, max(sure, 1) / SURE_SHARE / _scalar(connection, ALL_PAIRS)),
        retain_matching_columns=False,
    )


def _comparison(part: tuple[str, ...]) -> Any:
    from splink import comparison_library as comparisons

    if part == NAMES:
        return comparisons.ForenameSurnameComparison(*NAMES, forename_surname_concat_col_name="full_name")
    [name] = part
    alike: Any = comparisons.DamerauLevenshteinAtThresholds(name, [1])
    if name.endswith("name"):
        alike = comparisons.JaroWinklerAtThresholds(name, [0.92, 0.88])
    return alike.configure(term_frequency_adjustments=True)


def _rules(connection: Any, by: list[str]) -> list[tuple[str, ...]]:
    """Columns that pairs have alike that are looked at: each set that not too many have so."""
    most = MOST_PAIRS * _scalar(connection, "SELECT (SELECT COUNT(*) FROM a) + (SELECT COUNT(*) FROM b)")
    chosen: list[tuple[str, ...]] = []
    for size in range(1, SURE + 1):
        for names in itertools.combinations(by, size):
            if not any(set(rule) <= set(names) for rule in chosen) and _by_chance(connection, names) <= most:
                chosen.append(names)
    if not chosen:
        raise MatchingError(f"identities.match.by is {', '.join(by)}; allowed: columns that tell people apart")
    return chosen


def _by_chance(connection: Any, names: tuple[str, ...]) -> float:
    """How many pairs have these columns alike."""
    listed = ", ".join(map(_quoted, names))
    known = " AND ".join(f"NOT {name} IS NULL" for name in map(_quoted, names))
    sides = [f"(SELECT {listed}, COUNT(*) AS n FROM {side} WHERE {known} GROUP BY ALL) AS {side}" for side in "ab"]
    pairs = f"SELECT COALESCE(SUM(CAST(a.n AS DOUBLE) * b.n), 0) FROM {sides[0]} JOIN {sides[1]} USING ({listed})"
    return _scalar(connection, pairs)


def _sure(connection: Any, parts: list[tuple[str, ...]]) -> int:
    """How many pairs agree so well that they can be nothing but matches."""
    found = []
    for some in itertools.combinations(parts, min(SURE, len(parts))):
        same = " AND ".join(f"a.{name} = b.{name}" for name in map(_quoted, itertools.chain(*some)))
        found.append(f"SELECT a.unique_id AS a, b.unique_id AS b FROM a JOIN b ON {same}")
    return _scalar(connection, f"SELECT COUNT(*) FROM ({' UNION '.join(found)}) AS sure")


def _scalar(connection: Any, query: str) -> Any:
    return connection.execute(query).fetchone()[0]


def _quoted(name: str) -> str:
    return to_sql(column(name))
