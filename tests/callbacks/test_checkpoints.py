"""Checkpoints: whole or absent, verified, of one run, and never of weights that are no numbers."""

import os
import shutil
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from forger.callbacks.budget import Budget
from forger.callbacks.checkpoint_files import BadCheckpoint, VerifiedCheckpointIO, newest_checkpoint, set_aside
from forger.callbacks.checkpoints import Checkpoints, refuse_divergence
from forger.errors import ConfigError, Diverged
from forger.run_folder import RunFolder

IO = VerifiedCheckpointIO()


def state(images: int) -> dict[str, Any]:
    return {"state_dict": {"w": torch.full((1000,), float(images))}, "clock": {"iteration": images, "images": images}}


def shown(path) -> int:
    return IO.load_checkpoint(path)["clock"]["images"]


class Game(torch.nn.Linear):
    """What `Checkpoints` needs of a game."""

    def __init__(self) -> None:
        super().__init__(2, 1)
        self.players = ["generator", "discriminator"]
        self.iteration = self.shown = self.shown_before = 0

    def trained_by(self, player):
        return [self.weight] if player == "discriminator" else []


@pytest.fixture
def trainer(tmp_path) -> Any:
    game = Game()

    def save_checkpoint(path):
        IO.save_checkpoint(state(game.shown), path)

    return SimpleNamespace(
        lightning_module=game, is_global_zero=True, should_stop=False, save_checkpoint=save_checkpoint
    )


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    (tmp_path / "checkpoints").mkdir()
    record: Any = SimpleNamespace(metrics_rows=0, last_row="", update=lambda **_: None)
    return Checkpoints(tmp_path / "checkpoints", record, Budget(None), every_images=100)


def play(checkpoints, trainer, images=50):
    game = trainer.lightning_module
    game.iteration, game.shown_before, game.shown = game.iteration + 1, game.shown, game.shown + images
    checkpoints.on_train_batch_end(trainer, game)


def test_the_last_two_are_kept(checkpoints, trainer):
    for _ in range(7):
        play(checkpoints, trainer)
    assert shown(checkpoints.folder / "last.ckpt") == 300
    assert shown(checkpoints.folder / "previous.ckpt") == 200
    assert sorted(os.listdir(checkpoints.folder)) == ["last.ckpt", "previous.ckpt"]
    assert checkpoints.kept.endswith("last.ckpt holds the run up to 300 images")


@pytest.mark.parametrize("call", range(1, 9))
def test_a_kill_between_any_two_steps_of_saving_leaves_a_whole_state(checkpoints, trainer, call, monkeypatch):
    """Whatever the process did last: one of the two names holds the newest state or the one before it."""
    for _ in range(4):
        play(checkpoints, trainer)
    steps = iter(range(1, 100))

    def mortal(function):
        def run(*arguments, **options):
            if next(steps) == call:
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return run

    for name in ("replace", "link", "fsync"):
        monkeypatch.setattr(os, name, mortal(getattr(os, name)))
    trainer.lightning_module.shown = 300
    with suppress(KeyboardInterrupt):
        checkpoints.save_last(trainer)
    monkeypatch.undo()
    newest = newest_checkpoint(checkpoints.folder)
    assert newest is not None
    assert newest.images in (200, 300)


def test_at_the_end_nothing_is_saved_twice(checkpoints, trainer):
    for _ in range(4):
        play(checkpoints, trainer)
    checkpoints.on_train_end(trainer, trainer.lightning_module)
    assert shown(checkpoints.folder / "previous.ckpt") == 100
    play(checkpoints, trainer)
    checkpoints.on_train_end(trainer, trainer.lightning_module)
    assert [shown(checkpoints.folder / f"{name}.ckpt") for name in ("last", "previous")] == [250, 200]


def test_weights_that_are_no_numbers_are_never_saved(checkpoints, trainer):
    game = trainer.lightning_module
    play(checkpoints, trainer, 100)
    with torch.no_grad():
        game.weight[0, 1] = torch.nan
    with pytest.raises(Diverged, match=r"the weight 'weight' is nan .*the discriminator's"):
        play(checkpoints, trainer, 100)
    assert os.listdir(checkpoints.folder) == ["last.ckpt"]
    with torch.no_grad():
        game.weight[0, 1] = 0
        game.bias[0] = torch.inf  # nobody trains it
    refuse_divergence(game)  # type: ignore[arg-type]


