"""SQL of others reads tables alone: neither a file, nor the network, nor this process, however it is written."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import duckdb
import pytest

from clv_helpers import insights, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse
from clv_helpers.engines.guarded_query import MEMORY, QueryError, limited, other_than_tables
from clv_helpers.errors import UserError
from clv_helpers.models.own_tables import read_own_tables
from clv_helpers.models.table_file import TableError

SECRET = "canary-7f3a91"
READERS = [
    "read_text('{file}')", "READ_TEXT ( '{file}' )", "read_blob('{file}')", "read_csv('{file}')",
    "read_csv_auto('{file}')", "read_json('{file}')", "read_json_auto('{file}')", "read_parquet('{file}')",
    "parquet_scan('{file}')", "glob('{folder}/*')", "sniff_csv('{file}')", "query('FROM read_text(''{file}'')')",
    "query_table('{file}')", "main.read_text('{file}')", "\"read_text\"('{file}')", "read_/**/text('{file}')",
    "duckdb_secrets()", "duckdb_settings()", "pragma_database_list()", "read_text('http://127.0.0.1:9/x')",
    "json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", "parquet_metadata('{file}')",
]  # fmt: skip
FILES = ["'{file}'", '"{file}"', 'insights."{file}"', '"{folder}"."secret.csv"', 'insights."../../secret.csv"']
PLACES = [
    "SELECT * FROM {rows}", "SELECT 1 AS v FROM insights.dim_date CROSS JOIN {rows} AS c",
    "SELECT 1 AS v FROM (SELECT 1 AS x) AS s, LATERAL {rows} AS c",
    "SELECT 1 AS v FROM insights.dim_date JOIN LATERAL {rows} AS c ON TRUE",
    "SELECT * FROM (SELECT * FROM {rows}) AS s", "WITH a AS (SELECT * FROM {rows}) SELECT * FROM a",
    "WITH a AS MATERIALIZED (FROM {rows}) FROM a", "SELECT (SELECT MIN(c) FROM {rows} AS t(c)) AS v",
    "SELECT 1 AS v WHERE EXISTS (SELECT 1 FROM {rows})", "SELECT 1 AS v UNION ALL SELECT 2 FROM {rows}",
    "SELECT v FROM (VALUES (1)) AS s(v) WHERE v IN (SELECT 1 FROM {rows})",
    "SELECT CASE WHEN TRUE THEN (SELECT COUNT(*) FROM {rows}) END AS v", "FROM {rows} SELECT 1 AS v",
    "SELECT 1 AS v ORDER BY (SELECT COUNT(*) FROM {rows})",
    "SELECT 1 AS v FROM insights.dim_date QUALIFY ROW_NUMBER() OVER (ORDER BY (SELECT 1 FROM {rows})) = 1",
    "SELECT * FROM (SELECT 1 AS v) AS s POSITIONAL JOIN {rows} AS t",
]  # fmt: skip
TELLING = [
    "SELECT getenv('HOME') AS v", "SELECT current_setting('temp_directory') AS v", "SELECT getvariable('x') AS v",
    "SELECT error('x') AS v", "SELECT write_log('x') AS v", "SELECT sleep_ms(9) AS v", "SELECT current_query() AS v",
    "SELECT system.main.getenv('HOME') AS v", "SELECT \"getenv\"('HOME') AS v", "SELECT GETENV('HOME') AS v",
    "SELECT v FROM (SELECT 1 AS v) AS s WHERE getenv('HOME') = 'x'",
    "SELECT pg_sleep(9) AS v",
    "SELECT * REPLACE (getenv('HOME') AS day) FROM insights.dim_date", "SELECT txid_current() AS v",
    "SELECT * FROM (SUMMARIZE '{file}') AS s", "SELECT * FROM (DESCRIBE '{file}') AS s",
    "SELECT * FROM (SUMMARIZE FROM read_text('{file}')) AS s", "SELECT * FROM (PIVOT '{file}' ON a USING SUM(b)) AS s",
    "SELECT * FROM (UNPIVOT '{file}' ON a INTO NAME n VALUE v) AS s", 
    "SELECT * FROM pg_catalog.pg_settings", "SELECT * FROM duckdb_databases",
    "SELECT assert_true(FALSE, 'x') AS v", "SELECT raise_error('x') AS v", "SELECT ('HOME').getenv() AS v",
    "SELECT reflect('java.lang.System', 'getenv') AS v",
    "SELECT * FROM other.insights.dim_date", "COPY insights.dim_date TO '{file}'", "ATTACH '{file}' AS o",
    "SELECT 1 AS v INTO t",
]  # fmt: skip
STATEMENTS = ["INSTALL httpfs", "LOAD httpfs", "SET threads = 1", "CALL pragma_version()"]
HOSTILE = [place.format(rows=rows) for place, rows in itertools.product(PLACES, READERS + FILES)] + TELLING
BENIGN = [
    *(f"SELECT {column} AS v FROM insights.dim_date" for column in (
        "day", "YEAR(day)", "DATE_TRUNC('month', day)", "STRFTIME(day, '%Y')", "day + INTERVAL 1 DAY", "COUNT(*)",
        "SUM(1) FILTER (day > DATE '2020-01-01')", "LAG(day) OVER (ORDER BY day)", "CASE WHEN TRUE THEN 1 END",
        "COALESCE(NULL, 1)", "CAST(day AS VARCHAR)", "TRY_CAST('1' AS INT)", "UPPER('a')", "REGEXP_MATCHES('a', 'b')",
        "MD5('a')", "HASH(day)", "ROUND(1.5)", "LIST(day)", "[x * 2 for x in [1, 2]]", "{'a': 1}", "MAP {'a': 1}",
        "STRUCT_PACK(a := 1)", "QUANTILE_CONT(1.0, 0.5)", "APPROX_COUNT_DISTINCT(day)", "ARG_MAX(day, day)",
        "STRING_AGG('a', ',')", "EPOCH(day)", "DATEDIFF('day', day, day)", "LOG(2)", "GREATEST(1, 2)", "HISTOGRAM(1)",
        "CURRENT_DATE", "RANDOM()", "PRINTF('%d', 1)", "FORMAT('{{}}', 1)", "JSON_EXTRACT('{}', '$.a')", "TODAY()",
        "SPLIT_PART('a-b', '-', 1)", "LIST_FILTER([1], x -> x > 0)", "DATE_DIFF('day', day, day)", "LEN('a')",
    )),
    "FROM insights.dim_date", "SELECT * EXCLUDE (day) FROM insights.dim_date", "TABLE insights.dim_date",
    "SELECT COLUMNS('d.*') FROM insights.dim_date", "SELECT * FROM range(3) AS r(v)",
    "SELECT * FROM (VALUES (1)) AS s(v)",
    "SELECT * FROM generate_series(1, 3) AS g(v)", "SELECT * FROM UNNEST([1, 2]) AS u(v)",
    "SELECT v FROM insights.dim_date, UNNEST([1, 2]) AS u(v)", "WITH a AS (SELECT 1 AS v) SELECT * FROM a",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t",
    "SELECT 1 AS v UNION SELECT 2", "SELECT 1 AS v EXCEPT SELECT 2", "SELECT * FROM insights.dim_date USING SAMPLE 3",
    "SELECT a.day FROM insights.dim_date AS a JOIN insights.dim_date AS b USING (day)",
    "SELECT a.day FROM insights.dim_date AS a ASOF JOIN insights.dim_date AS b ON a.day >= b.day",
    "SELECT a.day, s.n FROM insights.dim_date AS a, LATERAL (SELECT COUNT(*) AS n FROM derived.as_of) AS s",
    "PIVOT insights.dim_date ON year USING COUNT(*)",
    "SELECT * FROM insights.dim_date WHERE day IN (SELECT as_of FROM derived.as_of)",
    "SELECT day FROM insights.dim_date GROUP BY ALL ORDER BY ALL LIMIT 3",
]  # fmt: skip


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("secret") / "secret.csv"
    file.write_text(f"a,b\n{SECRET},1\n")
    return file


def test_none_of_the_hostile_is_taken_by_the_parsers(airline: Workbook, secret: Path, tmp_path: Path) -> None:
    """Of an analyst's SQL, of an own table, and of a Check; and nothing of the file is in what is said."""
    assert len(HOSTILE) >= 300
    through, told = [], []
    for number, text in enumerate(HOSTILE + STATEMENTS):
        sql = text.format(file=secret, folder=secret.parent)
        header = "-- One row: x.\n-- Key: v\n"
        tries = {
            "query": partial(insights.query, airline, sql),
            "table": partial(_own, tmp_path / f"t{number}", header + sql),
        }
        if text in HOSTILE:  # of a statement that is no query, a condition makes a name of a column
            check = f"-- Check: ({' '.join(sql.split())}) = 1\n"
            tries["check"] = partial(_own, tmp_path / f"c{number}", f"{header}{check}SELECT 1 AS v")
        for place, attempt in tries.items():
            try:
                attempt()
            except UserError as error:
                told.append(str(error))
            else:
                through.append((place, sql))
    assert not through
    assert not [text for text in told if SECRET in text or "\n" in text]


