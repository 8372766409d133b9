"""Nothing is written or removed through a link out of a run folder, and nothing removed that a run did not make."""

import sys
from pathlib import Path

import pytest

from forger import cli
from forger.errors import ConfigError
from forger.files import write_atomically
from forger.run_folder import RunFolder
from running import trained

OUT = (
    "samples", "checkpoints", "wandb", "profile", "csv", "tensorboard", "reproduction", "record.json", "metrics.jsonl",
    "log.txt", ".lock", ".record.json.77", "samples/000000320.png", "checkpoints/.next.ckpt", "wandb/run-1/files",
)  # fmt: skip


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of the reader's own with a file in it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    return folder


@pytest.mark.parametrize("to", ["folder", "file", "nowhere"])
@pytest.mark.parametrize("name", OUT)
def test_links_out_of_a_run_folder_are_refused_before_anything_is_written(
    name: str, to: str, mine: Path, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    link = run.path / name
    link.parent.mkdir(parents=True)
    link.symlink_to({"folder": mine, "file": mine / "thesis.tex", "nowhere": mine / "new"}[to])
    with pytest.raises(ConfigError, match=f"{link}: a link out of the run folder"), run.lock():
        pytest.fail("the folder is open")
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    assert (mine / "thesis.tex").read_text() == "years of work"
    assert [path for path in run.path.rglob("*") if path.is_file() and not path.is_symlink()] == []


def test_links_inside_and_those_of_wandb_are_no_way_out(mine: Path, tmp_path: Path) -> None:
    """And a run folder may be reached through a link: what counts is what is in it."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "scratch")
    run = RunFolder(tmp_path / "runs" / "name")
    logs = run.path / "wandb/run-1/logs"
    logs.mkdir(parents=True)
    (run.path / "wandb/latest-run").symlink_to("run-1")
    (logs / "debug-core.log").symlink_to(mine / "thesis.tex")
    with run.lock():
        run.clear()
    assert (mine / "thesis.tex").read_text() == "years of work"
    assert not (run.path / "wandb").exists()


def test_starting_over_removes_what_the_run_made_and_nothing_else(mine: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    for name in ("notes.md", ".gitignore", ".record.json.77", "metrics.jsonl"):
        (run.path / name).write_text("x")
    (run.path / "samples").mkdir()
    with run.lock():
        (run.path / "samples" / "evil").symlink_to(mine)
        run.clear()
    assert sorted(path.name for path in run.path.iterdir()) == [".gitignore", ".lock", "notes.md"]
    assert (mine / "thesis.tex").read_text() == "years of work"


def test_no_temporary_file_is_a_link(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 77)
    (tmp_path / ".out.txt.77").symlink_to(mine / "thesis.tex")
    write_atomically(tmp_path / "out.txt", "new")
    assert (tmp_path / "out.txt").read_text() == "new"
    assert (mine / "thesis.tex").read_text() == "years of work"


def test_the_commands_end_with_a_line(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sample` into the run's own folder, `train` where the run lies already."""
    monkeypatch.setattr(sys, "argv", ["forger"])
    run = trained(tmp_path / "runs")
    (run.samples / "000000640.png").unlink()
    (run.samples / "000000640.png").symlink_to(mine / "thesis.tex")
    capsys.readouterr()
    assert cli.main(["sample", str(run.path)]) == 2
    assert "000000640.png: a link out of the run folder, to " in capsys.readouterr().err
    with pytest.raises(ConfigError, match="a link out of the run folder"):
        trained(tmp_path / "runs", "run.restart=true")
    assert (mine / "thesis.tex").read_text() == "years of work"
    assert cli.main(["sample", str(run.path), "--out", str(tmp_path / "grid.png")]) == 0
