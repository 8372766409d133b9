"""One run, top to bottom: config → data → game → Trainer → callbacks → run folder."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from forger import __version__
from forger.building import build_evaluations, build_game, check_declared, load_data, prepare_torch
from forger.callbacks.budget import Budget
from forger.callbacks.checkpoints import Checkpoints, VerifiedCheckpointIO, newest_checkpoint, set_aside
from forger.callbacks.crew import Crew
from forger.callbacks.interruption import Interruption
from forger.callbacks.journal import Journal
from forger.callbacks.onlookers import check_onlookers
from forger.callbacks.profiling import Profiling
from forger.callbacks.progress import ProgressBar
from forger.callbacks.samples import Samples
from forger.callbacks.scoring import Scoring
from forger.callbacks.watching import Feed, Watching, told
from forger.compilation import compile_networks
from forger.config.building import built_callbacks, built_loggers, built_trainer
from forger.config.placement import check_placement, say_placement
from forger.config.schema import Config, validate
from forger.console import keep_log, say, show_lines
from forger.data.dataset import Data
from forger.data.loader import Batches, Stream
from forger.default_evaluations import with_evaluations
from forger.errors import Diverged, ForgerError, Interrupted, Stopped
from forger.files import read_rows
from forger.games.base import Game
from forger.hashing import weights_sha256
from forger.records import BrokenRecord, RunFolder
from forger.redaction import redacted
from forger.runs.finding import Parent, parent_at
from forger.runs.identity import run_id
from forger.runs.ranks import lost, rank
from forger.runs.recording import begin, former_record, summary
from forger.runs.rehearsal import rehearse
from forger.runs.rollback import roll_back, stopped_by, taken_up
from forger.tracking import loggers as tracking
from forger.trial import ending

logger = logging.getLogger(__name__)


def train(composed: DictConfig | Mapping[str, Any], folder: RunFolder | None = None) -> int:
    """Train what the config says in its run folder; the exit code (0 finished, 3 diverged, 128 + n signal n).

    The same config is the same run: a finished one is only reported, an unfinished one continues where it stopped.

    Args:
        composed: as Hydra composed it, or plain containers.
        folder: used instead of the folder that the config's identity gives.
    """
    config = validate(composed)
    interruption = Interruption()
    with interruption.listening():
        check_placement(config.trainer)
        prepare_torch(config.trainer)
        first = rank(config.trainer) == 0
        show_lines(logging.INFO if first else logging.WARNING)
        say_placement(config.trainer)
        check_declared(config)
        data = load_data(config.data)
        config = with_evaluations(config, data)
        parent = parent_at(config.run.parent) if config.run.parent else None
        identity = run_id(asdict(config), __version__, data.fingerprint, parent and parent.about["weights_sha256"])
        folder = folder or RunFolder.of(config.run.root, config.run.name, identity)
        if not first:
            return fit(config, data, folder, identity, parent, interruption)
        with folder.lock():
            if config.run.restart:
                folder.clear()
            record = former_record(folder)
            if record is not None and record["status"] == "finished":
                say(f"already finished: {folder} (run.restart=true starts over)")
                return summary(folder)
            if (verdict := stopped_by(folder, record)) is not None:
                say(f"stopped by the watch: {verdict}; {folder} (run.restart=true starts over)")
                return Stopped.exit_code
            with keep_log(folder.log_file):
                last = newest_checkpoint(folder.checkpoints, identity)
                if last is not None:
                    set_aside(folder.checkpoints, last)
            if last is None:
                folder.clear()
            with keep_log(folder.log_file):
                return fit(config, data, folder, identity, parent, interruption)


def fit(
    config: Config,
    data: Data,
    folder: RunFolder,
    identity: str,
    parent: Parent | None = None,
    interruption: Interruption | None = None,
) -> int:
    """Train in a folder that this process may write, and close its record whatever happens."""
    asked, config = config, taken_up(config, folder.checkpoints, build_game)
    game = build_game(config)
    rehearse(game, data, config)
    budget = Budget(**vars(config.budget))
    journal = Journal(folder, budget, config.log.every)
    checkpoints = Checkpoints(folder.checkpoints, folder, **vars(config.checkpoint))
    metrics, evaluations = config.metrics, build_evaluations(config.metrics, data, game)
    when = (metrics.every_images, metrics.n, metrics.best, metrics.seed)
    scoring = Scoring(evaluations, data, journal, checkpoints, *when)
    watching = Watching(config, data, folder, journal, scoring, checkpoints, **vars(config.watch))
    interruption = interruption or Interruption()
    samples = Samples(data, folder.samples, journal, **vars(config.samples))
    bar = ProgressBar(config.budget.images, journal, watching.alarms)
    profiling = [Profiling(folder.path / "profile")] if config.trainer.profile else []
    members = [journal, Feed(watching), bar, budget, *profiling]
    crew = Crew(members, interruption, checkpoints, observers=[scoring, watching, samples])
    onlookers = build_onlookers(config, scoring)
    game.hooked = bool(onlookers)
    loggers = build_loggers(config, folder, identity)
    trainer = build_trainer(config, identity, loggers, callbacks=[*onlookers, crew])
    if config.trainer.compile is not None:
        compile_networks(game, config.trainer.compile, trainer.strategy.root_device)
    last = newest_checkpoint(folder.checkpoints, identity)
    if last is None and parent is not None:
        parent.give(game)
    if trainer.is_global_zero:
        accelerator, devices = trainer.strategy.root_device.type, trainer.world_size
        since = begin(asked, data, folder, identity, accelerator, devices, last, parent)
        if last is not None:
            tracking.go_on(loggers, since, read_rows(folder.metrics_file))
    status, code = "failed", 1
    results: dict[str, Any] = {}
    try:
        batches = build_batches(config, data, game, trainer)
        # Callbacks of the user's are shown each batch.
        trainer.fit(game, batches if game.hooked else Stream(batches), ckpt_path=last, weights_only=True)
        if interruption.signal_number:
            raise Interrupted(interruption.signal_number)
        if watching.verdict:
            results = {"scores": {"final": {}, "best": scoring.closing()}}
            raise Stopped(told(watching.verdict))
        if not budget.over:
            say(f"ended by a callback at {game.shown:,} images")
        checkpoints.save(trainer, "final")
        final = scoring.published(game)
        results = {"scores": {"final": final, "best": scoring.closing()}}
        results["weights_sha256"] = weights_sha256(game.state_dict())
        values = {f"score/test/{name}": score["value"] for name, score in final.items()}
        journal.write(trainer, game, values)
        status, code = "finished", 0
    except Diverged as error:
        status, code = "diverged", error.exit_code
        logger.error("%s; %s", error, checkpoints.kept)
    except Stopped as error:
        status, code = "stopped", error.exit_code
    except Interrupted as error:
        status, code = ending("interrupted"), error.exit_code
    except OSError as error:
        raise ForgerError(f"{error.strerror}: {error.filename}; {checkpoints.kept}") from error
    except RuntimeError as error:
        if (death := lost(trainer, error)) is None:
            raise
        raise ForgerError(f"{death}; {checkpoints.kept}, and the same command goes on from there") from error
    finally:
        if trainer.is_global_zero:
            clock = {"images": game.shown, "iterations": game.iteration, "seconds": round(budget.seconds, 3)}
            try:
                folder.update(status=status, **clock, **results)
            except (OSError, BrokenRecord) as error:
                logger.error("the record could not be brought up to date: %s", error)
            tracking.finish(trainer.loggers, code)
    verdict = watching.verdict
    if verdict and verdict["action"] == "rollback" and status in ("stopped", "diverged"):
        kept = {"Budget": budget.state_dict(), "Scoring": scoring.state_dict(), "Journal": journal.state_dict()}
        roll_back(folder.checkpoints, config, build_game, verdict, kept)
        return fit(asked, data, folder, identity, parent, interruption)
    return summary(folder) or code if trainer.is_global_zero else code


# The parts --------------------------------------------------------------------------------------------------


def build_onlookers(config: Config, scoring: Scoring) -> list[pl.Callback]:
    """The user's own callbacks, none of which waits in vain."""
    callbacks = built_callbacks(config.callbacks)
    check_onlookers(callbacks, scoring.names, logging=bool(config.logger))
    return list(callbacks.values())


def build_loggers(config: Config, folder: RunFolder, identity: str) -> list[Any]:
    """Loggers of rank 0; they know the run by its id."""
    about = tracking.RunInfo(folder.path, identity, config.run.name, redacted(asdict(config)))
    return list(built_loggers(config.logger, about))


def build_trainer(config: Config, identity: str, loggers: list[Any], callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer without its own counting, validation, bar, warnings and checkpoints."""
    return built_trainer(
        config.trainer,
        logger=loggers or False,
        callbacks=callbacks,
        plugins=[VerifiedCheckpointIO(identity)],
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
        batch_size=config.data.batch_size,
        flip=config.data.flip,
        seed=config.seed,
        position=lambda: game.iteration,
        rank=trainer.global_rank,
        world=trainer.world_size,
        device=trainer.strategy.root_device,
    )
