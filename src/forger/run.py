"""One run, top to bottom: config → data → game → Trainer → callbacks → run folder."""

import logging
import os
import shlex
import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from forger import __version__, tracking
from forger.callbacks.budget import Budget
from forger.callbacks.checkpoints import Checkpoints, VerifiedCheckpointIO, newest_checkpoint
from forger.callbacks.crew import Crew
from forger.callbacks.interruption import Interruption
from forger.callbacks.journal import Journal
from forger.callbacks.progress import ProgressBar
from forger.callbacks.samples import Samples
from forger.callbacks.scoring import Scoring
from forger.cli import conf_folder
from forger.console import keep_log, say, show_lines
from forger.data.images import Data
from forger.data.loader import Batches
from forger.errors import ConfigError, Diverged
from forger.files import write_atomically
from forger.games.base import Game
from forger.identity import run_id, weights_sha256
from forger.listing import how_to_continue, unfinished_under_other_version
from forger.provenance import device_state, git_state, versions
from forger.randomness import derived_seed
from forger.records import RunFolder
from forger.schema import validate


def train(config: DictConfig) -> int:
    """Train what the config says in its run folder; the exit code (0 finished, 3 diverged, 128 + n signal n).

    The same config is the same run: a finished one is told of, an unfinished one goes on where it stopped.
    """
    settings = validate(config)
    show_lines()
    prepare_torch(settings["trainer"])
    data = load_data(settings)
    identity = run_id(settings, __version__, data.fingerprint)
    folder = RunFolder.of(settings["run"]["root"], settings["run"]["name"], identity)
    if rank() != 0:
        return fit(settings, data, folder, identity)
    with folder.lock():
        if settings["run"]["restart"]:
            folder.clear()
        if folder.record_file.exists() and folder.read()["status"] == "finished":
            say(f"already finished: {folder} (run.restart=true starts over)")
            return summary(folder)
        if newest_checkpoint(folder.checkpoints) is None:
            folder.clear()
        with keep_log(folder.log_file):
            return fit(settings, data, folder, identity)


def fit(settings: dict[str, Any], data: Data, folder: RunFolder, identity: str) -> int:
    """Train in a folder that this process may write, and close its record whatever happens."""
    game = build_game(settings)
    budget = Budget(**settings["budget"])
    journal = Journal(folder, budget, settings["log"]["every"])
    checkpoints = Checkpoints(folder.checkpoints, folder, **settings["checkpoint"])
    scoring = Scoring(data=data, journal=journal, checkpoints=checkpoints, **build_metrics(settings, data))
    interruption = Interruption()
    samples = Samples(data, folder.samples, journal, **settings["samples"])
    bar = ProgressBar(settings["budget"]["images"], journal)
    crew = Crew([journal, scoring, samples, budget, interruption, checkpoints, bar])
    trainer = build_trainer(
        settings,
        loggers=build_loggers(settings, folder, identity),
        callbacks=[*instantiate(settings["callbacks"]).values(), crew],
    )
    if trainer.is_global_zero:
        begin(settings, data, folder, identity, trainer, game)
    last = newest_checkpoint(folder.checkpoints)
    status, code = "failed", 1
    ending: dict[str, Any] = {}
    try:
        trainer.fit(game, build_batches(settings, data, game, trainer), ckpt_path=last, weights_only=True)
        if interruption.signal_number:
            status, code = "interrupted", 128 + interruption.signal_number
        else:
            status, code = "finished", 0
            checkpoints.save(trainer, "final")
            final = scoring.published(game)
            ending = {"scores": {"final": final, "best": scoring.best_scores}}
            ending["weights_sha256"] = weights_sha256(game.state_dict())
            values = {f"score/test/{name}": score["value"] for name, score in final.items()}
            journal.write(trainer, game, values)
    except Diverged as error:
        status, code = "diverged", error.exit_code
        logging.getLogger(__name__).error("%s", error)
    except KeyboardInterrupt:
        status, code = "interrupted", 130
    finally:
        if trainer.is_global_zero:
            clock = {"images": game.shown, "iterations": game.iteration, "seconds": round(budget.seconds, 3)}
            folder.update(status=status, **clock, **ending)
            tracking.finish(trainer.loggers, code)
    return summary(folder) or code if trainer.is_global_zero else code


# The parts --------------------------------------------------------------------------------------------------


def prepare_torch(trainer: dict[str, Any]) -> None:
    """Devices there are, threads and silence, before anything is computed."""
    gpus = torch.cuda.device_count()
    if trainer["accelerator"] in ("gpu", "cuda") and not (gpus or torch.backends.mps.is_available()):
        raise ConfigError(
            f"trainer.accelerator={trainer['accelerator']}: torch sees no GPU here (`forger doctor` says why); "
            "use trainer=cpu"
        )
    wanted = trainer["devices"]
    if trainer["accelerator"] in ("gpu", "cuda") and isinstance(wanted, int) and wanted > max(gpus, 1):
        raise ConfigError(f"trainer.devices={wanted}: torch sees {gpus} GPUs here")
    if trainer["threads"] is not None:
        torch.set_num_threads(trainer["threads"])
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for unwanted in (".*LeafSpec.*", ".*litlogger.*", ".*GPU available but not used.*", ".*TF32.*"):
        warnings.filterwarnings("ignore", message=unwanted)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")


