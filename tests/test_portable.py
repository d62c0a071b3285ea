"""The package starts where Python has no fcntl, as on Windows."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import importlib, pkgutil, sys

import clv_helpers
from clv_helpers import files  # and with it the libraries that look for fcntl themselves

for library in ("filelock", "fsspec", "duckdb", "pandas", "IPython", "papermill", "uvicorn", "pyspark"):
    try:
        importlib.import_module(library)
    except ImportError:
        pass
for name in [name for name in sys.modules if name.startswith("clv_helpers")]:
    del sys.modules[name]
sys.modules["fcntl"] = None
import clv_helpers

for module in pkgutil.walk_packages(clv_helpers.__path__, "clv_helpers."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""


def test_every_module_starts_without_fcntl() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "clv_helpers.engines.spark.engine" in done.stdout.split()
