"""Customer ids become one customer where equal values show them to be one person; the rule taken out, they part again.

Which ids are joined is a function of the rows in the lake and the rule: so it is the same whatever came in first. The
lake's rows bear the customer's number in customer_id, and the id that they came with in source_customer_id. What is
kept under an id for good (the ledger, assignments, unsubscriptions) stays under it, and is read through
profile.joined_customer.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.identities import SAYING, Identities
from clv_helpers.config.tables import ALWAYS_THERE, is_dataset
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import expression, table
from clv_helpers.engines.session import Session
from clv_helpers.ingest.fuzzy_match import MATCH, refresh_matches
from clv_helpers.ingest.identity_values import PERSON, SOURCE_ID, stage_values
from clv_helpers.models.checkpoints import CHECKPOINT, build_anew

JOINED, JOINING = "profile.joined_customer", "profile.joining"
LARGEST = 4  # times at_most: so many ids one person may have, over several values
# A name that one id alone bears, and a letter away from one that more ids of the same value bear, is that one mistyped.
SPELT = """
    WITH known AS (
        SELECT place, value FROM told GROUP BY place, value
        HAVING COUNT(*) BETWEEN 3 AND $at_most AND NOT BOOL_OR(of_nobody)
    ),
    called AS (
        SELECT t.place, t.value, n.name, COUNT(*) AS ids, MIN(t.id) AS id
        FROM told AS t
        JOIN known AS k ON k.place = t.place AND k.value = t.value
        JOIN named AS n ON n.id = t.id
        WHERE LENGTH(n.name) > 3
        GROUP BY t.place, t.value, n.name
    ),
    mistyped AS (
        SELECT a.id, MIN(b.name) AS name
        FROM called AS a
        JOIN called AS b ON b.place = a.place AND b.value = a.value AND b.ids > a.ids
        WHERE a.ids = 1 AND DAMERAU_LEVENSHTEIN(a.name, b.name) = 1
        GROUP BY a.id
    )
    SELECT n.id, COALESCE(m.name, n.name) AS name FROM named AS n LEFT JOIN mistyped AS m ON m.id = n.id
"""
# Two who match bear one name, however each is written; and are told to be one as if they shared a value.
CALLED = """
    SELECT n.id, COALESCE(f.name, n.name) AS name
    FROM first_spelt AS n
    LEFT JOIN $matched AS m ON m.source_customer_id = n.id AND m.outcome = 'joined'
    LEFT JOIN first_spelt AS f ON f.id = m.customer_id
"""
MATCHED = """
    SELECT CAST($place AS BIGINT) AS place, UNNEST([customer_id, source_customer_id]) AS id,
        customer_id || ' ' || source_customer_id AS value, FALSE AS of_nobody
    FROM $matched AS m WHERE outcome = 'joined'
"""
# A value of several names is of a household: it joins those of one name, and nobody whose name is not known.
JUDGED = """
    SELECT t.place, t.value, COUNT(*) AS ids, COUNT(DISTINCT n.name) AS names,
        CASE WHEN BOOL_OR(t.of_nobody) THEN 'role or placeholder' WHEN COUNT(*) > $at_most THEN 'too many ids'
            WHEN COUNT(DISTINCT n.name) > 1 THEN 'several persons' ELSE 'joined' END AS outcome
    FROM told AS t LEFT JOIN spelt AS n ON n.id = t.id
    GROUP BY t.place, t.value
    HAVING COUNT(*) > 1
"""
LINKS = """
    SELECT t.place, t.id, n.name,
        t.place || ':' || t.value || CASE WHEN j.names > 1 THEN ':' || n.name ELSE '' END AS link
    FROM told AS t
    JOIN judged AS j ON j.place = t.place AND j.value = t.value
    LEFT JOIN spelt AS n ON n.id = t.id
    WHERE j.outcome = 'joined' OR (j.outcome = 'several persons' AND NOT n.name IS NULL)
    ORDER BY t.place, link, t.id
"""
# Of the ids of a person the one that came first; those without a date after the others.
NUMBERED = """
    WITH seen AS (SELECT id, MIN(at) AS at FROM $moments AS m WHERE id IN (SELECT id FROM person) GROUP BY id)
    SELECT p.id, FIRST_VALUE(p.id) OVER (PARTITION BY p.person ORDER BY s.at NULLS LAST, p.id) AS customer_id
    FROM person AS p LEFT JOIN seen AS s ON s.id = p.id
"""
MOMENTS = {"purchases": "occurred_at", "customers": "CAST(joined_on AS TIMESTAMP)"}
RENUMBER = """
    UPDATE $rows AS r SET customer_id = c.number, source_customer_id = CASE WHEN c.number <> c.id THEN c.id END
    FROM changed AS c WHERE c.id = COALESCE(r.source_customer_id, r.customer_id) AND c.number <> r.customer_id
