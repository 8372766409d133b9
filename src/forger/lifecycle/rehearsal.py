"""A round on a copy of the game, so that parts that do not fit each other are reported before a run begins."""

import copy

import torch
from torch import nn

from forger.config.schema import Config, TrainerConfig
from forger.console import say
from forger.data.dataset import Data
from forger.data.loader import Batches
from forger.errors import ConfigError, closest
from forger.games.base import Game
from forger.games.training.accumulation import check_parts

#: Samples of a rehearsal; a whole batch if so few do not work (a discriminator that packs them by three).
_FEW = 2
#: What torch and the games raise for shapes, channels, types or labels that don't fit.
_MISFITS = (RuntimeError, ValueError, IndexError, KeyError, TypeError, AssertionError)


def rehearse(game: Game, data: Data, config: Config) -> None:
    """Compute every player's objective on a copy of the game, as it begins and as it ends: stages may differ.

    Raises:
        ConfigError: players without networks, networks without a player, batch norm over a single sample, or
            parts that don't fit each other or the data.
    """
    _check_players(game)
    check_parts(game, game.accumulate)
    processes = _processes(config.trainer)
    batch_size, rest = divmod(config.data.batch_size, processes * game.accumulate)
    if rest or not batch_size:
        size, parts = config.data.batch_size, f" in {game.accumulate} parts each" if game.accumulate > 1 else ""
        raise ConfigError(
            f"data.batch_size={size}: can't be shared equally by {processes} processes{parts}; take a multiple"
        )
    if config.data.batch_size * game.batches_a_round > len(data.train):
        raise ConfigError(
            f"data.batch_size={config.data.batch_size}: with model.fresh_batch a round takes twice as many, and there "
            f"are {len(data.train)} to train on; set it to {len(data.train) // 2} or less"
        )
    _check_batch_norm(game, batch_size)
    few, last = min(_FEW, batch_size), config.budget.images or 0
    try:
        draws = _play(game, data, few, last)
    except _MISFITS:
        try:
            draws = _play(game, data, batch_size, last)
        except _MISFITS as error:
            if _out_of_memory(error):
                raise
            raise ConfigError(
                f"model: does not fit data={data.name} ({_facts(data, batch_size)}): {_reason(error)}"
            ) from error
    if draws and game.accumulate > 1:
        say(
            f"trainer.accumulate={game.accumulate}: what layers draw (dropout, noise) is drawn for each part: "
            "distributed as without parts, but not the same numbers"
        )


def _play(game: Game, data: Data, n: int, last: int) -> bool:
    """Whether layers draw random numbers."""
    rehearsal = copy.deepcopy(game)
    n *= game.batches_a_round
    drawn = next(iter(Batches(data.train, batch_size=n, seed=0, position=int)))
    draws = False
    for rehearsal.shown in dict.fromkeys((game.shown, last)):
        with torch.random.fork_rng(devices=[]):
            before = torch.get_rng_state()
            batch = rehearsal.prepared(dict(drawn))
            for name in rehearsal.players:
                torch.stack(list(rehearsal.objective(name, batch).values()))
            draws |= not torch.equal(before, torch.get_rng_state())
    return draws


def _check_players(game: Game) -> None:
    networks = {name for name, module in game.named_children() if any(p.requires_grad for p in module.parameters())}
    for name, player in game.players.items():
        for network in player.networks or [name]:
            try:
                game.get_submodule(network)
            except AttributeError:
                where = f"model.players.{name}" + (".networks" if player.networks else "")
                raise ConfigError(
                    f"{where}: the game has no network '{network}'; {closest(network, networks)}"
                ) from None
    trained = {id(parameter) for name in game.players for parameter in game.trained_by(name)}
    for name in sorted(networks):
        if not any(id(parameter) in trained for parameter in game.get_submodule(name).parameters()):
            raise ConfigError(f"model.{name}: no player trains it; add model.players.{name}, or a player that names it")


def _check_batch_norm(game: Game, batch_size: int) -> None:
    if batch_size > 1:
        return
    for name, module in game.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not name.startswith("average"):
            raise ConfigError(
                f"data.batch_size: leaves one sample for each process, and batch norm (model.{name}) needs two; "
                "raise it, or choose a network without batch norm"
            )


def _processes(trainer: TrainerConfig) -> int:
    devices = trainer.devices
    count = len(devices) if isinstance(devices, list) else devices if isinstance(devices, int) and devices > 0 else 1
    return count * trainer.num_nodes


def _facts(data: Data, batch_size: int) -> str:
    shape = "x".join(map(str, data.shape))
    what = f"images of {shape}" if data.kind == "images" else f"points in {data.shape[0]} dimensions"
    labels = f"{len(data.conditions)} conditions" if data.conditions else f"{data.classes} classes"
    return f"{what}, {labels}, {batch_size} a batch"


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    if isinstance(error, KeyError):
        return f"the data have no {text}, which this game needs"
    return text or type(error).__name__


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
