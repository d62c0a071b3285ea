"""The ways to set up cannot drift apart: pyproject.toml, environment.yml and the lock."""

from __future__ import annotations

import re
import tomllib

from clv_helpers.config.validation import read_yaml
from clv_helpers.config.workbook import ROOT

CONDA_NAMES = {"python-duckdb": "duckdb"}
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(.*)")


def normal(requirement: str) -> tuple[str, str]:
    name, bounds = REQUIREMENT.fullmatch(requirement.replace(" ", "")).groups()
    return re.sub(r"[._-]+", "-", CONDA_NAMES.get(name, name)).lower(), bounds


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_conda_and_pip_ask_for_the_same() -> None:
    wanted = project()["dependencies"] + project()["optional-dependencies"]["dev"]
    conda = read_yaml(ROOT / "environment.yml")["dependencies"]
    pip = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    found = [entry for entry in conda if isinstance(entry, str)] + [e for e in pip if e != "-e ."]
    given = dict(map(normal, found))
    assert given.pop("python") == project()["requires-python"]
    assert given.pop("pip") == ""
    assert given == dict(map(normal, wanted))
    assert "-e ." in pip


def test_lock_has_every_requirement_hashed_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", lock, flags=re.MULTILINE))
    for requirement in project()["dependencies"] + project()["optional-dependencies"]["dev"]:
        assert normal(requirement)[0] in {name.replace("_", "-") for name in locked} | {"ruamel-yaml"}
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock
    assert re.search(r"^duckdb==1\.5\.", lock, flags=re.MULTILINE)
