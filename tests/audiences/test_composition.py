"""Composition: exclude, rank, split, priority, SQL and lists, from their files to who is in, and what is refused."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from clv_helpers import activation, audiences, ingest, models, run
from clv_helpers.audiences import audience_files
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.segment_builder import Builder
from clv_helpers.audiences.sentence import to_sentence
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import QueryError
from clv_helpers.run.notebooks import check
from conftest import write_shop

PLAN = """
destinations:
  crm: {type: files, path: "${OUTPUTS}/crm", columns: {customer_id: id}, require_consent: false}
activations:
  - {audience: offers.a, destination: crm, campaign: may, frequency_cap: {messages: 1, days: 7}}
"""
ALL = {"field": "frequency", "op": "exists"}
CUSTOMERS = [f"c{number:03d}" for number in range(100)]
CSV = "customer,day,spent,email\n" + "".join(
    f"{name},2024-01-0{1 + place % 9},{10 + place // 2},{name}@shop.example\n" for place, name in enumerate(CUSTOMERS)
)
COLUMNS = "{customer_id: customer, occurred_at: day, amount: spent}"
WITH_EMAIL = "{customer_id: customer, occurred_at: day, amount: spent, email: {from: email, identity: Email}}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop of a hundred customers who spent 10 to 59, two of them each amount; to be copied."""
    folder = tmp_path_factory.mktemp("built")
    file = write_shop(folder / "p", CSV)
    file.write_text(file.read_text("utf-8").replace(COLUMNS, WITH_EMAIL), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = Workbook.open(file)
        (workbook.specs / "audiences").mkdir(parents=True)
        ingest.ingest_files(workbook)
        models.refresh(workbook, "derived", "profile")
    return folder


@pytest.fixture
def shop(built: Path, tmp_path: Path, outputs: Path) -> Workbook:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return Workbook.open(tmp_path / "p" / "shop.yml")


def write(workbook: Workbook, name: str, **raw: Any) -> Audience:
    text = yaml_files.dump({"title": name, **raw})
    (workbook.specs / "audiences" / f"{name}.yml").write_text(text, encoding="utf-8")
    return audience_files.load(workbook, name)


def members(workbook: Workbook, name: str) -> set[str]:
    return set(workbook.query("audiences.membership", audience=name)["customer_id"])


def hashed(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_the_best_by_an_attribute_and_ties_by_a_hash(shop: Workbook) -> None:
    write(shop, "best", rule=ALL, rank={"by": "spend", "limit": 5})
    write(shop, "least", rule=ALL, rank={"by": "spend", "order": "ascending", "limit": "2.5%"})
    audiences.evaluate(shop)
    first = min(("c094", "c095"), key=lambda name: hashed(f"rank|best|{name}"))
    assert members(shop, "best") == {"c099", "c098", "c097", "c096", first}
    assert members(shop, "least") >= {"c000", "c001"}
    assert len(members(shop, "least")) == 3  # 2.5 of 100, rounded up
    counted = audiences.count(shop, "best")
    assert (counted.count, [step.removed for step in counted.funnel]) == (5, [0, 95])
    assert counted.mean_spend == pytest.approx((59 * 2 + 58 * 2 + 57) / 5)
    before = members(shop, "best")
    assert [(row.realized, row.exited) for row in audiences.evaluate(shop, "best")] == [(0, 0)]
    assert members(shop, "best") == before


def test_order_of_work_is_rule_exclude_rank_split(shop: Workbook) -> None:
    write(shop, "top", rule={"field": "spend", "op": "at least", "value": 58})  # four
    write(shop, "rest", rule=ALL, exclude=["top"], rank={"by": "spend", "limit": 2}, split={"into": {"a": "100%"}})
    audiences.evaluate(shop)
    assert members(shop, "rest") == members(shop, "rest.a") == {"c094", "c095"}
    (removed, left) = [step.removed for step in audiences.count(shop, "rest").funnel][1:]
    assert (removed, left) == (4, 94)


def test_who_is_in_a_branch_stays_there_when_customers_come(shop: Workbook) -> None:
    split = {"into": {"offer_a": "40%", "offer_b": "40%", "rest": "15%"}}
    write(shop, "offers", rule=ALL, split=split)
    audiences.evaluate(shop)
    before = {branch: members(shop, f"offers.{branch}") for branch in split["into"]}
    assert sum(map(len, before.values())) == len(set().union(*before.values())) < 100  # 5 % are in none
    for name in CUSTOMERS:
        place = int(hashed(f"split|offers|{name}")[:8], 16) / 2**32
        expected = "offer_a" if place < 0.4 else "offer_b" if place < 0.8 else "rest" if place < 0.95 else None
        assert [branch for branch, inside in before.items() if name in inside] == [expected] * (expected is not None)
    assert audiences.count(shop, "offers").branches == {f"offers.{name}": len(who) for name, who in before.items()}
    more = shop.file.parent / "more.csv"
    more.write_text("customer,day,spent,email\n" + "".join(f"n{n},2024-01-09,5,\n" for n in range(50)), "utf-8")
    ingest.ingest_files(shop, "purchases", [more])
    models.refresh(shop, "derived", "profile")
    audiences.evaluate(shop, "offers.rest")  # with its audience and the other branches
    for branch, who in before.items():
        assert members(shop, f"offers.{branch}") & set(CUSTOMERS) == who
        assert len(members(shop, f"offers.{branch}")) > len(who)


def test_ties_at_a_limit_do_not_all_fall_into_one_branch(shop: Workbook) -> None:
    write(shop, "half", rule=ALL, rank={"by": "frequency", "limit": 50}, split={"into": {"a": "50%", "b": "50%"}})
    audiences.evaluate(shop)  # everyone's frequency is 0
    assert min(len(members(shop, "half.a")), len(members(shop, "half.b"))) > 12


def test_priority_leaves_each_customer_in_the_first(shop: Workbook) -> None:
    write(shop, "top", rule={"field": "spend", "op": "at least", "value": 50})
    write(shop, "mid", rule={"field": "spend", "op": "at least", "value": 30})
    write(shop, "one_offer", priority=["top", "mid"], exclude=["gone"])
    write(shop, "gone", rule={"field": "customer_id", "op": "equals", "value": "c099"})
    audiences.evaluate(shop)
    assert members(shop, "one_offer.top") == members(shop, "top") - {"c099"}
    assert members(shop, "one_offer.mid") == members(shop, "mid") - members(shop, "top")
    assert members(shop, "one_offer") == members(shop, "mid") - {"c099"}
    assert audiences.count(shop, "one_offer").branches == {"one_offer.top": 19, "one_offer.mid": 40}


def test_a_branch_is_an_audience_for_rules_and_sentences(shop: Workbook) -> None:
    write(shop, "offers", rule=ALL, split={"into": {"a": "50%", "b": "50%"}})
    write(shop, "other", rule={"not": {"audience": "offers.a"}})
    audiences.evaluate(shop)
    assert members(shop, "other") == members(shop, "offers.b")
    assert audiences.printed(shop, "offers.a", "text") == "Customers in the audience offers and drawn into a (50%)."
    assert "MD5" in audiences.printed(shop, "offers.a", "sql")
    assert audiences.all_names(shop) == ["offers", "offers.a", "offers.b", "other"]
    with pytest.raises(ParamsError, match=r"offers.yml: audience is 'offers.c'; allowed: offers.a, offers.b"):
        audiences.load(shop, "offers.c")


def test_as_a_sentence(shop: Workbook) -> None:
    raw = {"exclude": ["x"], "rank": {"by": "spend", "limit": 5000}, "split": {"into": {"a": "40%", "b": "60%"}}}
    audience = validate(Audience, {"title": "t", "rule": {"field": "spend", "op": "at least", "value": 5}, **raw}, "x")
    assert to_sentence(audience) == (
        "Customers whose spend is at least 5 and not in the audience x; "
        "of them the 5,000 with the highest spend; drawn into a (40%), b (60%)."
    )
    first = validate(Audience, {"title": "t", "priority": ["a", "b"]}, "x")
    assert to_sentence(first) == ("Customers in the audience a or in the audience b; each in the first only of a, b.")


def test_sql_gives_customers_from_the_file_or_beside(shop: Workbook) -> None:
    sql = "SELECT customer_id FROM profile.customer WHERE spend >= 58"
    write(shop, "inline", sql=f"{sql}\n")
    (shop.file.parent / "dear.sql").write_text(sql + " ORDER BY spend", encoding="utf-8")
    write(shop, "beside", sql="dear.sql", rank={"by": "spend", "limit": 2})
    audiences.evaluate(shop)
    assert members(shop, "inline") == {"c096", "c097", "c098", "c099"}
    assert members(shop, "beside") == {"c098", "c099"}
    assert audiences.count(shop, "inline").count == 4
    assert "spend >= 58" in audiences.printed(shop, "beside", "sql").replace('"', "")
    assert audiences.printed(shop, "beside", "text").startswith("Customers whom dear.sql gives; of them the 2 with")
    assert "spend >=" not in audiences.rules(shop).bundle["text/html"]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT customer_id, spend FROM profile.customer", "sql gives the columns customer_id, spend; allowed: cust"),
        ("SELECT spend FROM profile.customer", "sql gives the columns spend; allowed: customer_id alone"),
        ("SELECT * FROM profile.customer", "allowed: customer_id alone"),
        ("SELECT customer_id FROM profile.customer; SELECT 1", "sql: it holds 2 statements; allowed: a single SELECT"),
        ("DELETE FROM profile.customer", "sql: it begins with DELETE; allowed: a single SELECT"),
        ("SELECT customer_id FROM 'secret.csv'", "sql: rows cannot come from"),
        ("SELECT 'nobody' AS customer_id", "sql gives 1 ids of no customers; allowed: customers of profile.customer"),
        ("SELECT customer_id FROM profile.customr", "customr"),
        ("gone.sql", "sql is 'gone.sql', no file at "),
    ],
)
def test_sql_that_is_refused(shop: Workbook, sql: str, says: str) -> None:
    write(shop, "x", sql=sql)
    write(shop, "sound", rule=ALL)
    for act in (lambda: audiences.evaluate(shop, "x"), lambda: audiences.count(shop, "x")):
        with pytest.raises(ParamsError) as refused:
            act()
        assert str(refused.value).startswith("audiences/x.yml: ")
        assert says in str(refused.value)
        assert "\n" not in str(refused.value)
    with shop.engine.write() as session:  # a refresh goes on, and says it
        rows = {row.audience: row for row in audiences.evaluate_what_can_be(session, shop)}
    assert says in rows["x"].doubt
    assert rows["sound"].customers == 100


