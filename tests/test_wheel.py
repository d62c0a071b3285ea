"""What a stranger gets: the wheel, installed into an environment of its own, in an empty folder."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import clv_helpers
from clv_helpers.config.workbook import ROOT

README_EXAMPLE = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)[0]


@pytest.fixture(scope="module")
def clv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `clv` of an environment that holds the wheel, and of this one only the libraries."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(build, check=True)
    venv.create(folder / "venv", with_pip=False)
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    wheel = next(folder.glob("clv_helpers-*.whl"))
    install = [sys.executable, "-m", "pip", f"--python={scripts / 'python'}", "install", "-q", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    # a path in a .pth file is not searched for further .pth files: the editable install of this checkout stays out
    own = sysconfig.get_path("purelib", vars={"base": str(folder / "venv")})
    Path(own, "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return scripts / "clv"


def run(clv: Path, folder: Path, *arguments: str) -> str:
    """One command in a folder, with nothing of the checkout in reach."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CLV_OUTPUTS_DIR")}
    done = subprocess.run([str(clv), *arguments], cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def orders(customer: str, day: str, amount: str, tier: str = "") -> str:
    """Two years of a small shop, as CSV with these headers."""
    rng = random.Random(7)
    lines = [",".join(filter(None, [customer, day, amount, tier]))]
    for number in range(120):
        for _ in range(rng.randint(1, 8)):
            date = f"{rng.choice((2023, 2024))}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
            row = [f"C{number:03d}", date, f"{rng.uniform(5, 90):.2f}"]
            lines.append(",".join([*row, rng.choice("AB")] if tier else row))
    return "\n".join(lines) + "\n"


def test_new_and_run_make_a_report_in_an_empty_folder(clv: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(orders("Client No", "Order Date", "Total"))
    assert clv_helpers.__version__ in run(clv, tmp_path, "--version")
    run(clv, tmp_path, "new", "my_shop", "--from", "orders.csv")
    report = run(clv, tmp_path, "run", "my_shop.yml").strip().split("report: ")[-1]
    text = (tmp_path / report).read_text("utf-8")
    assert Path(report).resolve().is_relative_to(tmp_path.resolve()) or not Path(report).is_absolute()
    assert "customers" in text
    seen = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\bmembers?\b|\bflights?\b|loyalty|mileage", seen, flags=re.IGNORECASE)
    assert {path.name for path in tmp_path.iterdir()} == {"orders.csv", "my_shop.yml", "outputs"}


def test_the_example_of_the_readme_runs_to_a_report(clv: Path, tmp_path: Path) -> None:
    (tmp_path / "purchases").mkdir()
    (tmp_path / "purchases" / "all.csv").write_text(orders("customer", "bought_at", "total_eur", "tier"))
    (tmp_path / "my_shop.yml").write_text(README_EXAMPLE)
    assert len(README_EXAMPLE.splitlines()) == 14
    report = run(clv, tmp_path, "run", "my_shop.yml").strip().split("report: ")[-1]
    text = (tmp_path / report).read_text("utf-8")
    assert "guests" in text
    assert "by the tier held now" in text
