"""Views of a run that goes on after a crash: TensorBoard and W&B show each row once, and each step."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from forger.files import read_rows
from forger.games.base import Game
from forger.run_folder import RunFolder
from forger.tracking.loggers import RunInfo, finish, wandb_logger
from forger.tracking.wandb_files import held
from running import trained
from wandb_backend import Backend, nobody_logged_in, serving

#: Ten rounds; a checkpoint, scores and a picture after the fifth and the tenth.
GAME = ("model=gan", "data.classes=0", "metrics=digits", "metrics.n=64", "watch.action=none")


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_logged_in(tmp_path, monkeypatch)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    wandb.teardown()
    with serving(Backend()) as backend:
        for name, value in backend.environment().items():
            monkeypatch.setenv(name, value)
        yield backend
        wandb.teardown()


def crashed_and_continued(root: Path, *overrides: str) -> RunFolder:
    """A run that fails in its eighth round, with its last checkpoint after the fifth, and goes on."""
    play = Game.play

    def failing(game: Game, batch: dict) -> None:
        if game.iteration == 7:
            raise ZeroDivisionError("on purpose")
        play(game, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Game, "play", failing)
        with pytest.raises(ZeroDivisionError):
            trained(root, *GAME, *overrides)
    return trained(root, *GAME, *overrides)


def test_tensorboard_shows_no_step_twice(tmp_path: Path) -> None:
    run = crashed_and_continued(tmp_path, "logger=tensorboard")
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    for name in ("train/generator/adversarial", "score/fd_digits"):
        kept = [row for row in read_rows(run.metrics_file) if name in row]
        assert [event.step for event in events.Scalars(name)] == [row["iterations"] for row in kept]
        assert [event.value for event in events.Scalars(name)] == pytest.approx([row[name] for row in kept], rel=1e-6)
    assert [picture.step for picture in events.Images("samples")] == [5, 10]


def rows_of(backend: Backend) -> Counter[int]:
    """How many rows W&B has of each iteration, pictures among them."""
    (online,) = backend.runs.values()
    return Counter(row["iterations"] for row in online.rows.values())


def test_wandb_gets_each_row_and_picture_once(backend: Backend, tmp_path: Path) -> None:
    run = crashed_and_continued(tmp_path, "logger=wandb")
    expected = Counter(row["iterations"] for row in read_rows(run.metrics_file))
    assert rows_of(backend) == expected + Counter({5: 1, 10: 1})
    (online,) = backend.runs.values()
    assert [online.rows[index]["_step"] for index in sorted(online.rows)] == list(range(expected.total() + 2))


def test_offline_sessions_hold_no_row_twice(tmp_path: Path) -> None:
    run = crashed_and_continued(tmp_path, "logger=wandb")
    (first, second) = sorted((run.path / "wandb").glob("offline-run-*"))
    rows = len(read_rows(run.metrics_file)) + 2
    wandb.teardown()  # which writes the files out
    assert held(run.path / "wandb", run.path.name) == rows
    for folder in (second, first):  # each file alone
        moved = tmp_path / folder.name / "wandb"
        moved.mkdir(parents=True)
        folder.rename(moved / folder.name)
    steps = [held(tmp_path / folder.name / "wandb", run.path.name) for folder in (first, second)]
    # Seven rows, a row of scores and a picture before the crash; the second file begins behind them.
    assert steps == [9, rows]
    assert counted(tmp_path / second.name / "wandb" / second.name) == rows - 9


def counted(session: Path) -> int:
    """Rows in an offline session, told by W&B's own client."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(session)]
    lines = subprocess.check_output(command, text=True, timeout=60).splitlines()
    return sum(json.loads(line)["type"] == "history" for line in lines)


def test_files_of_several_blocks_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    logger = wandb_logger(RunInfo(tmp_path, "0123456789ab", "digits", {}), mode="offline")
    for images in range(600):
        logger.log_metrics({"images": images, "text": "x" * 90})
    finish([logger])
    wandb.teardown()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert file.stat().st_size > 2 * 32768
    assert held(tmp_path / "wandb", "0123456789ab") == 600
    file.write_bytes(file.read_bytes()[:40_000])
    assert 60 < held(tmp_path / "wandb", "0123456789ab") < 100
    assert held(tmp_path / "wandb", "another") == 0
