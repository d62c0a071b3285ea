"""An analyst's own tables extend the model; one that is wrong is named with file and line, and changes nothing."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse, table
from clv_helpers.engines.session import Session
from clv_helpers.models import own_tables
from clv_helpers.models.own_tables import read_own_tables, read_seed
from clv_helpers.models.table_file import TableError

ROW = "-- One row: a thing.\n-- Key: v\n"
ONE = f"{ROW}SELECT 1 AS v"  # the least that is a table
DAY = f"{ROW}SELECT CAST('1999-01-01' AS DATE) AS v"
CUSTOMER = "-- One row: m.\n-- Key: customer_id\n-- Snapshot: daily\nSELECT '1' AS customer_id"
TO_DAY = "-- Relation: v -> insights.dim_date"


def put(workbook: Workbook, name: str, text: str) -> None:
    (workbook.specs / "sql" / name).write_text(text, encoding="utf-8")


def modes(workbook: Workbook) -> dict[str, str]:
    return {row.table: row.mode for row in models.refresh(workbook, "insights")}


def test_a_seed_and_a_table_on_it_are_built_in_order_and_follow_their_files(shop: Workbook) -> None:
    put(shop, "aaa_total.sql", f"{ROW}SELECT d.v, f.customers FROM insights.dim_label AS d\n"
        "JOIN insights.fact_value_by_decile AS f ON f.decile = d.v AND f.lookback_months = 0")  # fmt: skip
    put(shop, "dim_label.csv", "v,label\n1,best\n2,second\n")
    found = modes(shop)
    assert list(found).index("insights.dim_label") < list(found).index("insights.aaa_total")
    assert set(shop.query("insights.aaa_total", order_by="v")["v"]) == {1, 2}
    assert modes(shop)["insights.aaa_total"] == "unchanged"
    put(shop, "dim_label.csv", "v,label\n1,best\n")
    assert modes(shop)["insights.aaa_total"] == "full"
    assert list(shop.query("insights.aaa_total")["v"]) == [1]
    (shop.specs / "sql" / "aaa_total.sql").unlink()
    modes(shop)
    with shop.engine.read() as session:
        assert not session.has_table("insights.aaa_total")
        assert session.has_table("insights.dim_label")


def test_a_table_may_read_what_no_stage_has_built_yet(shop: Workbook) -> None:
    put(shop, "fact_mail.sql", "-- One row: a campaign.\n-- Key: v\n"
        "SELECT campaign AS v, SUM(sent) AS sent FROM campaigns.fact_campaign_result GROUP BY campaign")  # fmt: skip
    found = modes(shop)
    assert found["campaigns.fact_campaign_result"] == found["insights.fact_mail"] == "full"
    assert shop.query("insights.fact_mail").empty


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.sql": f"{ROW}SELECT v\nFROM insights.dim_regoin"}, r"^a\.sql, line 4: there is no table insights\."),
        ({"a.sql": f"{ROW}SELECT v FROM insights.fact_value_by_decil"}, "did you mean insights.fact_value_by_decile"),
        ({"a.sql": f"{ROW}SELECT 1 AS v,\n  nope AS w\nFROM insights.dim_date"}, r"^a\.sql, line 4: .*nope.*Candidate"),
        ({"a.sql": f"{ROW}SELECT v FROM insights.b", "b.sql": f"{ROW}SELECT v FROM insights.a"}, "in a circle: "),
        ({"dim_date.sql": ONE}, r"two tables are named insights\.dim_date: .*own"),
        ({"x.sql": ONE, "x.csv": "v\n1\n"}, r"two tables are named insights\.x: sql/x\.csv and sql/x\.sql"),
        ({"a.sql": f"{ONE}\nFROM read_csv('/etc/passwd')"}, r"^a\.sql, line \d: rows cannot come from read_csv"),
        ({"a.sql": f"{ONE} FROM '/etc/passwd'"}, r"^a\.sql, line 3: rows cannot come from .*/etc/passwd"),
        ({"a.sql": f"{ONE} FROM sales"}, r"^a\.sql, line 3: it reads sales; tables are schema"),
        ({"a.sql": f"{ROW}DROP TABLE insights.dim_date"}, r"^a\.sql: it must be a single SELECT"),
        ({"a.sql": f"{ROW}SELECT $today AS v"}, r"^a\.sql, line 3: there is no \$today; allowed: \$as_of"),
        ({"a.sql": f"{ONE} UNION ALL SELECT 1"}, r"its key \(v\) repeats 1 times"),
        ({"a.sql": "-- One row: x.\n-- Key: w\nSELECT 1 AS v"}, r"^a\.sql: Key is 'w'; allowed: columns of it: v"),
        ({"A b.sql": ONE}, r"^A b\.sql is no name of a table"),
        ({"s.csv": "v,w\n1\n"}, r"^s\.csv, line 2: it has 1 values; allowed: 2"),
        ({"s.csv": "v,v\n1,2\n"}, r"^s\.csv: a seed needs a line of column names, each once"),
        ({"s.csv": "v\n" + "1\n" * 2001}, r"^s\.csv: it has 2,001 rows; allowed: 2,000"),
        ({"a.sql": f"{TO_DAY}.day\n{DAY}"}, r"a: its relation .*dim_date\.day is broken: 1 values of v have no row"),
        ({"a.sql": f"{TO_DAY}.dya\n{ONE}"}, r"asks for insights\.dim_date\.dya; allowed: day"),
        ({"a.sql": f"{TO_DAY}.month\n{DAY}"}, "leads to 12 values that several rows have; allowed: a key"),
        ({"a.sql": f"-- Relation: v -> insights.nope.v\n{ONE}"}, r"asks for insights\.nope, and there is no such"),
        ({"a.sql": f"-- Relation: v = 3\n{ONE}"}, r"^a\.sql: Relation is 'v = 3'; allowed: column -> "),
        ({"a.sql": f"-- Check: (SELECT COUNT(*) FROM insights.a) = 7\n{ONE}"}, r"its check does not hold: .* is 1 = 7"),
        ({"a.sql": f"-- Check: (SELECT MAX(v) FROM insights.a) > 7\n{ONE}"}, "its check does not hold: .*> 7$"),
        ({"a.sql": f"-- Check: v > 1\n{ONE}"}, "its check does not hold in 1 rows: v > 1$"),
        ({"a.sql": f"-- Check: w > 1\n{ONE}"}, "its check cannot be tried: w > 1: .*w"),
        ({"a.sql": f"-- Check: SELECT FROM\n{ONE}"}, r"^a\.sql: Check is 'SELECT FROM'; allowed: a condition"),
        ({"a.sql": f"-- Snapshot: weekly\n{ONE}"}, r"^a\.sql: Snapshot is 'weekly'; allowed: daily"),
        ({"a.sql": CUSTOMER}, "allowed: of tables of groups, not of customers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence_and_the_last_good_tables_stay(
    shop: Workbook, files: dict[str, str], says: str
) -> None:
    before = shop.engine.published.read_bytes()
    for name, text in files.items():
        put(shop, name, text)
    with pytest.raises(TableError, match=says) as caught:
        models.refresh(shop, "insights")
    assert "\n" not in str(caught.value)
    assert shop.engine.published.read_bytes() == before
    for name in files:
        (shop.specs / "sql" / name).unlink()
    assert set(modes(shop).values()) == {"unchanged"}


def test_a_relation_is_checked_again_when_its_other_side_changes(shop: Workbook) -> None:
    put(shop, "dim_label.csv", "v\n1\n2\n")
    put(shop, "fact.sql", f"-- Relation: v -> insights.dim_label.v\n{ROW}SELECT 2 AS v")
    modes(shop)
    put(shop, "dim_label.csv", "v\n1\n")
    with pytest.raises(TableError, match=r"1 values of v have no row in insights\.dim_label, such as 2"):
        modes(shop)


def test_no_orphan_that_is_a_person_is_told(shop: Workbook) -> None:
    put(shop, "fact.sql", "-- One row: x.\n-- Key: customer_id\n"
        "-- Relation: customer_id -> insights.dim_customer_band.customer_id\n"
        "SELECT 'nobody' AS customer_id")  # fmt: skip
    with pytest.raises(TableError) as caught:
        modes(shop)
    assert "1 values of customer_id" in str(caught.value)
    assert "nobody" not in str(caught.value)


def test_days_are_kept_replaced_within_a_day_and_survive_new_columns(shop: Workbook) -> None:
    header = f"{ROW}-- Snapshot: daily\n"
    put(shop, "trend.sql", f"{header}SELECT 1 AS v, COUNT(*) AS customers FROM derived.customer_value")
    models.refresh(shop, "derived", "insights")
    more = shop.folder.parent / "more.csv"
    more.write_text("customer,day,spent\nd,2024-03-01,7.00\n")
    ingest.ingest_files(shop, "purchases", [more])
    models.refresh(shop, "derived", "profile", "insights")
    kept = shop.query("insights.trend_daily", order_by="as_of")
    assert list(kept["customers"]) == [4]
    assert list(kept["as_of"].dt.date) == [dt.date(2024, 3, 2)]

    more = more.with_name("later.csv")
    more.write_text("customer,day,spent\ne,2024-03-09,7.00\n")
    ingest.ingest_files(shop, "purchases", [more])
    put(
        shop,
        "trend.sql",
        f"{header}SELECT 1 AS v, COUNT(*) AS customers, SUM(spend) AS spend FROM derived.customer_value",
    )
    models.refresh(shop, "derived", "profile", "insights")
    kept = shop.query("insights.trend_daily", order_by="as_of")
    assert list(kept["as_of"].dt.date) == [dt.date(2024, 3, 2), dt.date(2024, 3, 10)]
    assert list(kept["customers"]) == [4, 5]
    assert pd.isna(kept["spend"].iloc[0])
    assert float(kept["spend"].iloc[1]) == 99.75


def test_types_of_a_seed(tmp_path: Path) -> None:
    file = tmp_path / "seed.csv"
    file.write_text(
        "# One row: a code.\n# Key: code\ncode,size,price,since,on,mixed,zip\n"
        'a,1,1.5,2024-01-31,true,1,01234\n"b, c",-20,2,2024-02-01,FALSE,x,56789\nd,,,,,,\n'
    )
    each = read_seed(file)
    import duckdb

    with duckdb.connect() as connection:
        session = Session(connection)
        assert session.columns(each.query.subquery("s")) == {
            "code": "VARCHAR", "size": "BIGINT", "price": "DECIMAL(18,4)", "since": "DATE", "on": "BOOLEAN",
            "mixed": "VARCHAR", "zip": "VARCHAR",
        }  # fmt: skip
        rows = session.rows(each.query)
    assert rows[1]["code"] == "b, c"
    assert rows[1]["size"] == -20
    assert rows[1]["on"] is False
    assert rows[0]["zip"] == "01234"
    assert set(rows[2].values()) == {"d", None}
    assert each.one_row == "a code."
    assert each.key == ("code",)


def test_a_seed_as_large_as_may_be_is_read(tmp_path: Path) -> None:
    rows = own_tables.MOST_SEED_ROWS
    (tmp_path / "big.csv").write_text("n,name\n" + "".join(f"{n},name {n}\n" for n in range(rows)))
    (each,) = read_own_tables(tmp_path)
    import duckdb

    with duckdb.connect() as connection:
        assert Session(connection).count(each.query.subquery("s")) == rows


def test_readers_go_on_undisturbed_while_a_refresh_writes_and_when_it_fails(workbook: Workbook, tmp_path: Path) -> None:
    own = tmp_path / "airline" / "sql"
    shutil.copytree(workbook.specs, tmp_path / "airline", dirs_exist_ok=True)
    mine = Workbook(Path(shutil.copy(workbook.file, tmp_path / "airline.yml")), workbook.params)
    (own / "broken.sql").write_text(f"{ROW}SELECT 1 AS v UNION ALL SELECT 1")
    with mine.engine.read() as reader:
        question = "SELECT SUM(customers) AS customers FROM insights.fact_value_by_decile"
        before = reader.scalar(question)
        with pytest.raises(TableError):
            models.refresh(mine, "insights")
        (own / "broken.sql").write_text(f"{ROW}SELECT 5 AS v")
        models.refresh(mine, "insights")
        assert reader.scalar(question) == before
        assert not reader.has_table("insights.broken")
    with mine.engine.read() as reader:
        assert reader.scalar(parse("SELECT v FROM insights.broken")) == 5
        assert reader.count(table("insights.dim_region")) == 6
