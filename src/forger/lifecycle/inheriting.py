"""Weights that a run starts from: another run's, or those of a file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from forger.console import say
from forger.errors import ConfigError, first_few
from forger.games.base import Game
from forger.hashing import weights_sha256
from forger.lifecycle.finding import checkpoint_of, run_at


@dataclass(frozen=True)
class Parent:
    """Weights that a run starts from.

    Args:
        about: for the record: path, weights_sha256, of a run also id, checkpoint, images.
        weights: the state dict of a game, or a part of it.
    """

    about: dict[str, Any]
    weights: dict[str, Tensor]

    def give(self, game: Game, *, partial: bool) -> None:
        """Load these weights into a game; its clock and its optimisers start anew.

        Args:
            game: gets them.
            partial: take those whose names and shapes fit, and say what did not.

        Raises:
            ConfigError: they are of another model, or with `partial`, none fits.
        """
        own, place = game.state_dict(), self.about["path"]
        shared = self.weights.keys() & own.keys()
        fitting = {name: self.weights[name] for name in shared if self.weights[name].shape == own[name].shape}
        shapes = (f"{n} {_shape(self.weights[n])}, here {_shape(own[n])}" for n in own if n in shared - fitting.keys())
        unfit = {
            "of another shape": first_few(shapes),
            "only there": first_few(name for name in self.weights if name not in own),
            "only here": first_few(name for name in own if name not in self.weights),
        }
        detail = "; ".join(f"{what}: {names}" for what, names in unfit.items() if names)
        if detail and not partial:
            raise ConfigError(
                f"run.parent={place}: its weights don't fit this model; --partial takes what fits ({detail})"
            )
        if not any(name in fitting for name, _ in game.named_parameters()):
            raise ConfigError(f"run.parent={place}: none of its weights fits this model ({detail})")
        game.load_state_dict(fitting, strict=False)
        game.start_averages(known=fitting)
        if detail:
            say(f"{len(fitting)} of {len(own)} tensors are those of {place}; {detail}")


def parent_at(path: str | Path) -> Parent:
    """The parent that a path names: a run (its final weights, or its newest), a checkpoint in a run folder, or a file.

    Raises:
        ConfigError, BadCheckpoint: as `run_at` and `checkpoint_of`; or the file is not of safetensors.
    """
    if str(path).endswith(".safetensors"):
        return _of_file(Path(path))
    folder, name = split_checkpoint(path)
    folder = run_at(folder)
    file, state = checkpoint_of(folder, name)
    weights = state["state_dict"]
    about = {
        "id": folder.read().id,
        "path": str(folder),
        "checkpoint": file.name,
        "images": state["clock"]["images"],
        "weights_sha256": weights_sha256(weights),
    }
    return Parent(about, weights)


def split_checkpoint(path: str | Path) -> tuple[Path, str | None]:
    """A run folder and the checkpoint in it that a path names, None if it names a folder."""
    path = Path(path)
    if path.suffix != ".ckpt":
        return path, None
    if path.resolve().parent.name != "checkpoints":
        raise ConfigError(f"{path}: a checkpoint is read in its run folder, as RUN/checkpoints/{path.name}")
    return path.parent.parent, path.stem


def _of_file(path: Path) -> Parent:
    """Weights by their names in a game; a file of `forger export` says of which network of it they are."""
    try:
        with safe_open(path, "pt") as file:  # pyright: ignore[reportPrivateImportUsage]
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
            network = json.loads((file.metadata() or {}).get("forger", "{}")).get("network", {}).get("name")
    except (OSError, SafetensorError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path}: not read as safetensors ({error})") from None
    if network is not None:
        weights = {f"{network}.{name}": value for name, value in weights.items()}
    return Parent({"path": str(path), "weights_sha256": weights_sha256(weights)}, weights)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "scalar"
