"""A budget in minutes: what is due at intervals is due at parts of the minutes too, also when a run is continued."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from forger.callbacks import budget as module
from forger.callbacks import chain
from forger.callbacks.budget import Budget
from forger.callbacks.checkpoints import Checkpoints
from forger.callbacks.samples import SamplePictures
from forger.commands.reproduce.execution import reproduce
from forger.files import read_rows
from forger.games.base import Game
from running import trained

#: 50 rounds of a second each on a clock that the rounds move; too few images for any interval.
MINUTES = (
    "model=gan", "budget.images=1_000_000", f"budget.minutes={50 / 60}", "metrics.every_images=500_000", "metrics.n=16",
    "checkpoint.every_images=500_000", "samples.every_images=500_000", "samples.n=4", "watch.n=16", "log.every=4",
)  # fmt: skip


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.fixture
def a_second_each(clock, monkeypatch):
    play = Game.play

    def timed(self, batch):
        play(self, batch)
        clock.seconds += 1.001

    monkeypatch.setattr(Game, "play", timed)
    monkeypatch.setattr(chain, "SECONDS", 0.0)


def trainer(world: int = 1, others: float = 0.0) -> Any:
    """Of one process, or of one of two, the other of which measured a share of ``others``."""
    reduce = lambda share, reduce_op: {"max": torch.maximum}[reduce_op](share, torch.tensor(others))  # noqa: E731
    return SimpleNamespace(world_size=world, should_stop=False, strategy=SimpleNamespace(reduce=reduce))


def game(shown: int = 64) -> Any:
    return SimpleNamespace(shown=shown, shown_before=shown - 64, device="cpu")


def test_parts_of_the_minutes_are_due_once_each(clock):
    budget = Budget(None, minutes=2)
    budget.on_train_start(trainer(), game())
    due = {parts: [] for parts in (5, 10, 40)}
    for clock.seconds in (1, 11.9, 12, 13, 25, 49, 119, 120.1):
        budget.on_train_batch_end(trainer(), game())
        for parts, moments in due.items():
            if budget.due(game(), 1000, parts):
                moments.append(clock.seconds)
    assert due == {5: [25, 49, 119, 120.1], 10: [12, 25, 49, 119, 120.1], 40: [11.9, 12, 25, 49, 119, 120.1]}
    assert budget.over
    assert not budget.due(game(), None, 5)  # what is turned off stays off


def test_images_are_due_as_well_and_alone_without_minutes(clock):
    for minutes in (None, 2):
        budget = Budget(1000, minutes)
        clock.seconds += 1
        budget.on_train_batch_end(trainer(), game())
        assert [budget.due(game(shown), 100, 10) for shown in (64, 128, 192, 256)] == [False, True, False, True]
    clock.seconds += 1000
    unlimited = Budget(1000)
    unlimited.on_train_batch_end(trainer(), game())
    assert not unlimited.crossed(40)


def test_what_was_due_is_due_again_in_a_run_that_continues(clock):
    budget = Budget(None, minutes=1)
    for clock.seconds in (5, 7):
        budget.on_train_batch_end(trainer(), game())
    clock.seconds = 8
    state, clock.seconds = budget.state_dict(), 1000
    again = Budget(None, minutes=1)
    again.load_state_dict(state)
    again.on_train_start(trainer(), game())
    assert again.crossed(10)
    clock.seconds += 3  # 11 seconds in all
    again.on_train_batch_end(trainer(), game())
    assert not again.crossed(10)
    former = Budget(None, minutes=1)
    former.load_state_dict({"seconds": 8.0})  # as checkpoints were before
    former.on_train_start(trainer(), game())
    assert not former.crossed(40)
    former.load_state_dict({"seconds": 60.0})
    former.on_train_start(trainer(), game())
    assert former.over


def test_ranks_agree_on_what_is_due_and_when_to_stop(clock):
    slow, fast = Budget(None, minutes=1), Budget(None, minutes=1)
    for clock.seconds, budget, others in ((5.9, fast, 0.1), (6.0, slow, 5.9 / 60)):
        budget.on_train_batch_end(trainer(2, others), game())
        assert budget.crossed(10)
    clock.seconds = 59
    fast.on_train_batch_end(trainer(2, 1.0), game())
    assert fast.over


def test_a_run_that_minutes_end_is_checked_drawn_saved_and_scored(a_second_each, tmp_path, monkeypatch):
    saved, save = [], Checkpoints.save_last

    def noted(self, trainer):
        saved.append(trainer.lightning_module.iteration)
        save(self, trainer)

    monkeypatch.setattr(Checkpoints, "save_last", noted)
    run = trained(tmp_path / "whole", *MINUTES)
    rows = read_rows(run.metrics_file)
    assert run.read().iterations == 50
    assert [row["iterations"] for row in rows if "score/fd_digits" in row] == [10, 20, 30, 40, 50]
    checks = [row["iterations"] for row in rows if "watch/weight_growth" in row]
    assert checks == [10, 20, 30, 40, 50]  # ten rounds apart at least
    assert saved == list(range(5, 51, 5))
    pictures = sorted(path.name for path in run.samples.iterdir())
    batch = run.read().images // 50
    assert pictures == [f"{batch * rounds:09d}.png" for rounds in range(5, 51, 5)]

    def broken(*_):
        raise RuntimeError("no more")

    with monkeypatch.context() as context:
        context.setattr(SamplePictures, "draw", lambda self, t, g: broken() if g.iteration == 30 else None)
        with pytest.raises(RuntimeError, match="no more"):
            trained(tmp_path / "again", *MINUTES)
    assert saved[-1] == 30
    again = trained(tmp_path / "again", *MINUTES)
    assert again.read().weights_sha256 == run.read().weights_sha256
    assert without_seconds(read_rows(again.metrics_file)) == without_seconds(rows)
    assert [path.name for path in sorted(again.samples.iterdir())] == pictures[5:]  # those before were not drawn
    # Trained again by images alone: what came by the clock is not compared.
    assert reproduce(str(run.path)) == 0


def test_an_interval_of_the_users_own_is_the_only_one_of_the_watch(a_second_each, tmp_path):
    run = trained(tmp_path, *MINUTES, "watch.every_images=1280", "metrics=none")
    checks = [row["images"] for row in read_rows(run.metrics_file) if "watch/weight_growth" in row]
    assert checks == [1280, 2560]


def without_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
