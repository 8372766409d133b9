"""docs/new-variant.md, executed."""

import re
import shlex
from pathlib import Path

import pytest

from running import SMALL, command

PAGE = (Path(__file__).parents[1] / "docs" / "new-variant.md").read_text()


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
    (line,) = (shlex.split(line) for line in block("bash").splitlines())
    assert line[:2] == ["forger", "train"]
    done = command(*line[1:], *SMALL, "metrics=none", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("runs/skip_gan/*/checkpoints/final.ckpt"))) == 3
    assert len(list(folder.glob("runs/gan/*/checkpoints/final.ckpt"))) == 3


def test_its_annotations_are_the_schema(folder):
    done = command("train", "--config-dir", "my", "model=skip_gan", "model.generator.width=0", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.strip() == block("text").strip()
