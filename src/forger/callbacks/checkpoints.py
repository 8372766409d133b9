"""Checkpoints that are whole or absent: written atomically, verified when read."""

import hashlib
import io
import logging
import os
from pathlib import Path
from typing import IO, Annotated, Any, cast

import torch
from annotated_types import Ge
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO
from pytorch_lightning import Trainer

from forger.archives import whole_archive
from forger.callbacks.clock import Punctual, due, next_due
from forger.errors import ConfigError, Diverged, unreadable
from forger.files import atomic_file, fsync_folder
from forger.games.base import Game
from forger.records import RunFolder

logger = logging.getLogger(__name__)

_MARK = b"\nforger-sha256:"
_TRAILER = len(_MARK) + 64


class BadCheckpoint(ValueError):
    """A file that is a truncated or altered checkpoint, or no checkpoint."""


class VerifiedCheckpointIO(CheckpointIO):
    """Writes a temporary file beside the destination, then renames it; reading verifies the SHA-256 at the file's end.

    `torch.load` reads such a file too: zip archives end before the trailer.

    Args:
        run: id of the run, kept in what is written; other runs' checkpoints are refused. None takes any.
    """

    def __init__(self, run: str | None = None) -> None:
        self.run = run

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        if self.run is not None:
            checkpoint["run"] = self.run
        with atomic_file(Path(path)) as file:
            hashing = _Hashing(file)
            try:
                torch.save(checkpoint, cast(IO[bytes], hashing))
            except RuntimeError:
                # torch reports a full disk as an internal error of its archive writer.
                raise hashing.error or RuntimeError(f"{path}: could not be written") from None
            file.write(_MARK + hashing.digest.hexdigest().encode())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """The checkpoint's content on the CPU; plain containers and tensors only.

        Raises:
            BadCheckpoint: the file is truncated, its bytes are not those that were written, or there is more in it
                than tensors and plain containers.
            ConfigError: it belongs to another run.
        """
        content = Path(path).read_bytes()
        body, trailer = content[:-_TRAILER], content[-_TRAILER:]
        if trailer != _MARK + hashlib.sha256(body).hexdigest().encode():
            raise BadCheckpoint(f"{path}: damaged or cut short (its SHA-256 trailer does not match)")
        try:
            whole_archive(body)
            checkpoint = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        except Exception as error:  # a pickle can fail in any way
            raise BadCheckpoint(f"{path}: not loaded, {unreadable(error)}") from None
        if not isinstance(checkpoint, dict) or not {"state_dict", "clock"} <= checkpoint.keys():
            raise BadCheckpoint(f"{path}: not a checkpoint of forger")
        if self.run is not None and checkpoint.get("run", self.run) != self.run:
            raise ConfigError(
                f"{path}: belongs to run {checkpoint['run']}, which has another config; "
                f"forger train --from {path} starts a new run from its weights"
            )
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


