"""Commands over configs of their own, and a training that only looks at what reaches it."""

import logging
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.reaching import reaching
from data.forms import folder, named
from data.pictures import write
from forger.commands.data import execution
from forger.config import shipped
from forger.lifecycle import composing

TRAIN = """\
defaults:
  - model: plain
  - _self_
  - experiment: null
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none
seed: 0
trainer: {devices: 1, accelerator: cpu, num_nodes: 1}
run: {root: runs, name: mine}
again: ${seed}
hydra:
  run: {dir: .}
  sweep: {dir: "${run.root}/multirun", subdir: .}
  output_subdir: null
  job: {chdir: false}
"""


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Hydra's --info logs to the stdout of that moment, for ever."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory beside a folder of configs, which stand in for the shipped ones."""
    folder = tmp_path / "conf"
    for name, text in {
        "train.yaml": TRAIN,
        "model/plain.yaml": "width: 8\nname: plain\n",
        "model/wide.yaml": "width: 64\nname: wide\n",
        "experiment/long.yaml": "# @package _global_\nseed: 7\n",
        "experiment/forgot.yaml": "seed: 7\n",
        "experiment/torn.yaml": "# @package _global_\nseed: [1\nx: 2\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(shipped, "conf_folder", lambda: folder)
    monkeypatch.setattr(composing, "conf_folder", lambda: folder)
    monkeypatch.setattr(sys, "argv", ["forger"])
    for name in ("HYDRA_FULL_ERROR", "FORGER_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def trained(configs: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs that reached `forger.run.train`, which trains nothing and returns 0."""
    seen: list[Any] = []
    return reaching(seen, monkeypatch, lambda config: 0)


@pytest.fixture
def messy(tmp_path):
    """Pictures of several sizes and modes in classes, copies, a link to themselves, and four kinds of damage."""
    root = folder(tmp_path)
    write(root / "b" / "wide.png", size=(20, 10), seed=1)
    write(root / "c" / "alpha.png", mode="RGBA", size=(8, 8), seed=2)
    shutil.copy(root / "a" / "000.png", root / "c" / "copy.png")
    (root / "circle").symlink_to(root)
    (root / "a" / "cut.png").write_bytes(named()["a/001.png"][:50])
    (root / "b" / "empty.png").touch()
    (root / "b" / "text.jpg").write_text("no picture")
    (root / "c" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    return root


@pytest.fixture
def quick(monkeypatch):
    """Without the seconds that it takes to find presets that fit."""
    monkeypatch.setattr(execution, "fitting", lambda compose, typed, *about: [shlex.join(["forger train", *typed])])