"""
AS_THEY_CAME = f"SELECT * EXCLUDE (source_customer_id) REPLACE ({PERSON} AS customer_id) FROM $rows AS r"
# By how many those who bought are fewer, joined.
BOUGHT = f"""
    SELECT '', 'bought', COUNT(DISTINCT p.id) - COUNT(DISTINCT COALESCE(j.customer_id, p.id)),
        COUNT(DISTINCT j.source_customer_id)
    FROM (SELECT {PERSON} AS id FROM lake.purchases) AS p LEFT JOIN {JOINED} AS j ON j.source_customer_id = p.id
"""
CHANGED = f"""
    SELECT r.id, COALESCE(j.customer_id, r.id) AS number, MIN(r._batch_id) AS oldest
    FROM (SELECT {PERSON} AS id, customer_id, _batch_id FROM $rows AS s) AS r
    LEFT JOIN $joined AS j ON j.source_customer_id = r.id
    WHERE COALESCE(j.customer_id, r.id) <> r.customer_id
    GROUP BY ALL
"""


def join_customers(session: Session, workbook: Workbook) -> None:
    """Give every row of the lake the number of its customer, by `identities` of the params; before tables are made.

    Cost: nothing where the params do not ask for it, or no row came or went; else a pass over the columns that join,
    and a change of the rows of which the customer is another now. Where tables were made of some of these, all are
    built from nothing; rows that have come in since keep the refresh to what they touch.
    """
    identities, datasets = workbook.params.identities, _datasets(session, workbook)
    if identities is None:
        _part(session, [dataset for dataset, has_source in datasets.items() if has_source])
        return
    for dataset, has_source in datasets.items():
        if not has_source:
            session.add_column(f"lake.{dataset}", SOURCE_ID, "text")
    for name in (JOINED, JOINING, MATCH):
        if not session.has_table(name):
            session.create_if_absent(name, dict(ALWAYS_THERE[name]))
            session.set_version(name, "empty")
    state = _state(session, workbook, list(datasets))
    if session.version(JOINING) == state:
        return
    stage_values(session, workbook, identities)
    refresh_matches(session, identities)
    _find_persons(session, identities)
    _renumber(session, list(datasets))
    session.set_version(JOINING, state)


def _state(session: Session, workbook: Workbook, datasets: list[str]) -> str:
    """Of what the joining is made, hashed: the rule, the columns, the steps of batches, and how many rows there are."""
    identities = workbook.params.identities
    lists = [*SAYING, *(identities.match.lists if identities and identities.match else ())]
    columns = [repr(each) for name in lists for each in workbook.params.contract(name).values()]
    rows = [session.count(table(name)) for name in ("lake.batch_log", *(f"lake.{dataset}" for dataset in datasets))]
    return hashlib.sha256(repr((identities, columns, datasets, rows)).encode()).hexdigest()


def _part(session: Session, datasets: list[str]) -> None:
    """Give every row the id back that it came with: as if none had ever been joined."""
    for dataset in datasets:  # written anew: DuckDB takes no change of rows and of columns in one transaction
        session.create_table(f"lake.{dataset}", expression(AS_THEY_CAME, rows=table(f"lake.{dataset}")))
    if datasets:
        for name in (JOINED, JOINING, MATCH):
            if session.has_table(name):
                session.drop(name)
        build_anew(session)


def _datasets(session: Session, workbook: Workbook) -> dict[str, bool]:
    """The datasets that share the customers' namespace, and whether their rows have the id they came with."""
    found = {}
    for dataset, known in workbook.params.datasets.items():
        name, source = f"lake.{dataset}", workbook.params.sources.get(dataset)
        of_customers = PRIMARY_IDENTITY in known and dataset != "experiments" and (not source or source.profile_enabled)
        columns = session.columns(table(name)) if of_customers and session.has_table(name) else {}
        if PRIMARY_IDENTITY in columns:
            found[dataset] = SOURCE_ID in columns
    return found


def _find_persons(session: Session, identities: Identities) -> None:
    """Bring profile.joined_customer and profile.joining up to date."""
    session.create_temporary("first_spelt", expression(SPELT, at_most=identities.at_most))
    session.create_temporary("spelt", expression(CALLED, matched=table(MATCH)))
    matched = expression(MATCHED, place=len(identities.join), matched=table(MATCH))
    session.run("INSERT INTO told SELECT * FROM $matched AS m", matched=matched)
    session.create_temporary("judged", expression(JUDGED, at_most=identities.at_most))
    persons, left = _persons(session, identities)
    session.load_frame("person", persons)
    session.create_temporary("numbered", expression(NUMBERED, moments=_moments(session)))
    joined = "SELECT id AS source_customer_id, customer_id FROM numbered WHERE id <> customer_id"
    _replace(session, JOINED, expression(joined))
    _replace(session, JOINING, _summary(identities, left))


def _moments(session: Session) -> exp.Subquery:
    parts = [
        expression(f"SELECT {PERSON} AS id, {MOMENTS[dataset]} AS at FROM $rows AS r", rows=table(f"lake.{dataset}"))
        for dataset in SAYING
        if session.has_table(f"lake.{dataset}")
    ]
    return exp.union(*parts, distinct=False).subquery() if parts[1:] else parts[0].subquery()  # type: ignore[attr-defined]


