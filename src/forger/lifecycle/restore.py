"""A trained game, built again from its run folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from forger.building import build_game, load_data, prepare_torch
from forger.config.schema import Config, DataConfig
from forger.data.conditions import conditions_of
from forger.data.dataset import Data
from forger.errors import ConfigError
from forger.games.base import Game
from forger.games.sampling.mixture import with_mixture
from forger.lifecycle.finding import checkpoint_of, config_of, run_at
from forger.lifecycle.ownership import check_data
from forger.run_folder import RunFolder
from forger.sizes import sides


@dataclass(frozen=True)
class Restored:
    """A run's game with the weights of one of its checkpoints.

    Args:
        folder: the run folder.
        config: the run's config, checked.
        game: in evaluation mode, on the device that the run asks for if it is there, else on the CPU.
        checkpoint: the file its weights are from.
        given: the places that the reader has named, if the run is not to be trusted.
    """

    folder: RunFolder
    config: Config
    game: Game
    checkpoint: Path
    given: Mapping[str, str] | None = None

    @cached_property
    def data(self) -> Data:
        """The data set, loaded when something is asked for that is not in the config or the record."""
        about, recorded = self.config.data, self.folder.read().data
        points = about.dimension is not None
        known = {
            "name": recorded.get("name", about.name),
            "classes": about.classes if isinstance(about.classes, int) else 0,
            "conditions": conditions_of(about.classes),
            "values": self.game.values,
            "kind": "points" if points else "images",
        }
        if points:
            known["shape"] = (about.dimension,)
        elif about.channels is not None and about.size is not None:
            known["shape"] = (about.channels, *sides(about.size))
        return _Deferred(lambda: data_of(self.folder, self.config.data, self.given), known)  # type: ignore[return-value]


def data_of(folder: RunFolder, about: DataConfig, given: Mapping[str, str] | None) -> Data:
    """The data that a run was trained on.

    Args:
        folder: the run.
        about: its config's data, with the reader's places in it.
        given: the places that the reader has named, if the run is not to be trusted.

    Raises:
        ConfigError: they can't be read, lie where the reader named no place, or are not those of the record.
    """
    if given is not None:
        check_data(about, folder, given)
    data, known = load_data(about), folder.read().data.get("fingerprint")
    if known is not None and data.fingerprint != known:
        place = about.root or data.name
        raise ConfigError(
            f"{folder}: the data at {place} are not those of the run (fingerprint {data.fingerprint[:12]}, the run's "
            f"{known[:12]}): name their folder, data.root=FOLDER, or others to score it against, --reference"
        )
    return data


def restored(
    path: str | Path,
    checkpoint: str | None = None,
    *,
    trust: bool = False,
    places: Mapping[str, str] = {},
    mixture: int | None = None,
) -> Restored:
    """The game of a run, finished or still going.

    Args:
        path: the run folder, or a folder with just this run in it.
        checkpoint: ``final``, ``last`` or ``best``; the final one by default, or the last of an unfinished run.
        trust: build whatever the config names, as for a run of your own.
        places: of the reader's, by key: ``data.root``.
        mixture: let the game, an autoencoder's, sample from a mixture of so many Gaussians over its codes.

    Raises:
        ConfigError: no run there, or several; no such checkpoint (yet); a config that needs ``trust``; weights that
            do not fit it; codes that no such mixture fits.
        BadCheckpoint: the file is damaged.
    """
    folder = run_at(path)
    config = config_of(folder, trust=trust, places=places)
    prepare_torch(config.trainer)
    file, state = checkpoint_of(folder, checkpoint)
    game = build_game(config)
    try:
        game.load_state_dict(state["state_dict"])
    except RuntimeError as error:
        version = folder.read().versions.get("forger")
        detail = " ".join(str(error).split())[:300]
        raise ConfigError(f"{file}: its weights don't fit the run's config; forger {version}? ({detail})") from None
    game.on_load_checkpoint(state)
    wants_gpu = config.trainer.accelerator not in ("cpu", "mps") and torch.cuda.is_available()
    game = game.to("cuda" if wants_gpu else "cpu").eval()
    read = Restored(folder, config, game, file, None if trust else places)
    return read if mixture is None else replace(read, game=with_mixture(game, read.data, mixture))


class _Deferred:
    """Stands in for a data set: what the config says of it is known, the rest is loaded when asked for."""

    def __init__(self, load: Callable[[], Data], known: dict[str, Any]) -> None:
        self.__dict__.update(known, _load=load)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if "_data" not in self.__dict__:
            self.__dict__["_data"] = self._load()
        return getattr(self.__dict__["_data"], name)
