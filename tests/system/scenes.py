"""What cases of bad input prepare, in an empty working directory."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from forger import cli
from forger.callbacks.checkpoint_files import VerifiedCheckpointIO

TINY = (
    "experiment=digits_gan", "metrics=none", "budget.images=128", "samples.every_images=null",
    "checkpoint.every_images=null", "logger=none", "trainer.threads=1", "model.generator.width=8",
    "model.discriminator.width=8", "watch.action=none",
)  # fmt: skip
PICTURES = ("data=image_folder", "data.size=8", "data.channels=1", "data.batch_size=4", "data.root=pictures")
OWN = ("--config-dir", "conf", "experiment=own")
ADAM = "model.players.discriminator.optimizer"
RUN = "runs/digits_gan/0"


def tiny_run(root: Path) -> Path:
    """A small finished run."""
    assert cli.main(["train", *TINY, f"run.root={root}"]) == 0
    return next(root.glob("*/*"))


Prepare = Callable[["Scene"], object]


@dataclass
class Scene:
    """Where a case happens: a finished run to copy, and pytest's patches."""

    finished: Path
    monkeypatch: pytest.MonkeyPatch

    def run(self) -> Path:
        """A finished run at `RUN`."""
        shutil.copytree(self.finished, RUN)
        return Path(RUN)

    def gpus(self, count: int) -> None:
        self.monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        self.monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def pictures(count: int = 12, size: tuple[int, int] = (8, 8), folder: str = "pictures") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(np.full(size, index, np.uint8)).save(Path(folder) / f"{index:02d}.png")


def written(path: str, content: bytes | str = "") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content.encode() if isinstance(content, str) else content)


def corrupt_picture(_: Scene) -> None:
    pictures()
    written("pictures/03.png", b"\x89PNG\r\n\x1a\nnonsense")


def cut_picture(_: Scene) -> None:
    pictures()
    written("pictures/03.png", Path("pictures/03.png").read_bytes()[:50])


def deep_picture(_: Scene) -> None:
    pictures()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save("pictures/03.png")


def mixed_sizes(_: Scene) -> None:
    pictures()
    pictures(1, (9, 9), "pictures/larger")


def arrays(samples: np.ndarray) -> Prepare:
    return lambda _: np.savez("samples.npz", samples=samples)


def experiment(content: bytes | str) -> Prepare:
    return lambda _: written("conf/experiment/own.yaml", content)


def checkpoint(content: object) -> Prepare:
    """A run whose only checkpoint holds this; bytes are the file itself."""

    def prepare(scene: Scene) -> None:
        folder = scene.run() / "checkpoints"
        for file in folder.iterdir():
            file.unlink()
        if isinstance(content, bytes):
            (folder / "final.ckpt").write_bytes(content)
        else:
            VerifiedCheckpointIO().save_checkpoint(content, folder / "final.ckpt")  # type: ignore[arg-type]

    return prepare


def flipped_bit(scene: Scene) -> None:
    for file in (scene.run() / "checkpoints").iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


def of_run(name: str, content: bytes | str) -> Prepare:
    return lambda scene: (scene.run() / name).write_bytes(content.encode() if isinstance(content, str) else content)


def record(**fields: object) -> Prepare:
    def prepare(scene: Scene) -> None:
        file = scene.run() / "record.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))

    return prepare


def read_only(scene: Scene) -> None:
    """As root may write anywhere: the system's answer, at the place where it would come."""

    make = Path.mkdir

    def refuse(path: Path, *arguments: Any, **options: Any) -> None:
        if path.parts[:1] == ("runs",):
            raise PermissionError(13, "Permission denied", str(path))
        make(path, *arguments, **options)

    scene.monkeypatch.setattr(Path, "mkdir", refuse)


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)