class _Hashing:
    """A write-only file that hashes what is written and keeps an error that torch's writer would hide."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            self.digest.update(data)
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


class Checkpoints(Punctual):
    """Keeps ``last.ckpt``, the one before it, and, when a score says so, ``best.ckpt``.

    A checkpoint is the state after a round and before the observers see it (`Crew`), with the number of rows written
    so far. Weights that are not finite are never saved.

    Args:
        folder: the run's ``checkpoints`` folder.
        record: the run folder, whose counters are brought up to date at each save.
        every_images: interval in real images shown.
    """

    def __init__(self, folder: Path, record: RunFolder, every_images: Annotated[int, Ge(1)] | None) -> None:
        self.folder = folder
        self.record = record
        self.every_images = every_images
        #: Whether training continued in a round that has not been observed yet.
        self.unobserved = False
        self._iteration: int | None = None
        self._kept: int | None = None
        self._moment: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        if self._moment:
            pl_module.shown_before = self._moment["shown_before"]
            self.unobserved = not self._moment["observed"]
            self._iteration, self._kept = pl_module.iteration, pl_module.shown
        else:
            self._now(pl_module, observed=True)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        self._now(pl_module, observed=False)
        if trainer.should_stop or due(pl_module, self.every_images):
            self.save_last(trainer)

    def due_at(self, game: Game) -> float:
        return next_due(game, self.every_images)

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        if self._iteration != pl_module.iteration:
            self._now(pl_module, observed=True)
            self.save_last(trainer)

    def save_last(self, trainer: Trainer) -> None:
        """Save the state of the whole run; the former ``last.ckpt`` becomes ``previous.ckpt``."""
        last, new = self.folder / "last.ckpt", self.folder / ".next.ckpt"
        self._save(trainer, new)
        game = cast(Game, trainer.lightning_module)
        if trainer.is_global_zero:
            if last.exists():
                # At any moment one of the two names holds the last whole state.
                link = self.folder / ".previous"
                link.unlink(missing_ok=True)
                os.link(last, link)
                os.replace(link, self.folder / "previous.ckpt")
            os.replace(new, last)
            fsync_folder(self.folder)
            self.record.update(images=game.shown, iterations=game.iteration)
        self._iteration, self._kept = game.iteration, game.shown

    def save(self, trainer: Trainer, name: str) -> None:
        """Save the state of the whole run under another name (``best``, ``final``)."""
        self._save(trainer, self.folder / f"{name}.ckpt")

    def _save(self, trainer: Trainer, path: Path) -> None:
        refuse_divergence(cast(Game, trainer.lightning_module))
        trainer.save_checkpoint(path)

    def _now(self, game: Game, observed: bool) -> None:
        rows = {"rows": self.record.metrics_rows, "last_row": self.record.last_row}
        self._moment = {"observed": observed, "shown_before": game.shown_before, **rows}

    @property
    def kept(self) -> str:
        """One line about the state that is saved."""
        if self._kept is None:
            return "no state had been saved yet"
        last = self.folder / "last.ckpt"
        if not last.is_file():
            return f"{last}, which held the run up to {self._kept:,} images, is gone"
        return f"{last} holds the run up to {self._kept:,} images"

    def state_dict(self) -> dict[str, Any]:
        return dict(self._moment)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._moment = dict(state_dict)


def refuse_divergence(game: Game) -> None:
    """Raise `Diverged` if a weight of the game is NaN or infinite."""
    for player in game.players:
        trained = {id(parameter) for parameter in game.trained_by(player)}
        for name, weight in game.named_parameters():
            if id(weight) in trained and not weight.isfinite().all():
                wrong = weight.detach()[~weight.isfinite()][0].item()
                raise Diverged(player, name, wrong, game.iteration, "weight")


def newest_checkpoint(folder: Path, run: str | None = None) -> Path | None:
    """The newest undamaged one of ``last.ckpt`` and ``previous.ckpt``, None if there is neither.

    A damaged one is named in the log.

    Raises:
        BadCheckpoint: there are some, but all are damaged.
        ConfigError: it belongs to another run than ``run``.
    """
    damaged: list[BadCheckpoint | OSError] = []
    for name in ("last.ckpt", "previous.ckpt"):
        path = folder / name
        if path.exists():
            try:
                VerifiedCheckpointIO(run).load_checkpoint(path)
            except (BadCheckpoint, OSError) as error:
                damaged.append(error)
            else:
                if damaged:
                    logger.warning("%s; the one before it is used", damaged[0])
                return path
    if damaged:
        told = " and so is previous.ckpt" if len(damaged) > 1 else ", and there is none before it"
        raise BadCheckpoint(f"{damaged[0]}{told}; nothing was removed; run.restart=true starts over")
    return None


def set_aside(folder: Path, used: Path) -> None:
    """Rename a damaged ``last.ckpt``, so that the next save does not put it in the place of the good one before."""
    last = folder / "last.ckpt"
    if used != last and last.exists():
        os.replace(last, folder / "last.damaged")


def rows_at(checkpoint: dict[str, Any]) -> tuple[int, str | None]:
    """Rows of ``metrics.jsonl`` that a run had written when this checkpoint was saved, and the last one's mark."""
    moment = checkpoint["callbacks"]["Crew"]["Checkpoints"]
    return moment["rows"], moment.get("last_row")
