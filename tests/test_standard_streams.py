"""Whatever stdout and stderr are, a command does its work and ends with its own exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forger import standard_streams
from forger.run_folder import RunFolder
from recorded import begun
from running import SMALL, unprepared

#: Two ways to an output of ASCII alone; the locale's is UTF-8 by Python's own choice unless told otherwise.
ASCII = (
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
)
CLOSED = 'exec "$@" >&-'


def closed(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """`forger ARGUMENTS` as a shell starts it where stdout is closed."""
    line = ["sh", "-c", CLOSED, "sh", sys.executable, "-m", "forger", *arguments]
    return subprocess.run(
        line, cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, timeout=120
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of one finished run, whose name and score need more than ASCII."""
    run = RunFolder.of(tmp_path / "runs", "naïve→→", "0123456789ab")
    begun(run, name="naïve→→", id="0123456789ab", seed=3)
    score = {"value": 1.5, "error": 0.25, "passport": {}}
    run.update(status="finished", scores={"final": {"fd_digits": score}, "best": {}})
    return tmp_path


@pytest.mark.parametrize("environment", ASCII)
def test_an_output_of_ascii_gets_a_plain_spelling(environment: dict[str, str], runs: Path) -> None:
    listed = unprepared("runs", cwd=runs, **environment)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "naive->->" in listed.stdout
    assert "fd_digits 1.5 +- 0.25" in listed.stdout
    helped = unprepared("train", "--help", cwd=runs, **environment)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "forger train --config-dir FOLDER ..." in helped.stdout
    refused = unprepared("tráin", cwd=runs, **environment)
    assert refused.returncode == 2
    # In the C locale an argument's own bytes come back.
    assert refused.stderr.startswith(("forger: 'train': no such command", "forger: 'tráin': no such command"))


@pytest.mark.long
def test_commands_that_load_torch_end_well_without_letters_and_without_stdout(tmp_path: Path) -> None:
    done = closed("train", *SMALL, "model=gan", "metrics=none", cwd=tmp_path)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    (record,) = tmp_path.glob("runs/*/*/record.json")
    assert RunFolder(record.parent).read().status == "finished"
    # No file was given the number of stdout, to be written to by whatever prints.
    assert record.with_name(".lock").read_bytes() == b""
    program = (
        "import sys; from forger import standard_streams; from forger.cli import main; standard_streams.settle(); "
        "codes = main(['evaluate', sys.argv[1], '--extractor', 'digits', '--n', '64']), main(['doctor']); "
        "sys.exit(codes[0])"
    )
    line = [sys.executable, "-c", program, str(record.parent)]
    both = subprocess.run(line, cwd=tmp_path, env={**os.environ, **ASCII[0]}, capture_output=True, timeout=120)
    assert both.returncode == 0, both.stderr
    assert b" +- " in both.stdout
    assert b"digits weights     sha256" in both.stdout
    assert b"codec" not in both.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["runs"], ["nonsense"]])
def test_a_closed_stdout_changes_no_exit_code(arguments: list[str], tmp_path: Path) -> None:
    done = closed(*arguments, cwd=tmp_path)
    assert done.returncode == (2 if arguments == ["nonsense"] else 0)
    assert b"Traceback" not in done.stderr


def test_a_closed_descriptor_is_taken_before_a_file_is_opened() -> None:
    program = (
        "import os; os.close(0); os.close(2); from forger import standard_streams; standard_streams.settle(); "
        "file = open(os.devnull); print(file.fileno())"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60).stdout.strip() == b"3"


@pytest.mark.parametrize(
    ("text", "written"),
    [("1 ± 2 … 8×8 → é² 漢", b"1 +- 2 ... 8x8 -> e2 ?"), ("file-\udcff", b"file-\xff"), ("\ud800", b"?")],
)
def test_how_a_letter_is_spelled(text: str, written: bytes) -> None:
    standard_streams.settle()
    assert text.encode("ascii", "forger.plain") == written
