"""Rounds that nobody wants to look at are played without Lightning's loop, and nothing else changes."""

import pytest

from forger.callbacks import chain
from forger.files import read_rows
from forger.games.base import Game
from running import trained

#: Intervals that meet in no round but the last.
ODD = (
    "model=gan", "budget.images=3200", "log.every=7", "metrics.every_images=1000", "checkpoint.every_images=700",
    "samples.every_images=1500", "samples.n=4", "watch.every_images=900",
)  # fmt: skip


@pytest.fixture
def steps(monkeypatch) -> list[int]:
    """The iteration at which each of Lightning's steps begins."""
    begun: list[int] = []
    step = Game.training_step
    monkeypatch.setattr(Game, "training_step", lambda self, *a: begun.append(self.iteration) or step(self, *a))
    return begun


def test_playing_on_changes_neither_rows_nor_weights_nor_pictures(tmp_path, steps, monkeypatch):
    monkeypatch.setattr(chain, "SECONDS", 60.0)
    alone = trained(tmp_path / "alone", *ODD)
    assert len(steps) < 25
    assert {6, 13, 15, 10, 23} <= {iteration - 1 for iteration in steps}  # after rows, scores, checkpoints, pictures
    steps.clear()
    onlooker = "+callbacks.onlooker._target_=pytorch_lightning.callbacks.Callback"  # wants to see every round
    watched = trained(tmp_path / "watched", *ODD, onlooker)
    assert len(steps) == 50
    assert watched.read().weights_sha256 == alone.read().weights_sha256
    rows = [
        [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(run.metrics_file)]
        for run in (alone, watched)
    ]
    assert rows[0] == rows[1]
    names = [sorted(path.name for path in run.samples.iterdir()) for run in (alone, watched)]
    assert names[0] == names[1]


def test_the_clock_is_looked_at_while_nothing_is_due(tmp_path, steps, monkeypatch):
    monkeypatch.setattr(chain, "SECONDS", 0.0)
    trained(tmp_path, *ODD)
    assert len(steps) == 50
