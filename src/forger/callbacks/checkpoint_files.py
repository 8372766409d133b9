"""Checkpoint files: whole or absent, written atomically, verified when read, and read once."""

import hashlib
import io
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO

from forger.archives import whole_archive
from forger.errors import ConfigError, unreadable
from forger.files import atomic_file

logger = logging.getLogger(__name__)

#: Key of the run's own callbacks among those that Lightning saves, and the one in checkpoints of former versions.
CALLBACKS, _FORMER_CALLBACKS = "forger", "Crew"
_MARK = b"\nforger-sha256:"
_TRAILER = len(_MARK) + 64


class BadCheckpoint(ValueError):
    """A file that is a truncated or altered checkpoint, or no checkpoint."""


class SavedState:
    """What a run goes on from: its newest checkpoint, read and verified once.

    The weights in it are for Lightning alone, which takes them through `VerifiedCheckpointIO`.

    Args:
        path: the file.
        content: what is in it.
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        self.images: int = content["clock"]["images"]
        self.iteration: int = content["clock"]["iteration"]
        #: States of the run's own callbacks, by name.
        self.callbacks = callback_states(content)
        self._content: dict[str, Any] | None = content

    def take_content(self) -> dict[str, Any] | None:
        """The whole content, of which nothing is kept; None once it has been taken."""
        content, self._content = self._content, None
        return content

    @property
    def observed(self) -> bool:
        """Whether the round it was saved after had been scored, watched and drawn."""
        return self.callbacks["Checkpoints"]["observed"]

    @property
    def rows(self) -> int:
        """Rows of ``metrics.jsonl`` that had been written."""
        return self.callbacks["Checkpoints"]["rows"]

    @property
    def last_row(self) -> str | None:
        """The mark of the last of them (`RunFolder.last_row`), where it is known."""
        return self.callbacks["Checkpoints"].get("last_row")

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts so far."""
        return self.callbacks.get("Watching", {}).get("alerts", [])

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The alert that ended the run or sends it back, if one did."""
        return self.callbacks.get("Watching", {}).get("verdict")


def callback_states(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """States of the run's own callbacks in the content of a checkpoint, by name."""
    return checkpoint.get("callbacks", {}).get(CALLBACKS, {})


class VerifiedCheckpointIO(CheckpointIO):
    """Writes a temporary file beside the destination, then renames it; reading verifies the SHA-256 at the file's end.

    `torch.load` reads such a file too: zip archives end before the trailer.

    Args:
        run: id of the run, kept in what is written; other runs' checkpoints are refused. None takes any.
        saved: what is loaded already, and is not read again.
    """

    def __init__(self, run: str | None = None, saved: SavedState | None = None) -> None:
        self.run = run
        self.saved = saved

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
        held = self.saved.take_content() if self.saved and self.saved.path == Path(path) else None
        if held is not None:
            return held
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
        states = checkpoint.get("callbacks", {})
        if _FORMER_CALLBACKS in states:
            states[CALLBACKS] = states.pop(_FORMER_CALLBACKS)
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


def newest_checkpoint(folder: Path, run: str | None = None) -> SavedState | None:
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
                saved = SavedState(path, VerifiedCheckpointIO(run).load_checkpoint(path))
            except (BadCheckpoint, OSError) as error:
                damaged.append(error)
            else:
                if damaged:
                    logger.warning("%s; the one before it is used", damaged[0])
                return saved
    if damaged:
        others = " and so is previous.ckpt" if len(damaged) > 1 else ", and there is none before it"
        raise BadCheckpoint(f"{damaged[0]}{others}; nothing was removed; run.restart=true starts over")
    return None


def set_aside(folder: Path, used: Path) -> None:
    """Rename a damaged ``last.ckpt``, so that the next save does not put it in the place of the good one before."""
    last = folder / "last.ckpt"
    if used != last and last.exists():
        os.replace(last, folder / "last.damaged")
