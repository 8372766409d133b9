"""docs/new-variant.md, executed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from running import SMALL, command

PAGE = (Path(__file__).parents[2] / "docs" / "new-variant.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my" / "model").mkdir(parents=True)
    (tmp_path / "skip.py").write_text(block("python"))
    (tmp_path / "my" / "model" / "skip_gan.yaml").write_text(block("yaml"))
    return tmp_path


def test_the_variant_trains_as_the_page_says(folder):
    """By the installed command, which finds `skip.py` in the current folder although no `python -m` puts it there."""
    (line,) = (shlex.split(line) for line in block("bash").splitlines())
    assert line[:2] == ["forger", "train"]
    installed = Path(sys.executable).with_name("forger")
    line = [installed, *line[1:], *SMALL, "metrics=none"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("runs/digits_skip_gan/*/checkpoints/final.ckpt"))) == 3
    assert len(list(folder.glob("runs/digits_gan/*/checkpoints/final.ckpt"))) == 3


def test_its_annotations_are_the_schema(folder):
    done = command("train", "--config-dir", "my", "model=skip_gan", "model.generator.width=0", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.strip() == block("text").strip()