def test_sql_that_fails_halfway_ends_the_evaluation(shop: Workbook) -> None:
    write(shop, "x", sql="SELECT customer_id FROM profile.customer WHERE CAST(customer_id AS INTEGER) > 1")
    with pytest.raises(QueryError, match=r"audiences/x.yml: sql"):
        audiences.evaluate(shop)


def test_a_list_is_matched_and_counted(shop: Workbook) -> None:
    (shop.file.parent / "vip.csv").write_text("Name;E-Mail\nA; C001@Shop.example\nB;c002@shop.example\n", "utf-8")
    (shop.file.parent / "ids.csv").write_text("customer,email\nc003,x\nc003,y\nc004,z\nstranger,q\n\n", "utf-8")
    write(shop, "ids", list="ids.csv", exclude=["four"])
    write(shop, "four", rule={"field": "customer_id", "op": "equals", "value": "c004"})
    rows = {row.audience: row for row in audiences.evaluate(shop, "ids")}
    assert members(shop, "ids") == {"c003"}
    note = "ids.csv, by customer: 2 matched, 1 unknown, 1 twice; who is unknown is in no audience"
    assert rows["ids"].note == audiences.count(shop, "ids").note == note
    assert "stranger" not in str(rows)
    (warning,) = audiences.file_warnings(shop, "ids", "four")
    assert warning.sentence.endswith(f"shop/audiences/ids.yml: list {note}")
    assert audiences.printed(shop, "ids", "text").startswith("Customers whom the list ids.csv names and not in ")
    write(shop, "vip", list="vip.csv")
    with pytest.raises(ParamsError, match="list is 'vip.csv', with the columns Name, E-Mail; allowed: one of cust"):
        audiences.evaluate(shop, "vip")
    (shop.file.parent / "vip.csv").write_text("Name;Email\nA; C001@Shop.example\nB;c002@shop.example\n", "utf-8")
    audiences.evaluate(shop, "vip")
    assert members(shop, "vip") == {"c001", "c002"}
    write(shop, "vip", list="gone.csv")
    with pytest.raises(ParamsError, match=r"audiences/vip.yml: list is 'gone.csv', no file at .*; allowed: a path rel"):
        audiences.evaluate(shop, "vip")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "rule is missing; allowed: exactly one of rule, sql, list, priority"),
        ({"rule": ALL, "sql": "SELECT 1"}, "rule is rule and sql; allowed: exactly one of rule, sql, list, priority"),
        ({"rule": ALL, "split": {"into": {"a": "70%", "b": "40%"}}}, "split.into is 110% together; allowed: at most"),
        ({"rule": ALL, "split": {"into": {"a": "0%"}}}, "split.into.a is '0%'; allowed: a share of more than 0%"),
        ({"rule": ALL, "split": {"into": {"A b": "1%"}}}, "split.into is 'A b'; allowed: small letters, digits"),
        ({"rule": ALL, "rank": {"by": "spend", "limit": 0}}, "rank.limit is 0; allowed: a whole number from 1, or"),
        ({"rule": ALL, "rank": {"by": "spend"}}, "rank.limit is missing"),
        ({"priority": ["a", "b", "a"]}, "priority is 'a' twice; allowed: each audience once"),
        ({"priority": ["a", "b"], "split": {"into": {"a": "1%"}}}, "split is given beside priority"),
        (
            {"rule": ALL, "rank": {"by": "spend", "limit": 1}, "evaluation": "streaming"},
            "evaluation is 'streaming'; allowed: batch, beside rank, which holds on schedule only",
        ),
    ],
)
def test_what_no_composition_may_be(raw: dict, says: str) -> None:
    with pytest.raises(ParamsError) as refused:
        validate(Audience, {"title": "x", **raw}, "x.yml")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"rule": ALL, "rank": {"by": "shoe", "limit": 1}}, "rank.by is 'shoe', not in the profile; allowed: "),
        ({"rule": ALL, "rank": {"by": "email", "limit": 1}}, "rank.by is email, of type text; allowed: "),
        ({"rule": ALL, "exclude": ["x"]}, "audience is x → x; allowed: audiences that do not ask for themselves"),
        ({"rule": ALL, "exclude": ["nobody"]}, "audience is 'nobody'; allowed: "),
        ({"priority": ["y", "y.b"]}, "audience is 'y.b'; allowed: "),
        ({"sql": "SELECT spend FROM profile.customer"}, "sql gives the columns spend; allowed: customer_id alone"),
        ({"list": "gone.csv"}, "list is 'gone.csv', no file at "),
    ],
)
def test_check_says_it_before_anything_runs(shop: Workbook, raw: dict, says: str) -> None:
    write(shop, "y", rule=ALL, split={"into": {"a": "50%"}})
    write(shop, "x", **raw)
    sentences = [problem.sentence for problem in check(shop)]
    assert len(sentences) == 1
    assert says in sentences[0]
    assert "x.yml" in sentences[0]


