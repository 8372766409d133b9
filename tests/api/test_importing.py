"""`import forger`: what it offers, and what it does not import before that is asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import forger


def test_importing_it_imports_nothing_that_takes_time():
    """Not even `typing`, which takes most of a tenth of a second on a slow machine."""
    code = "import sys; before = {*sys.modules}; import forger; print(*sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["forger"]


def test_looking_at_runs_imports_no_torch(tmp_path):
    code = f"import sys, forger; forger.runs({str(tmp_path)!r}); print({{'torch', 'hydra'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"


def test_each_name_is_there_and_declared():
    declared = ast.parse(Path(forger.__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
    imported = {node.names[0].name: node.module for node in declared if isinstance(node, ast.ImportFrom)}
    assert {*dir(forger)} == {*imported, "__version__"}
    for name, module in imported.items():
        assert getattr(forger, name).__module__ == module
        assert getattr(forger, name).__doc__
    assert forger.__version__.split(".") >= ["0", "1"]
    assert not hasattr(forger, "sample")


def test_types_ship():
    assert Path(forger.__file__).with_name("py.typed").exists()
