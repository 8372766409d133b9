"""The built wheel in an environment of its own: configs inside, `forger train` in an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, folder], cwd=REPOSITORY, check=True, capture_output=True, timeout=100)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_configs_and_the_weights(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"forger/{path.relative_to(REPOSITORY)}" for path in (REPOSITORY / "conf").rglob("*.yaml")}
    assert configs <= names
    assert {"forger/metrics/features/digits.safetensors", "forger/record.schema.json"} <= names
    assert {"forger/py.typed", "forger/__init__.pyi"} <= names
    assert not [name for name in names if name.startswith(("tests", "scripts"))]


def test_the_wheel_trains_in_an_empty_folder(wheel, tmp_path):
    """A new environment that sees the dependencies of this one, and forger from the wheel alone."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=100)
    (site,) = environment.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(f"import sys; sys.path.append({dependencies!r})\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    python = environment / "bin" / "python"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # there may be a checkout
    where = subprocess.run(
        [python, "-c", "import forger; print(forger.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=empty,
        env=variables,
    )
    assert str(site) in where.stdout
    line = [
        python,
        "-m",
        "forger",
        "train",
        "budget.images=640",
        "metrics.every_images=320",
        "trainer.threads=1",
    ]
    done = subprocess.run(line, cwd=empty, env=variables, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in empty.iterdir()] == ["runs"]
    assert len(list(empty.glob("runs/digits_cgan/*/samples/*.png"))) >= 1