def test_a_micro_batch_leaves_what_holds_on_schedule_and_draws_the_rest(shop: Workbook) -> None:
    write(shop, "best", rule=ALL, rank={"by": "spend", "limit": 3})
    write(shop, "others", rule=ALL, exclude=["best"], split={"into": {"a": "50%", "b": "50%"}}, evaluation="streaming")
    audiences.evaluate(shop)
    with shop.engine.write(publish=True) as session:
        rows = {row.audience for row in audiences.evaluate_streaming(session, shop)}
    assert rows == {"others", "others.a", "others.b"}
    assert members(shop, "others.a") | members(shop, "others.b") == members(shop, "others")
    assert len(members(shop, "best")) == 3


def test_branches_of_a_file_that_cannot_be_read_keep_their_customers(shop: Workbook) -> None:
    write(shop, "offers", rule=ALL, split={"into": {"a": "50%", "b": "50%"}})
    audiences.evaluate(shop)
    before = members(shop, "offers.a")
    (shop.specs / "audiences" / "offers.yml").write_text("title: [", encoding="utf-8")
    run.refresh(shop)
    assert members(shop, "offers.a") == before
    write(shop, "offers", rule=ALL, split={"into": {"b": "50%"}})
    audiences.evaluate(shop)
    assert not members(shop, "offers.a")


