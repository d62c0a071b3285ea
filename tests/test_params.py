"""A wrong params file gets a sentence that names the place, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers.config.params import load_params
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.run import notebooks
from conftest import write_shop


def refusal(folder: Path, extra: str = "", **overrides: object) -> str:
    """What opening and checking the shop says, with these lines added or these keys set."""
    params = write_shop(folder, extra=extra)
    try:
        problems = notebooks.check(Workbook.open(params, overrides=overrides))
    except ParamsError as error:
        return str(error)
    return "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("titel: x\n", "titel is not a key; did you mean title?"),
        ("value: {colum: amount}\n", "value.colum is not a key; did you mean column?"),
        (
            "nonsense_xyz: 1\n",
            "nonsense_xyz is not a key; allowed: acquisition, activations, as_of, ",
        ),
        ("trend_months: many\n", "trend_months is 'many'; allowed: a valid integer"),
        ("trend_months: -3\n", "trend_months is -3; allowed: greater than or equal to 1"),
        ("as_of: 2026-02-30\n", "as_of is '2026-02-30'; allowed: latest, or a day that exists"),
        ("as_of: soon\n", "as_of is 'soon'; allowed: latest, or a day that exists"),
        ("value: {column: mileage}\n", "value.column is 'mileage'; allowed: amount"),
        ("category: amount\n", "category is 'amount'; allowed: no text column in purchases"),
        ("lifetime: {modle: bg_nbd}\n", "lifetime.modle is not a key; did you mean model?"),
        (
            "lifetime: {model: best}\n",
            "lifetime.model is 'best'; allowed: 'bg_nbd', 'mbg_nbd', 'bg_cnbd_k', 'mbg_cnbd_k', 'pareto_nbd' or 'auto'",
        ),
        ("lifetime: {margin: 30}\n", "lifetime.margin is 30; allowed: less than or equal to 1"),
        ("lifetime: {calibration_end: spring}\n", "lifetime.calibration_end is 'spring'; allowed: a day that exists"),
        ("lifetime: {minimum: {customers: 0}}\n", "lifetime.minimum.customers is 0; allowed: greater than or equal"),
        (
            "campaigns: {x: {windw_days: 3}}\n",
            "campaigns.x.windw_days is not a key; did you mean window_days?",
        ),
        ("campaigns: {x: {window_days: 0}}\n", "campaigns.x.window_days is 0; allowed: greater than or equal to 1"),
        ("campaigns: {x: {sent_on: spring}}\n", "campaigns.x.sent_on is 'spring'; allowed: a day that exists"),
        ("campaigns: {x: {control_share: 1}}\n", "campaigns.x.control_share is 1; allowed: less than 1"),
        ("value: [\n", "no YAML"),
        ("title: twice\n", "no YAML (found duplicate key"),
        ("literal_guide_windows: maybe\n", "literal_guide_windows is 'maybe'; allowed: a valid boolean"),
        ("value: {negative: ignore}\n", "value.negative is 'ignore'; allowed: 'subtract' or 'leave out'"),
        ("simulate: {members: 3}\n", "simulate.members is 3; allowed: greater than or equal to 50"),
        (
            "destinations: {d: {columns: {customer_id: id}}}\n"
            "activations: [{audience: nobody, destination: d, campaign: c}]\n",
            "activations[0].audience is 'nobody'; allowed: best_customers, best_lapsing, best_overdue, bought_twice, "
            "lapsing, most_at_risk, overdue_after_one",
        ),
        (
            "activations: [{audience: a, destination: nowhere, campaign: c}]\n",
            "activations[0].destination is 'nowhere'; allowed: none is declared",
        ),
        ("destinations: {d: 5}\n", "destinations.d is 5; allowed: a mapping with type and columns"),
        (
            "destinations: {d: {columns: {customer_id: id}, csv: {delimeter: ';'}}}\n",
            "destinations.d.csv.delimeter is not a key; did you mean delimiter?",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}, deduplicate: {}}}\n",
            "destinations.d.deduplicate.attributes is given beside identity, or neither is given; allowed: one of",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}, format: parquet, gzip: true}}\n",
            "destinations.d.gzip is true; allowed: false for parquet",
        ),
        (
            "destinations: {d: {type: fax, columns: {customer_id: id}}}\n",
            "destinations.d.type is 'fax'; allowed: eloqua, files, smtp, table",
        ),
        (
            "destinations: {d: {colums: {customer_id: id}}}\n",
            "destinations.d.colums is not a key; did you mean columns?",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}, format: xml}}\n",
            "destinations.d.format is 'xml'; allowed: 'csv', 'jsonl' or 'parquet'",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}, file_name: '{person}'}}\n",
            "destinations.d.file_name is '{person}'; allowed: text with any of {campaign}, {audience}",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}, file_name: '../{campaign}'}}\n",
            "destinations.d.file_name is '../{campaign}'; allowed: a name without folders",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}, mode: incremental, file_name: changes}}\n",
            "destinations.d.file_name is 'changes'; allowed: one with {time}, {unix} or {run}",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}}}\n"
            "activations: [{audience: a, destination: d, campaign: c}, {audience: b, destination: d, campaign: c}]\n",
            "activations[1].campaign is 'c'; allowed: each campaign once per destination",
        ),
        (
            "destinations: {d: {columns: {customer_id: id}}, e: {columns: {customer_id: id}}}\n"
            "activations: [{audience: a, destination: d, campaign: c, control: {share: 0.1}}, "
            "{audience: a, destination: e, campaign: c, control: {share: 0.2}}]\n",
            "activations[1].control.share is 0.2; allowed: 0.1, as for the campaign's other destination",
        ),
    ],
)
def test_wrong_value_is_named_with_its_place(tmp_path: Path, extra: str, says: str) -> None:
    assert says in refusal(tmp_path, extra)


def test_every_wrong_place_gets_its_own_line(tmp_path: Path) -> None:
    lines = refusal(tmp_path, "trend_months: x\nnope: 1\n").splitlines()
    assert len(lines) == 2
    assert all(line.startswith(str(tmp_path / "shop.yml")) for line in lines)


def test_missing_source_column(tmp_path: Path) -> None:
    said = refusal(tmp_path, **{"sources.purchases.columns.occurred_at": "when"})
    assert "occurred_at is read from 'when', which purchases.csv has not" in said
    assert "customer, day, spent" in said


def test_missing_file_says_where_it_can_be_had(tmp_path: Path) -> None:
    said = refusal(tmp_path, **{"sources.purchases.path": "x.csv", "sources.purchases.hint": "ask the shop"})
    assert "x.csv (no such file); allowed: ask the shop" in said


def test_unreadable_file(tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    (tmp_path / "broken.parquet").write_bytes(b"this is no parquet file at all")
    workbook = Workbook.open(params, overrides={"sources.purchases.path": "broken.parquet"})
    said = notebooks.check(workbook)
    assert len(said) == 1
    assert "broken.parquet cannot be read" in str(said[0])


def test_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLV_DATA_DIR", raising=False)
    with pytest.raises(ParamsError, match="set the environment variable CLV_DATA_DIR"):
        Workbook.open(ROOT / "params" / "cdnow.yml")


@pytest.mark.parametrize(
    ("spec", "text", "says"),
    [
        ("audiences/a.yml", "title: x\nrule: {all: [{field: n, op: atmost}]}\n", "rule.all[0].op is 'atmost'; "),
        (
            "audiences/a.yml",
            "title: x\nrule: [a: b: c\n",
            "line 2 is no YAML (expected ',' or ']', but got ':'); allowed: `key: value`",
        ),
        ("audiences/a.yml", "title: x\nrule: {audience: b}\n", "audience is 'b'; allowed: no other audience"),
        (
            "dashboards/d.yml",
            "title: x\nwidgets: [{title: t, table: a.b, mark: barr}]\n",
            "widgets[0].mark is 'barr'; ",
        ),
        (
            "dashboards/d.yml",
            "title: x\nwidgets: [{title: t, table: a.b, mark: number, y: c, drill: e}]\n",
            "drill is ",
        ),
    ],
)
def test_problem_in_a_spec_names_its_own_file(outputs: Path, tmp_path: Path, spec: str, text: str, says: str) -> None:
    params = write_shop(tmp_path)
    file = tmp_path / "shop" / spec
    file.parent.mkdir(parents=True)
    file.write_text(text)
    found = notebooks.check(Workbook.open(params))
    assert [problem.file for problem in found] == [str(file)]
    assert says in str(found[0])
    with pytest.raises(ParamsError) as refused:
        notebooks.run(params)
    assert str(refused.value).startswith(f"{file}: ")


def test_params_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="the file is not readable: No such file or directory$"):
        load_params(tmp_path / "absent.yml")


def test_overrides_reach_nested_keys_and_are_validated(tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    assert load_params(params, {"value.unit": "SEK"}).value.unit == "SEK"
    with pytest.raises(ParamsError, match=r"value\.unti is not a key; did you mean unit"):
        load_params(params, {"value.unti": "SEK"})
    with pytest.raises(ParamsError, match="title is none"):
        load_params(params, {"title.x": 1})


@pytest.mark.parametrize("name", ["airline", "cdnow", "hillstrom"])
def test_shipped_params_are_valid(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLV_DATA_DIR", str(tmp_path))
    assert Workbook.open(ROOT / "params" / f"{name}.yml").params.title


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"profile_enabled": False}, "purchases.profile_enabled is false; allowed: true, as it makes the profile"),
        ({"columns.amount.attribute": True}, "columns.amount.attribute is true; allowed: for a column of your own"),
        ({"namespace": "Other"}, "sources.customers.namespace is 'CustomerId'; allowed: Other, that of purchases"),
    ],
)
def test_what_does_not_fit_one_profile(tmp_path: Path, source: dict, says: str) -> None:
    amount = {"from": "spent", "attribute": source.pop("columns.amount.attribute", False)}
    keys = {f"sources.purchases.{key}": value for key, value in source.items()}
    customers = {"path": "purchases.csv", "columns": {"customer_id": "customer"}}
    overrides = {**keys, "sources.purchases.columns.amount": amount, "sources.customers": customers}
    assert says in refusal(tmp_path, **overrides)


def test_measures_of_the_profile_are_no_names_for_columns_of_ones_own(tmp_path: Path) -> None:
    own = {"customer_id": "customer", "frequency": {"from": "day", "type": "text"}}
    says = refusal(tmp_path, **{"sources.customers": {"path": "purchases.csv", "columns": own}})
    assert "sources.customers.columns.frequency is a measure of the profile; allowed: another name" in says