def _own(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "a.sql").write_text(text)
    read_own_tables(folder)


@pytest.mark.parametrize("sql", BENIGN)
def test_what_only_computes_passes(sql: str) -> None:
    assert other_than_tables(parse(sql)) == ""


def test_every_function_that_has_an_effect_is_judged() -> None:
    """Of a newer DuckDB, too: what it calls volatile is either named, or gives a random number."""
    known = duckdb.sql("SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'").fetchall()
    passing = {name for (name,) in known if not other_than_tables(parse(f"SELECT {name}() AS v"))}
    assert passing <= {"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid"}
    files = "regexp_matches(function_name, 'read_|scan|glob|sniff|query|secret')"
    readers = duckdb.sql(
        f"SELECT DISTINCT function_name FROM duckdb_functions() WHERE {files} AND function_type = 'table'"
    )
    assert all(other_than_tables(parse(f"SELECT * FROM {name}('x')")) for (name,) in readers.fetchall())


def test_behind_the_parser_the_session_of_a_refresh_has_no_way_to_files(shop: Workbook, secret: Path) -> None:
    with shop.engine.write() as session:
        for sql in (f"FROM read_text('{secret}')", f"FROM '{secret}'", f"FROM glob('{secret.parent}/*')"):
            with pytest.raises(duckdb.Error, match="disabled by configuration"):
                session.connection.execute(sql).fetchall()
        with pytest.raises(duckdb.Error):
            session.connection.execute(f"COPY (SELECT 1) TO '{secret}.copy'")
    assert list(secret.parent.iterdir()) == [secret]


