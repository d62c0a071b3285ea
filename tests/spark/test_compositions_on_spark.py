"""Each kind of composition, evaluated on both engines from the same tables: the same customers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clv_helpers.audiences import memberships
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import ROOT, Workbook

EVERYONE = {"field": "frequency", "op": "exists"}
BEST = {"field": "decile_lifetime", "op": "at most", "value": 2}
COMPOSED = {
    "best": {"rule": BEST},
    "ties": {"rule": EVERYONE, "rank": {"by": "frequency", "order": "ascending", "limit": "7.5%"}},
    "latest": {"rule": EVERYONE, "exclude": ["best"], "rank": {"by": "last_purchase_on", "limit": 20}},
    "offers": {"rule": EVERYONE, "exclude": ["best"], "split": {"into": {"a": "40%", "b": "12.5%"}}},
    "one_mail": {"priority": ["ties", "best"], "exclude": ["offers.a"]},
    "asked": {"sql": "SELECT customer_id FROM profile.customer WHERE spend > 10 ORDER BY spend"},
    "ids": {"list": "ids.csv", "exclude": ["best"]},
    "mails": {"list": "mails.csv", "rank": {"by": "value", "limit": 30}},
}  # fmt: skip


def composed_workbook(built: Workbook, outputs: Path, folder: Path) -> Workbook:
    """A built workbook with its tables in a folder of its own, and with composed audiences alone."""
    shutil.copytree(outputs, folder / "outputs" / built.name, ignore=shutil.ignore_patterns("source"))
    file = folder / "airline.yml"
    shutil.copy(ROOT / "params" / "airline.yml", file)
    with built.engine.read() as session:
        rows = session.rows("SELECT customer_id, email FROM profile.customer ORDER BY customer_id LIMIT 400")
    ids = [*(row["customer_id"] for row in rows), rows[0]["customer_id"], "nobody"]
    mails = [f" {row['email'].upper()}" for row in rows[1::3] if row["email"]]
    (folder / "ids.csv").write_text("\n".join(["customer_id", *ids]), encoding="utf-8")
    (folder / "mails.csv").write_text("\n".join(["email", *mails]), encoding="utf-8")
    (folder / "airline" / "audiences").mkdir(parents=True)
    for name, raw in COMPOSED.items():
        text = yaml_files.dump({"title": name, **raw})
        (folder / "airline" / "audiences" / f"{name}.yml").write_text(text, encoding="utf-8")
    return Workbook(file, built.params)


def test_compositions_hold_the_same_customers(both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for built in (both.duckdb, both.spark):
        engine = built.params.engine
        folder = tmp_path / engine.partition(":")[0]
        workbook = composed_workbook(built, both.exports[engine].parent, folder)
        monkeypatch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        assert workbook.engine.lake.is_relative_to(tmp_path)
        with workbook.engine.write() as session:
            rows = memberships.evaluate_within(session, workbook)
            members = session.rows(
                "SELECT audience, customer_id FROM audiences.membership_period WHERE left_at IS NULL "
                "ORDER BY audience, customer_id"
            )
        found.append((rows, [tuple(member.values()) for member in members]))
    assert found[0] == found[1]
    sizes = {row.audience: row.customers for row in found[1][0]}
    assert set(sizes) == {*COMPOSED, "offers.a", "offers.b", "one_mail.ties", "one_mail.best"}
    assert (sizes["latest"], sizes["mails"]) == (20, 30)
    assert all(sizes.values()), sizes
