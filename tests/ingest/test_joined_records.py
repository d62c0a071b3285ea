"""What was known, sent and assigned under one id holds for the person to whom it is joined later."""

from __future__ import annotations

from pathlib import Path

from clv_helpers import activation, campaigns, ingest
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.refresh_all import refresh_all

PARAMS = """title: A shop that writes to its guests
as_of: 2024-03-01
sources:
  purchases:
    path: orders*.csv
    columns: {customer_id: customer, occurred_at: day, amount: paid, email: email}
  customers:
    path: people*.csv
    columns: {customer_id: id, email: email, first_name: name, region: region, joined_on: since, email_consent: consent}
  email_events: {path: mails*.csv}
identities: {join: [email]}
destinations:
  team: {type: files, path: "${CLV_OUTPUTS_DIR}/sent", columns: {customer_id: number, email: address}}
activations:
  - {audience: buyers, destination: team, campaign: spring, activate: true, control: {share: 0.5}}
"""
AUDIENCE = "title: Buyers\ndescription: All.\nrule: {field: purchases, op: at least, value: 1}\n"
MAILS = "event_id,message_id,campaign,customer_id,event_type,occurred_at"


def shop(folder: Path, keep: str = "newest") -> Workbook:
    (folder / "shop" / "audiences").mkdir(parents=True, exist_ok=True)
    (folder / "shop" / "audiences" / "buyers.yml").write_text(AUDIENCE)
    (folder / "shop.yml").write_text(PARAMS.replace("{join: [email]}", f"{{join: [email], keep: {keep}}}"))
    return Workbook.open(folder / "shop.yml")


def come_in(workbook: Workbook, dataset: str, *rows: str) -> None:
    """Rows of a dataset as one more file, the first of them its header; and all that follows of it."""
    file = workbook.file.parent / f"{dataset}{len(list(workbook.file.parent.iterdir()))}.csv"
    file.write_text("\n".join(rows) + "\n")
    ingest.ingest_files(workbook, dataset, [file])
    refresh_all(workbook)
    activation.decide(workbook)


def outcomes(workbook: Workbook) -> dict[str, str]:
    rows = workbook.query("activation.decision")
    return dict(zip(rows["customer_id"], rows["outcome"], strict=True))


def test_who_was_sent_or_held_back_under_a_later_id_stays_so(outputs: Path, tmp_path: Path):
    """The guests of the first file are written to; then each turns out to be somebody who ordered before."""
    workbook = shop(tmp_path)
    people = [f"late{n},m{n}@here.org,,,,true" for n in range(6)] + [f"old{n},m{n}@here.org,,,,true" for n in range(6)]
    file = tmp_path / "people.csv"
    file.write_text("\n".join(["id,email,name,region,since,consent", *people]) + "\n")
    ingest.ingest_files(workbook, "customers", [file])
    come_in(workbook, "purchases", "customer,day,paid,email", *(f"late{n},2024-02-0{n + 1},10," for n in range(6)))
    first = outcomes(workbook)
    assert set(first.values()) == {"sent", "control"}
    activation.activate(workbook, workbook.params.activations[0])
    come_in(workbook, "purchases", "customer,day,paid,email", *(f"old{n},2024-01-0{n + 1},10," for n in range(6)))
    again = {"sent": "duplicates", "control": "control"}
    assert outcomes(workbook) == {name.replace("late", "old"): again[outcome] for name, outcome in first.items()}
    campaigns.build(workbook)
    arms = workbook.query("campaigns.customer_assignment")
    assert dict(zip(arms["customer_id"], arms["arm"], strict=True)) == {
        name: "control" if outcome == "control" else "treated" for name, outcome in outcomes(workbook).items()
    }


def test_a_no_under_any_id_holds_for_all_and_of_attributes_the_newest_that_says_something(
    outputs: Path, tmp_path: Path
):
    workbook = shop(tmp_path)
    file = tmp_path / "people.csv"
    file.write_text(
        "id,email,name,region,since,consent\n"
        "a1,ann@here.org,Ann,North,2023-01-01,false\na2,ann@here.org,,South,2024-01-01,true\n"
        "b1,bob@here.org,Bob,West,2023-01-01,true\nb2,bob@here.org,,,2024-01-01,true\n"
    )
    ingest.ingest_files(workbook, "customers", [file])
    come_in(workbook, "purchases", "customer,day,paid,email", "a2,2024-01-05,10,", "b2,2024-01-05,10,")
    rows = workbook.query("profile.customer", order_by="customer_id")
    shown = rows[["customer_id", "email", "first_name", "region", "email_consent"]].values.tolist()
    assert shown == [["a1", "ann@here.org", "Ann", "South", False], ["b1", "bob@here.org", "Bob", "West", True]]
    assert outcomes(workbook)["a1"] == "no consent"
    come_in(workbook, "email_events", MAILS, "1,m,x,b2,sent,2024-02-01", "2,m,x,b2,unsubscribed,2024-02-02")
    assert outcomes(workbook)["b1"] == "suppressed"


def test_the_purchases_say_what_the_customers_do_not(outputs: Path, tmp_path: Path):
    """The address of a guest, who is in no list of customers; where the purchases come first, they are heard first."""
    workbook = shop(tmp_path)
    file = tmp_path / "people.csv"
    file.write_text("id,email,name,region,since,consent\na1,ann@here.org,Ann,North,2023-01-01,true\n")
    ingest.ingest_files(workbook, "customers", [file])
    orders = ["a1,2024-01-05,10,ann@there.org", "a1,2024-01-04,10,ann@nowhere.org", "g1,2024-01-06,10,guest@here.org"]
    come_in(workbook, "purchases", "customer,day,paid,email", *orders)
    said = {}
    for keep in ("newest", "[customers, purchases]", "[purchases, customers]"):
        workbook = shop(tmp_path, keep)
        refresh_all(workbook)
        rows = workbook.query("profile.customer").fillna({"email": ""})
        said[keep] = dict(zip(rows["customer_id"], rows["email"], strict=True))
    assert said == {
        "newest": {"a1": "ann@here.org", "g1": ""},
        "[customers, purchases]": {"a1": "ann@here.org", "g1": "guest@here.org"},
        "[purchases, customers]": {"a1": "ann@there.org", "g1": "guest@here.org"},
    }