def load_data(settings: dict[str, Any]) -> Data:
    """The data set, checked against what the config declares."""
    data = instantiate(settings["data"]["source"])
    data.check(settings["data"])
    Batches(data.train, batch_size=settings["data"]["batch_size"], seed=0, position=int)  # refuses what can't be dealt
    return data


def build_game(settings: dict[str, Any]) -> Game:
    """The game with its initial weights, a function of the seed."""
    torch.manual_seed(derived_seed(settings["seed"], "weights"))
    game = instantiate(settings["model"], seed=settings["seed"], _convert_="all")
    return game.to(memory_format=torch.channels_last)


def build_metrics(settings: dict[str, Any], data: Data) -> dict[str, Any]:
    """The arguments of `Scoring`; its evaluations can take these data."""
    evaluations = instantiate(settings["metrics"]["evaluations"])
    for name, evaluation in evaluations.items():
        try:
            evaluation.check(data)
        except ValueError as error:
            raise ConfigError(f"metrics.evaluations.{name} can't take data={data.name}: {error}") from None
    return {**settings["metrics"], "evaluations": evaluations}


def build_loggers(settings: dict[str, Any], folder: RunFolder, identity: str) -> list[Any]:
    """Loggers of rank 0; they know the run by its id."""
    about = {"folder": folder.path, "run_id": identity, "name": settings["run"]["name"], "config": settings}
    return [logger(**about) for logger in instantiate(settings["logger"]).values()]


def build_trainer(settings: dict[str, Any], loggers: list[Any], callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer without its own counting, validation, bar, warnings and checkpoints."""
    placement = {k: v for k, v in settings["trainer"].items() if k not in ("threads",)}
    return pl.Trainer(
        **placement,
        logger=loggers or False,
        callbacks=callbacks,
        plugins=[VerifiedCheckpointIO()],
        max_epochs=-1,
        limit_val_batches=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def build_batches(settings: dict[str, Any], data: Data, game: Game, trainer: pl.Trainer) -> Batches:
    """This rank's endless stream of batches, which goes on from the game's clock."""
    return Batches(
        data.train,
        batch_size=settings["data"]["batch_size"],
        flip=settings["data"]["flip"],
        seed=settings["seed"],
        position=lambda: game.iteration,
        rank=trainer.global_rank,
        world=trainer.world_size,
        device=trainer.strategy.root_device,
    )


# The record -------------------------------------------------------------------------------------------------


def begin(
    settings: dict[str, Any], data: Data, folder: RunFolder, identity: str, trainer: pl.Trainer, game: Game
) -> None:
    """Open the record, or take up the one that is there, cut back to its last checkpoint."""
    device = device_state(trainer.strategy.root_device.type, trainer.world_size)
    last = newest_checkpoint(folder.checkpoints)
    if folder.record_file.exists() and last is not None:
        clock = VerifiedCheckpointIO().load_checkpoint(last)["clock"]
        folder.cut_back(clock["iteration"])
        folder.update(status="running", device=device, versions=versions())
        say(f"continuing {folder} at {clock['images']:,} images")
        return
    others = unfinished_under_other_version(settings["run"]["root"], settings["run"]["name"], settings, __version__)
    for other in others:
        say(how_to_continue(other))
    typed = typed_arguments()
    counts = {name: len(split) for name, split in data.splits.items()}
    folder.create(
        name=settings["run"]["name"],
        id=identity,
        command=shlex.join(["forger", "train", *typed]),
        overrides=[argument for argument in typed if not argument.startswith("-")],
        seed=settings["seed"],
        device=device,
        versions=versions(),
        git=git_state(),
        data={"name": data.name, "fingerprint": data.fingerprint, "counts": counts},
    )
    write_atomically(folder.config_file, OmegaConf.to_yaml(OmegaConf.create(settings)))
    say(f"training {folder}")


def typed_arguments() -> list[str]:
    """What, after ``forger train``, gives this run alone: the user's own config folder and the overrides."""
    if not HydraConfig.initialized():
        return []
    hydra = HydraConfig.get()
    own = [s.path for s in hydra.runtime.config_sources if s.schema == "file" and s.path != str(conf_folder())]
    return [*(f"--config-dir={path}" for path in own), *hydra.overrides.task]


def summary(folder: RunFolder) -> int:
    """Say where things are; 0 for a finished run."""
    record = folder.read()
    for name, score in record["scores"]["final"].items():
        value = "nan" if score["value"] is None else f"{score['value']:.4g}"
        say(f"  {name} = {value} (test, n = {score['passport'].get('n_fake')})")
    pictures = sorted(folder.samples.glob("*"))
    if pictures:
        say(f"  pictures: {pictures[-1]}")
    say(f"  {record['status']}: {record['images']:,} images in {record['seconds']:.0f} s, {folder}")
    return 0


def rank() -> int:
    """This process's rank as its launcher says, before Lightning is asked."""
    return int(os.environ.get("SLURM_PROCID", os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0))))
