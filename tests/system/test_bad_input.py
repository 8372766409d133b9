"""Bad input of every kind: exit code 1 or 2, one line that says what, where and what to do, and no traceback."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console

from forger import cli, console
from forger.run_folder import RunFolder
from running import command, unprepared
from system.bad_input import CASES, CHECKPOINT, CONFIG, DATA, ENVIRONMENT, HARDWARE, Case
from system.scenes import RUN, TINY, Scene, tiny_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["forger"])
    for name in ("FORGER_DEBUG", "FORGER_DATA", "HYDRA_FULL_ERROR", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_line_that_says_what_where_and_what_to_do(
    case: Case, finished: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    case.prepare(Scene(finished, monkeypatch))
    monkeypatch.setattr(console, "console", Console(stderr=True, highlight=False, soft_wrap=True))
    capsys.readouterr()
    code = cli.main(case.arguments)
    out, error = capsys.readouterr()
    assert (code, out) == (case.code, ""), error
    assert error.startswith("forger: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    assert "failed: " not in error
    for text in case.said:
        assert text in error
    assert not (here / "ran").exists()
    assert not list(here.glob("runs/*/*/metrics.jsonl")) or Path(RUN).exists()


def test_there_are_cases_of_every_kind() -> None:
    assert min(map(len, (DATA, CONFIG, HARDWARE, CHECKPOINT, ENVIRONMENT))) >= 10
    assert len({case.name for case in CASES}) == len(CASES) >= 100


@pytest.mark.long
def test_two_processes_on_one_run_folder(finished: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second is told who holds the folder."""
    root = finished.parents[1]
    with RunFolder(finished).lock():
        second = command("train", *TINY, f"run.root={root}", cwd=here)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"process {os.getpid()} on " in second.stderr
    assert "wait for it" in second.stderr


def test_an_accelerator_that_ends_on_the_cpu_says_so(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Scene(here, monkeypatch).gpus(0)
    monkeypatch.setattr(console, "console", Console(stderr=True, highlight=False, soft_wrap=True))
    assert cli.main(["train", *TINY, "trainer.accelerator=auto"]) == 0
    assert "trainer.accelerator=auto: torch sees no GPU here" in capsys.readouterr().err


def test_as_processes_of_their_own(finished: Path, here: Path) -> None:
    """Whatever a command prints before and after Python's own hands are in play; the traceback is for those who ask."""
    shutil.copytree(finished, RUN)
    for start, case in ((command, CONFIG[0]), (unprepared, HARDWARE[3])):
        done = start(*case.arguments, cwd=here)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    (Path(RUN) / "checkpoints" / "final.ckpt").write_bytes(b"")
    done = command("sample", RUN, "--checkpoint", "final", cwd=here, FORGER_DEBUG="1")
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("forger: ")