def _persons(session: Session, identities: Identities) -> tuple[Any, dict[str, tuple[int, int]]]:
    """Ids with the number of their person, as a DataFrame, and what was not joined: outcome → persons, ids.

    A person with two names was bridged by a value of somebody else: without the least certain column, then the next, it
    falls into its parts, or is not joined.
    """
    import pandas as pd

    links = session.frame(LINKS)
    ids, names = pd.factorize(links["id"])
    links["node"], of_name = (
        ids,
        links.drop_duplicates("id").set_index("id")["name"].reindex(names).reset_index(drop=True),
    )
    found, left, next_person = [], {}, 0
    for places in range(len(identities.ways), 0, -1):
        if not len(links):
            break
        part = links[links["place"] < places]
        nodes, person = _components(part)
        each = pd.DataFrame({"node": nodes, "person": person})
        each["name"] = of_name.reindex(each["node"]).to_numpy()
        told = each.groupby("person").agg(ids=("node", "size"), names=("name", "nunique"))
        told = told[told["ids"] > 1]
        good = told[(told["names"] <= 1) & (told["ids"] <= LARGEST * identities.at_most)]
        chosen = each[each["person"].isin(good.index)]
        found.append(pd.DataFrame({"id": names[chosen["node"]], "person": chosen["person"] + next_person}))
        next_person += len(told) + len(each)
        bad = told.drop(good.index)
        several = bad["names"] > 1
        left = {
            "bridged": (int(several.sum()), int(bad["ids"][several].sum())),
            "too large": (int((~several).sum()), int(bad["ids"][~several].sum())),
        }
        links = links[links["node"].isin(each["node"][each["person"].isin(bad.index)])]
    persons = pd.concat(found) if found else pd.DataFrame({"id": [], "person": []})
    return persons.astype({"id": "str", "person": "int64"}), left


def _components(links: Any) -> tuple[Any, Any]:
    """The ids of the links, and which of them are connected: the same number."""
    import numpy as np
    import pandas as pd
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids, nodes = pd.factorize(links["node"])
    values, known = pd.factorize(links["link"])
    size = len(nodes) + len(known)
    graph = coo_array((np.ones(len(ids), dtype=np.int8), (ids, values + len(nodes))), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    return np.asarray(nodes), component[: len(nodes)]


def _summary(identities: Identities, left: dict[str, tuple[int, int]]) -> exp.Expression:
    """The rows of profile.joining; a column's name is empty for all of them together."""
    names = exp.Case(this=exp.column("place"))
    for place, name in enumerate(identities.ways):
        names = names.when(exp.Literal.number(place), exp.Literal.string(name))
    parts = [
        expression("SELECT $name AS column_name, outcome, COUNT(*) AS found, CAST(SUM(ids) AS BIGINT) AS people "
                   "FROM judged GROUP BY ALL", name=names),
        expression("SELECT '', 'joined', COUNT(DISTINCT customer_id), COUNT(*) FROM numbered"),
        expression(BOUGHT),
        *(expression("SELECT '', $outcome, $found, $people", outcome=outcome, found=found, people=people)
          for outcome, (found, people) in left.items() if found),
    ]  # fmt: skip
    rows = exp.union(*parts, distinct=False).subquery("rows")
    return exp.select("*").from_(rows).order_by("column_name", "outcome")


def _replace(session: Session, name: str, query: exp.Expression) -> None:
    """Put the rows of a query in the place of a table's; its version changes only with its rows."""
    session.create_temporary("fresh", query)
    difference = "(SELECT * FROM $a AS a EXCEPT SELECT * FROM $b AS b)"
    sides = [
        expression(f"SELECT * FROM {difference} AS d", a=table(a), b=table(b)).subquery("d")  # type: ignore[attr-defined]
        for a, b in ((name, "fresh"), ("fresh", name))
    ]
    if any(map(session.count, sides)):
        session.run("DELETE FROM $rows WHERE TRUE", rows=table(name))
        session.run("INSERT INTO $rows SELECT * FROM fresh", rows=table(name))
        session.set_version(name, str(uuid.uuid4()))


def _renumber(session: Session, datasets: list[str]) -> None:
    """Give rows the number of their customer; tables that were made of some of them are built anew."""
    built, anew = _built(session), False
    for dataset in datasets:
        rows = table(f"lake.{dataset}")
        session.create_temporary("changed", expression(CHANGED, rows=rows, joined=table(JOINED)))
        oldest = session.scalar("SELECT MIN(oldest) AS oldest FROM changed")
        if oldest is not None:
            session.run(RENUMBER, rows=rows)
            anew = anew or oldest <= built.get(dataset, 0)
    if anew:
        build_anew(session)


def _built(session: Session) -> dict[str, int]:
    """By dataset, up to which batch a table was made of it."""
    newest: dict[str, int] = {}
    for row in session.rows("SELECT inputs FROM lake.checkpoint") if session.has_table(CHECKPOINT) else []:
        for name, version in json.loads(row["inputs"]).items():
            if is_dataset(name):
                dataset = name.removeprefix("lake.")
                newest[dataset] = max(newest.get(dataset, 0), version[0] or 0)
    return newest
