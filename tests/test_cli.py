"""The command line: what it imports, which command answers, and one line for whatever is wrong with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands.reaching import line_of
from forger import cli


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


# What is imported ----------------------------------------------------------------------------------------------


def test_help_imports_neither_torch_nor_hydra() -> None:
    code = (
        "import sys; from forger.cli import COMMANDS, main; assert main([]) == 0; "
        "assert [main([name, '--help']) for name in COMMANDS] == [0] * len(COMMANDS); "
        "print(sorted({'torch', 'hydra', 'omegaconf', 'pydantic', 'numpy', 'rich', 'optuna'} & sys.modules.keys()))"
    )
    answer = run("-c", code)
    assert answer.stdout.endswith("[]\n"), answer
    assert "forger reproduce RUN [OPTIONS]" in answer.stdout


def test_runs_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys; from forger.cli import main; main(sys.argv[1:]); assert not {'torch', 'hydra'} & {*sys.modules}"
    assert run("-c", code, "runs", str(tmp_path)).returncode == 0


def test_a_sweep_and_its_workers_need_no_torch() -> None:
    """They start often, and it is their runs that compute."""
    code = "import sys, forger.commands.sweep.execution, forger.sweeps.worker; assert 'torch' not in sys.modules"
    assert run("-c", code).returncode == 0


def test_the_package_runs_as_a_module() -> None:
    answer = run("-m", "forger", "trian")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("forger: 'trian': no such command; did you mean 'train'? (valid: data,")
    answer = run("-m", "forger", "--version")
    assert answer.stdout.startswith("forger 0.")


def test_a_reader_that_leaves_is_no_error() -> None:
    command = [sys.executable, "-c", "import sys; from forger.cli import main; sys.exit(main())", "--help"]
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=100)
    os.close(writer)
    assert answer.stderr == b""


# Commands ------------------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"forger {command}" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluat"], "did you mean 'evaluate'?"),
        (["seed=3"], "an override needs one: forger train seed=3"),
        (["reproduce"], "reproduce: which run? forger reproduce RUN"),
        (["reproduce", "x"], "x: no such folder; `forger runs` lists runs"),
        (["train", "--from", "x"], "x: no such folder; `forger runs` lists runs"),
        (["train", "--from"], "--from: needs a value"),
        (["train", "--trust"], "train --trust: goes with --from"),
        (["train", "--multrun"], "train --multrun: no such option; did you mean '--multirun'?"),
        (["train", "--cfg"], "--cfg: needs a value"),
        (["runs", "--jsn"], "runs --jsn: no such option; did you mean '--json'?"),
        (["runs", "a", "b"], "runs b: one argument too many"),
        (["runs", "/nowhere/at/all"], "/nowhere/at/all: no such folder"),
        (["doctor", "x"], "doctor x: one argument too many"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert said in line_of(capsys)
