"""The parts of a run that are built from its config: callbacks, loggers, trainer, batches."""

from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
import torch

from forger.building import build_evaluations
from forger.callbacks.budget import Budget
from forger.callbacks.chain import CallbackChain
from forger.callbacks.checkpoint_files import SavedState, VerifiedCheckpointIO
from forger.callbacks.checkpoints import Checkpoints
from forger.callbacks.interruption import Interruption
from forger.callbacks.journal import Journal
from forger.callbacks.onlookers import check_onlookers
from forger.callbacks.profiling import Profiling
from forger.callbacks.progress import ProgressBar
from forger.callbacks.samples import SamplePictures
from forger.callbacks.scoring import Scoring
from forger.callbacks.watching import HistoryUpdate, Watching
from forger.config.instantiation import built_callbacks, built_loggers, built_trainer
from forger.config.schema import Config
from forger.data.dataset import Data
from forger.data.loader import Batches
from forger.games.base import Game
from forger.redaction import redacted
from forger.run_folder import RunFolder
from forger.tracking import loggers as tracking


@dataclass(frozen=True)
class Callbacks:
    """Those of a run, in `chain`, and those of the user's."""

    budget: Budget
    journal: Journal
    checkpoints: Checkpoints
    scoring: Scoring
    watching: Watching
    chain: CallbackChain
    onlookers: list[pl.Callback]


def build_callbacks(config: Config, data: Data, folder: RunFolder, game: Game, interruption: Interruption) -> Callbacks:
    """The callbacks of a run; the game learns whether some are the user's."""
    budget = Budget(**vars(config.budget))
    journal = Journal(folder, budget, config.log.every)
    checkpoints = Checkpoints(folder.checkpoints, folder, budget, **vars(config.checkpoint))
    metrics, evaluations = config.metrics, build_evaluations(config.metrics, data, game)
    when = (metrics.every_images, metrics.n, metrics.best, metrics.seed)
    scoring = Scoring(evaluations, data, journal, checkpoints, budget, *when)
    watching = Watching(config, data, folder, journal, scoring, checkpoints, budget, **vars(config.watch))
    samples = SamplePictures(data, folder.samples, journal, budget, **vars(config.samples))
    bar = ProgressBar(budget, journal, watching.alarms)
    profiling = [Profiling(folder.path / "profile")] if config.trainer.profile else []
    members = [journal, HistoryUpdate(watching), bar, budget, *profiling]
    chain = CallbackChain(members, interruption, checkpoints, observers=[scoring, watching, samples])
    onlookers = build_onlookers(config, scoring)
    game.hooked = bool(onlookers)
    return Callbacks(budget, journal, checkpoints, scoring, watching, chain, onlookers)


def build_onlookers(config: Config, scoring: Scoring) -> list[pl.Callback]:
    """The user's own callbacks, none of which waits in vain."""
    callbacks = built_callbacks(config.callbacks)
    check_onlookers(callbacks, scoring.names, logging=bool(config.logger))
    return list(callbacks.values())


def build_loggers(config: Config, folder: RunFolder, identity: str) -> list[Any]:
    """Loggers of rank 0; they know the run by its id."""
    about = tracking.RunInfo(folder.path, identity, config.run.name, redacted(asdict(config)))
    return list(built_loggers(config.logger, about))


def build_trainer(
    config: Config,
    identity: str,
    loggers: list[Any],
    callbacks: list[pl.Callback],
    saved: SavedState | None = None,
) -> pl.Trainer:
    """Lightning's trainer without its own counting, validation, bar, warnings and checkpoints."""
    return built_trainer(
        config.trainer,
        logger=loggers or False,
        callbacks=callbacks,
        plugins=[VerifiedCheckpointIO(identity, saved)],
        # Where several GPUs share a batch, batch norm sees all of it; on the CPU torch has no such layer.
        sync_batchnorm=config.trainer.accelerator != "cpu" and torch.cuda.is_available(),
        max_epochs=-1,
        limit_val_batches=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        # For callbacks of the user's: Lightning's rows come with the run's, and a score waits for no epoch to end.
        log_every_n_steps=config.log.every,
        check_val_every_n_epoch=None,
        val_check_interval=1,
    )


def build_batches(config: Config, data: Data, game: Game, trainer: pl.Trainer) -> Batches:
    """This rank's endless stream of batches, which goes on from the game's clock."""
    return Batches(
        data.train,
        batch_size=config.data.batch_size * game.batches_a_round,
        flip=config.data.flip,
        seed=config.seed,
        position=lambda: game.iteration,
        rank=trainer.global_rank,
        world=trainer.world_size,
        device=trainer.strategy.root_device,
    )
