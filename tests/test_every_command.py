"""Every command by every fault: a sentence and an exit status, never a stack trace. The list is the app's own.

Of the faults that take minutes each meets a quarter of the commands, another one every day, and all of them in
`make soak`; CLV_TEST_DAY (a number) has a day's choice again.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from clv_helpers import ingest, run
from clv_helpers.cli import app
from clv_helpers.config.workbook import Workbook
from conftest import absent, of_the_day, write_shop

MOST_LINES = 20  # clv new tells what it read before it writes
SHOP = """
schedule: {cron: "0 6 1 1 *"}
destinations:
  letters: {type: files, path: "${OUTPUTS}/exports", columns: {customer_id: customer}, require_consent: false}
activations:
  - {audience: best_customers, destination: letters, campaign: best_customers}
"""
CSV = """receipt,customer,day,spent
1,a,2024-01-03,10.50
2,b,2024-01-03,20.00
3,a,2024-02-10,5.25
"""
# What stands for an argument, by its name; one that a new command brings needs a line here. None: it is left out.
VALUES = {
    "workbook": "PARAMS", "params": "PARAMS", "name": "best_customers", "query": "SELECT 1 AS n", "action": "check",
    "column": "insights.fact_value_by_decile.value", "batch": "1", "who": "a", "file": "FOLDER/again.csv",
    "out": "FOLDER/made", "about": "decile", "files": None, "names": None, "campaign": None,
}  # fmt: skip
OPTIONS = {
    "board": ["--no-browser"], "lab": ["--version"], "new": ["--from", "FOLDER/again.csv", "--yes", "--no-run"],
    "simulate": ["--members", "50", "--years", "1"],
}  # fmt: skip
STAY = {"stream", "board", "schedule run"}  # until they are interrupted


@dataclass(frozen=True)
class Place:
    """A workbook to break: the folder of all that is there, and the params in it."""

    folder: Path

    @property
    def params(self) -> Path:
        return self.folder / "shop.yml"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    def filled(self, words: list[str]) -> list[str]:
        """The words of a command, on this workbook."""
        return [word.replace("PARAMS", str(self.params)).replace("FOLDER", str(self.folder)) for word in words]


def commands() -> dict[str, list[str]]:
    """Every command that the app has, once for each choice of an argument that has choices."""
    found: dict[str, list[str]] = {}
    for name, command in typer.main.get_command(app).commands.items():
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        for values in itertools.product(*(_choices(each) or [_value(name, each)] for each in arguments)):
            chosen = [value for value, each in zip(values, arguments, strict=True) if _choices(each)]
            words = [value for value in values if value is not None]
            found[" ".join([name, *chosen])] = [name, *words, *OPTIONS.get(name, [])]
    return found


def _choices(argument: typing.Any) -> list[str]:
    annotation = argument.type_descriptor.annotation
    return list(typing.get_args(annotation)) if typing.get_origin(annotation) is typing.Literal else []


def _value(command: str, argument: typing.Any) -> str | None:
    if command == "new":
        return "FOLDER/made"
    assert argument.name in VALUES, f"clv {command} takes {argument.name}, of which VALUES says nothing"
    return VALUES[argument.name]


def some(fault: str) -> dict[str, list[str]]:
    """The commands of the day for a fault: a quarter of all."""
    return dict(of_the_day(commands().items(), 4, begin=sum(fault.encode())))


def takes_changes(name: str) -> bool:
    """Whether a command has --set."""
    command = typer.main.get_command(app).commands[name.split()[0]]
    return any(each.name == "changes" for each in command.params)


# -- the faults: each breaks a place


def no_lake(place: Place) -> None:
    shutil.rmtree(place.outputs)


def params_broken(place: Place) -> None:
    place.params.write_text("title: [a shop\nsources:\n\t- x", encoding="utf-8")


def params_of_bytes(place: Place) -> None:
    place.params.write_bytes(b"\xff\xfe\x00\x01title")


def params_absent(place: Place) -> None:
    place.params.unlink()


def params_a_folder(place: Place) -> None:
    place.params.unlink()
    place.params.mkdir()


def lake_corrupt(place: Place) -> None:
    _corrupt(place.outputs / "shop" / "lake.duckdb")


def published_corrupt(place: Place) -> None:
    _corrupt(place.outputs / "shop" / "published.duckdb")


def both_corrupt(place: Place) -> None:
    lake_corrupt(place)
    published_corrupt(place)


def both_torn(place: Place) -> None:
    """Copied by half: the head is whole."""
    for file in (place.outputs / "shop").glob("*.duckdb"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def outputs_a_file(place: Place) -> None:
    shutil.rmtree(place.outputs)
    place.outputs.write_text("", encoding="utf-8")


def source_gone(place: Place) -> None:
    (place.folder / "purchases.csv").unlink()


def runs_broken(place: Place) -> None:
    (record,) = (place.outputs / "shop" / "runs").glob("*/run.json")
    record.write_text("{", encoding="utf-8")


def nothing(place: Place) -> None:
    """All is well: what a fault is compared with."""


def _corrupt(file: Path) -> None:
    file.write_bytes(b"no lake" * 4_000)


SLOW: list[Callable[[Place], None]] = [
    nothing, no_lake, params_of_bytes, params_absent, params_a_folder, lake_corrupt, published_corrupt, both_corrupt,
    both_torn, outputs_a_file, source_gone, runs_broken,
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A small shop with all its tables and a run's record; tests copy it."""
    place = Place(tmp_path_factory.mktemp("every") / "shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(place.outputs))
        params = write_shop(place.folder, csv=CSV, extra=SHOP)
        params.write_text(params.read_text("utf-8").replace("{customer_id", "{event_id: receipt, customer_id"), "utf-8")
        (place.folder / "again.csv").write_text("receipt,customer,day,spent\n9,a,2024-01-04,9.50\n", encoding="utf-8")
        workbook = Workbook.open(params)
        ingest.ingest_files(workbook)
        run.refresh(workbook)
    (place.outputs / "shop" / "runs" / "2024-01-01").mkdir(parents=True)
    (place.outputs / "shop" / "runs" / "2024-01-01" / "run.json").write_text("{}", encoding="utf-8")
    return place


class Child:
    """The process that runs commands; its answers."""

    def __init__(self, *prefix: str, read_only: Path | None = None):
        program = [sys.executable, str(Path(__file__).with_name("every_command.py"))]
        arguments = [*prefix, *program, *([str(read_only)] if read_only else [])]
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(arguments, **pipe)

    def __call__(self, place: Place, name: str, words: list[str], seconds: float = 10.0) -> dict:
        if name == "stream":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                words = [*words, "--port", str(free.getsockname()[1])]
        asked = {"argv": place.filled(words), "env": {"CLV_OUTPUTS_DIR": str(place.outputs)}}
        self.process.stdin.write(json.dumps({**asked, "seconds": seconds, "stays": name in STAY}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.close()


def judged(name: str, answer: dict) -> list[str]:
    """What is wrong with how a command ended; nothing, for an end with a sentence or without a fault."""
    said, status = answer["said"], answer["status"]
    wrong = [word for word in ("Traceback", '.py", line') if word in said]
    if status is None:
        wrong.append("it did not end")
    elif status not in (0, 1, 2, 130):  # the last: interrupted
        wrong.append(f"it ended with {status}")
    if status and len(said.strip().splitlines()) > MOST_LINES:
        wrong.append("it says too much")
    if status and not said.strip() and not answer["interrupted"]:
        wrong.append("it says nothing")
    return [f"clv {name}: {', '.join(wrong)}\n{said[-3000:]}"] if wrong else []


def tried(
    child: Child, whole: Place, fault: Callable[[Place], None], *more: str, among: dict[str, list[str]] | None = None
) -> list[str]:
    """What is wrong with how the commands end, each on a copy of its own that the fault has broken."""
    wrong: list[str] = []
    place = Place(whole.folder.parent / "broken")
    for name, words in (among or commands()).items():
        if more and not takes_changes(name):
            continue
        shutil.copytree(whole.folder, place.folder)
        try:
            fault(place)
            wrong += judged(name, child(place, name, [*words, *more]))
        finally:
            shutil.rmtree(place.folder)
    return wrong


def test_every_command_says_what_is_wrong_with_the_params(child: Child, whole: Place) -> None:
    assert tried(child, whole, params_broken) == []


def test_a_change_that_is_no_value_is_named(child: Child, whole: Place) -> None:
    assert tried(child, whole, nothing, "--set", "title=[") == []
    answer = child(whole, "refresh", ["refresh", "PARAMS", "--set", "title=["])
    assert answer["said"] == f"{whole.params}: --set title is '['; allowed: a value of YAML\n"


def test_a_damaged_file_of_tables_is_named_with_the_way_out(child: Child, whole: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "shop")
    shutil.copytree(whole.folder, place.folder)
    both_torn(place)
    lake, published = ((place.outputs / "shop" / name) for name in ("lake.duckdb", "published.duckdb"))
    said = child(place, "sql", ["sql", "PARAMS", "SELECT 1 AS n"])["said"]
    assert said.startswith(f"shop: {published} cannot be read") and "clv refresh makes it anew" in said
    said = child(place, "refresh", ["refresh", "PARAMS"])["said"]
    assert said.startswith(f"shop: {lake} cannot be read") and "clv ingest" in said


@pytest.mark.slow
@pytest.mark.parametrize("fault", SLOW, ids=lambda fault: fault.__name__)
def test_every_command_by_every_fault(child: Child, whole: Place, fault: Callable[[Place], None]) -> None:
    assert tried(child, whole, fault, among=some(fault.__name__)) == []


@pytest.mark.slow
def test_every_command_while_another_process_writes(child: Child, whole: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "shop")
    shutil.copytree(whole.folder, place.folder)
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom clv_helpers.engines.engine import open_engine\n"
        "with open_engine('duckdb', Path(sys.argv[1])).write() as session:\n    print('held', flush=True)\n"
        "    time.sleep(900)\n"
    )
    lake = str(place.outputs / "shop")
    with subprocess.Popen([sys.executable, "-c", hold, lake], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        wrong = [each for name, words in some("held").items() for each in judged(name, child(place, name, words))]
        other.kill()
    assert wrong == []


@pytest.mark.slow
def test_every_command_where_nothing_can_be_written(whole: Place, tmp_path: Path) -> None:
    own_mounts = ["unshare", "--mount", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*own_mounts, "true"], check=False).returncode:
        absent("this system lets nobody mount a folder read-only for a process alone (unshare)")
    place = Place(tmp_path / "shop")
    shutil.copytree(whole.folder, place.folder)
    child = Child(*own_mounts, read_only=place.folder)
    wrong = [each for name, words in some("read-only").items() for each in judged(name, child(place, name, words))]
    child.close()
    assert wrong == []


@pytest.mark.slow
def test_every_command_where_the_disk_is_full(child: Child, whole: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "disk" / "shop")
    place.folder.parent.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200000000", "none", str(place.folder.parent)]
    if subprocess.run(mount, check=False).returncode:
        absent("this system lets nobody mount a small disk (mount -t tmpfs)")
    try:
        shutil.copytree(whole.folder, place.folder)
        with contextlib.suppress(OSError), (place.folder.parent / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        wrong = [each for name, words in some("full").items() for each in judged(name, child(place, name, words, 60.0))]
    finally:
        subprocess.run(["umount", "--lazy", place.folder.parent], check=True)
    assert wrong == []