def test_a_rule_is_made_of_an_audience_only_where_it_is_one(shop: Workbook) -> None:
    write(shop, "plain", rule=ALL, exclude=["x"])
    write(shop, "best", rule=ALL, rank={"by": "spend", "limit": 3})
    write(shop, "x", rule=ALL)
    found = audience_files.load_all(shop)
    asked = validate(Audience, {"title": "t", "rule": {"audience": "plain"}}, "t").rule
    copied = audience_files.as_rules(asked, found)
    assert copied.model_dump(by_alias=True, exclude_defaults=True) == {"all": [ALL, {"not": ALL}]}
    assert "in_segment" not in audiences.printed(shop, "plain", "pql")
    with pytest.raises(Exception, match="PQL says a rule alone, and this audience has rank"):
        audiences.printed(shop, "best", "pql")
    asked = validate(Audience, {"title": "t", "rule": {"audience": "best"}}, "t").rule
    with pytest.raises(Exception, match="The audience best is no rule alone: it has rank"):
        audience_files.as_rules(asked, found)


def test_the_builder_composes_counts_and_saves(shop: Workbook) -> None:
    write(shop, "top", rule={"field": "spend", "op": "at least", "value": 58})
    audiences.evaluate(shop)
    builder = Builder(shop, "top")

    def then(key: str, value: object) -> str:
        builder.act("then", key=key, value=value)
        return builder.counted.problem

    builder.act("copy")
    builder.act("rename", name="offers")
    then("rank.by", "spend")
    then("rank.limit", "3")
    assert builder.draft.raw["rank"] == {"by": "spend", "limit": 3}
    assert builder.counted.estimate.count == 3
    assert "120% together" in then("split", "a: 50%, b: 70%")
    assert builder.counted.estimate.count == 4  # of the rule alone
    assert then("split", "a: 50%, b: 50%") == ""
    assert "offers.a" in builder.view.state["panel"]
    builder.act("save")
    assert audiences.load(shop, "offers").to_raw() == {
        "title": "top (copy)", "rule": {"all": [{"field": "spend", "op": "at least", "value": 58}]},
        "rank": {"by": "spend", "limit": 3}, "split": {"into": {"a": "50%", "b": "50%"}},
    }  # fmt: skip
    then("rank.by", "")
    then("split", "")
    assert then("source", "sql") != ""  # nothing is written yet
    then("given", "SELECT customer_id FROM profile.customer WHERE spend > 55")
    then("exclude", ["top"])
    found = builder.counted.estimate
    assert (found.count, [step.left for step in found.funnel]) == (4, [8, 4])
    builder.act("save")
    assert set(audiences.load(shop, "offers").to_raw()) == {"title", "sql", "exclude"}
    builder.act("undo")
    assert "exclude" not in builder.draft.raw
    builder.act("new")
    then("source", "priority")
    then("given", ["top", "nobody"])
    builder.act("head", key="title", value="First")
    builder.act("save", at="save")
    assert "audience is 'nobody'; allowed: " in builder.view.state["problem"]["text"]


def test_a_branch_is_activated_as_any_audience(shop: Workbook) -> None:
    write(shop, "offers", rule=ALL, split={"into": {"a": "50%", "b": "50%"}})
    file = shop.file
    file.write_text(file.read_text("utf-8") + PLAN, encoding="utf-8")
    planned = Workbook.open(file)
    assert check(planned) == []
    audiences.evaluate(planned)
    activation.decide(planned)
    (plan,) = activation.planned(planned, "may")
    activation.activate(planned, plan)
    sent = planned.query("activation.decision", outcome="sent")["customer_id"]
    assert set(sent) == members(planned, "offers.a")
    (delivered,) = (planned.folder / "crm").glob("*.csv")
    assert delivered.name.startswith("may_offers.a_")
    file.write_text(file.read_text("utf-8").replace("offers.a,", "offers.c,"), encoding="utf-8")
    (problem,) = check(Workbook.open(file))
    assert "activations[0].audience is 'offers.c'; allowed: offers, offers.a, offers.b" in problem.sentence