def test_a_check_that_fails_tells_no_text(shop: Workbook) -> None:
    check = "-- Check: (SELECT MIN(customer_id) FROM profile.customer) = 'nobody'"
    (shop.specs / "sql" / "a.sql").write_text(f"-- One row: x.\n-- Key: v\n{check}\nSELECT 1 AS v")
    with pytest.raises(TableError, match="is … = …"):
        models.refresh(shop, "insights")


def test_what_runs_inside_the_limit_is_stopped_with_a_sentence(airline: Workbook) -> None:
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT COUNT(*) AS n FROM t"
    with (
        airline.engine.read(memory=MEMORY) as session,
        pytest.raises(QueryError, match="widget 'a': it took longer than 0.5 seconds"),
        limited(session, endless, "widget 'a'", seconds=0.5),
    ):
        session.frame(endless)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST({column} AS DATE) AS v FROM profile.customer",
        "SELECT STRPTIME({column}, '%Y') AS v FROM profile.customer",
        "SELECT CAST({column} || 'x' AS INTEGER) AS v FROM profile.customer",
        "SELECT JSON({column}) AS v FROM profile.customer",
        "SELECT REGEXP_MATCHES('x', '(' || {column}) AS v FROM profile.customer",
        "SELECT CAST(1000000 * 100000000000 * 10000000000 AS BIGINT) + LENGTH({column}) AS v FROM profile.customer",
    ],
)
def test_no_error_quotes_a_value(airline: Workbook, sql: str) -> None:
    people = {row["customer_id"] for row in _rows(airline)}
    with pytest.raises(QueryError) as error:
        insights.query(airline, sql.format(column="customer_id"))
    assert not [person for person in people if person in str(error.value)]


def _rows(workbook: Workbook) -> list[dict[str, str]]:
    with workbook.engine.read() as session:
        return session.rows("SELECT customer_id FROM profile.customer")
