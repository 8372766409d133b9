"""`forger train -m`: jobs, their exit codes, and which of them are processes of their own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands.reaching import reaching
from forger import cli
from forger.commands import train as launch
from forger.errors import ConfigError


def test_a_sweep_runs_every_job_and_the_worst_code_wins(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def behave(config: Any) -> int:
        if config.seed == 1:
            raise ConfigError("seed=1: not today")
        return {0: 0, 2: 3, 3: 0}[config.seed]

    seen = reaching([], monkeypatch, behave)
    assert cli.main(["train", "seed=0,1,2,3", "-m"]) == 2
    assert [config.seed for config in seen] == [0, 1, 2, 3]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "forger: job 0: seed=0",
        "forger: job 1: seed=1",
        "forger: seed=1: not today",
        "forger: job 2: seed=2",
        "forger: job 3: seed=3",
    ]
    assert {path.relative_to(Path.cwd()).as_posix() for path in Path.cwd().rglob("*")} == {
        "runs",
        "runs/multirun",
        "runs/multirun/multirun.yaml",
    }


@pytest.mark.parametrize(("codes", "worst"), [((0, 3), 3), ((3, 2), 2), ((2, 1, 3), 1), ((0, 0), 0)])
def test_how_codes_are_ranked(
    configs: Path, monkeypatch: pytest.MonkeyPatch, codes: tuple[int, ...], worst: int
) -> None:
    reaching([], monkeypatch, lambda config: codes[config.seed])
    assert cli.main(["train", "-m", f"seed=range(0,{len(codes)})"]) == worst


@pytest.mark.parametrize("code", [130, 143])
def test_an_interrupted_job_ends_the_sweep(configs: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def behave(_: Any) -> int:
        if code == 130:
            raise KeyboardInterrupt
        return code

    seen = reaching([], monkeypatch, behave)
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "-m", "seed=0,1"])
    assert end.value.code == code
    assert len(seen) == 1


def test_a_distributed_job_of_a_sweep_is_a_process_of_its_own(
    trained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    start = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        commands.append(command)
        return start([sys.executable, "-c", f"raise SystemExit({3 if 'seed=1' in command else 0})"], **options)

    monkeypatch.setattr(launch.subprocess, "Popen", popen)
    own = ["--config-dir", str(Path("../conf").resolve())]
    assert cli.main(["train", *own, "-m", "trainer.devices=2", "seed=0,1", "+x='a b'", "hydra.verbose=true"]) == 3
    assert trained == []
    fixed = [sys.executable, "-m", "forger", "train", *own, "hydra.verbose=true", "trainer.devices=2"]
    assert commands == [[*fixed, f"seed={seed}", "+x='a b'"] for seed in (0, 1)]


@pytest.mark.parametrize(
    ("override", "several"),
    [
        ("trainer.devices=1", False),
        ("trainer.devices=2", True),
        ("trainer.devices=-1", True),
        ("trainer.devices=[0]", False),
        ("trainer.devices=[0,1]", True),
        ("trainer.devices=auto", False),
        ("trainer.num_nodes=2", True),
    ],
)
def test_which_jobs_start_further_processes(
    trained: list[Any], monkeypatch: pytest.MonkeyPatch, override: str, several: bool
) -> None:
    monkeypatch.setattr(launch, "_fresh_process", lambda *_: 3)
    assert cli.main(["train", "-m", override]) == (3 if several else 0)
    assert len(trained) == (0 if several else 1)
    # Alone, a run starts its ranks itself.
    assert cli.main(["train", override]) == 0