def damage(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("place", [0, 0.3, 0.999])
def test_one_turned_bit_is_enough_to_be_refused(tmp_path, place):
    path = tmp_path / "last.ckpt"
    IO.save_checkpoint(state(5), path)
    damage(path, place)
    with pytest.raises(BadCheckpoint, match=r"last\.ckpt: damaged or cut short"):
        IO.load_checkpoint(path)


def test_a_damaged_one_is_named_and_the_one_before_is_used_and_kept(checkpoints, trainer, caplog):
    for _ in range(4):
        play(checkpoints, trainer)
    folder = checkpoints.folder
    damage(folder / "last.ckpt")
    newest = newest_checkpoint(folder)
    assert newest is not None
    assert newest.path == folder / "previous.ckpt"
    assert "last.ckpt: damaged" in caplog.text
    # The damaged one must not take the good one's place at the next save.
    set_aside(folder, newest.path)
    assert not (folder / "last.ckpt").exists()
    trainer.lightning_module.shown = 300
    checkpoints.save_last(trainer)
    assert [shown(folder / f"{name}.ckpt") for name in ("last", "previous")] == [300, 100]


def test_where_all_are_damaged_nothing_is_started_over_in_silence(checkpoints, trainer):
    assert newest_checkpoint(checkpoints.folder) is None
    for _ in range(2):
        play(checkpoints, trainer)
    damage(checkpoints.folder / "last.ckpt")
    with pytest.raises(BadCheckpoint, match=r"last.ckpt.*there is none before it; nothing was removed; run.restart"):
        newest_checkpoint(checkpoints.folder)
    (checkpoints.folder / "previous.ckpt").write_bytes(b"")
    with pytest.raises(BadCheckpoint, match=r"last.ckpt.*and so is previous.ckpt"):
        newest_checkpoint(checkpoints.folder)


def test_a_checkpoint_belongs_to_its_run(tmp_path):
    path = tmp_path / "last.ckpt"
    VerifiedCheckpointIO("0123456789ab").save_checkpoint(state(5), path)
    assert VerifiedCheckpointIO("0123456789ab").load_checkpoint(path)["run"] == "0123456789ab"
    assert shown(path) == 5
    with pytest.raises(ConfigError, match=r"last\.ckpt: belongs to run 0123456789ab, which has another config"):
        newest_checkpoint(tmp_path, "ba9876543210")


class Evil:
    def __reduce__(self):
        return (os.system, ("true",))


@pytest.mark.parametrize("content", [{"state_dict": Evil(), "clock": {}}, {"weights": torch.ones(2)}, [1, 2]])
def test_what_is_no_checkpoint_is_refused_even_with_a_right_hash(tmp_path, content):
    path = tmp_path / "last.ckpt"
    IO.save_checkpoint(content, path)
    with pytest.raises(BadCheckpoint, match=r"last\.ckpt: not ") as caught:
        IO.load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_what_is_said_to_be_kept_is_there(checkpoints, trainer):
    assert checkpoints.kept == "no state had been saved yet"
    play(checkpoints, trainer, 1_000)
    last = checkpoints.folder / "last.ckpt"
    assert checkpoints.kept == f"{last} holds the run up to 1,000 images"
    shutil.rmtree(checkpoints.folder)
    assert checkpoints.kept == f"{last}, which held the run up to 1,000 images, is gone"


def test_an_unwritable_folder_is_an_error(tmp_path, trainer):
    (tmp_path / "checkpoints").write_text("a file")
    record: Any = SimpleNamespace(metrics_rows=0, last_row="", update=lambda **_: None)
    with pytest.raises(OSError, match="checkpoints"):
        play(Checkpoints(tmp_path / "checkpoints", record, Budget(None), every_images=1), trainer)


def test_the_folder_for_temporary_files_plays_no_part(checkpoints, trainer, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere/at/all")
    play(checkpoints, trainer, 100)
    assert shown(checkpoints.folder / "last.ckpt") == 100


def test_rows_of_a_round_that_was_not_observed_yet_are_cut_off(tmp_path):
    run = RunFolder(tmp_path)
    for name in ("train/x", "score/y", "watch/z"):
        run.append_metrics({"iterations": 3, name: 1})
    run.append_alert({"iterations": 3, "alarm": "late"})
    again = RunFolder(tmp_path)
    again.cut_back(3, metrics=1, alerts=[{"iterations": 2, "alarm": "early"}])
    assert run.metrics_file.read_bytes() == b'{"iterations": 3, "train/x": 1}\n'
    assert run.alerts_file.read_bytes() == b'{"iterations": 2, "alarm": "early"}\n'
    assert again.metrics_rows == 1
