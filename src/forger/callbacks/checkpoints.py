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
from pytorch_lightning import Callback, Trainer

from forger.callbacks.clock import due
from forger.files import atomic_file
from forger.games.base import Game
from forger.records import RunFolder

logger = logging.getLogger(__name__)

_MARK = b"\nforger-sha256:"
_TRAILER = len(_MARK) + 64


class BadCheckpoint(ValueError):
    """A checkpoint that is truncated or altered."""


class VerifiedCheckpointIO(CheckpointIO):
    """Writes into the destination's folder, then renames; a SHA-256 trailer tells damage when reading.

    `torch.load` reads such a file too: zip archives end before the trailer.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
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
            BadCheckpoint: the file is truncated or its bytes are not those that were written.
        """
        content = Path(path).read_bytes()
        body, trailer = content[:-_TRAILER], content[-_TRAILER:]
        if trailer != _MARK + hashlib.sha256(body).hexdigest().encode():
            raise BadCheckpoint(f"{path}: damaged or cut short (its SHA-256 trailer does not match)")
        return torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


class _Hashing:
    """A write-only file that hashes what passes and remembers the error that torch's writer would hide."""

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


class Checkpoints(Callback):
    """Keeps ``last.ckpt``, the one before it, and, when a score says so, ``best.ckpt``.

    Args:
        folder: the run's ``checkpoints`` folder.
        record: the run folder, whose counters are brought up to date at each save.
        every_images: interval in real images shown.
    """

    def __init__(self, folder: Path, record: RunFolder, every_images: Annotated[int, Ge(1)] | None) -> None:
        self.folder = folder
        self.record = record
        self.every_images = every_images

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *_: Any) -> None:
        if due(pl_module, self.every_images):
            self.save_last(trainer)
            if trainer.is_global_zero:
                self.record.update(images=pl_module.shown, iterations=pl_module.iteration)

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        self.save_last(trainer)

    def save_last(self, trainer: Trainer) -> None:
        """Save the state of the whole run; the former ``last.ckpt`` becomes ``previous.ckpt``."""
        last = self.folder / "last.ckpt"
        if trainer.is_global_zero and last.exists():
            link = self.folder / ".previous"
            link.unlink(missing_ok=True)
            os.link(last, link)
            os.replace(link, self.folder / "previous.ckpt")
        trainer.save_checkpoint(last)

    def save(self, trainer: Trainer, name: str) -> None:
        """Save the state of the whole run under another name (``best``, ``final``)."""
        trainer.save_checkpoint(self.folder / f"{name}.ckpt")


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest undamaged one of ``last.ckpt`` and ``previous.ckpt``; damaged ones are named in the log."""
    for name in ("last.ckpt", "previous.ckpt"):
        path = folder / name
        if path.exists():
            try:
                VerifiedCheckpointIO().load_checkpoint(path)
            except (BadCheckpoint, OSError) as error:
                logger.warning("%s; the one before it is used", error)
            else:
                return path
    return None
