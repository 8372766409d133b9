"""One run, top to bottom: config → data → game → Trainer → callbacks → run folder."""

import logging
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from forger import __version__
from forger.building import build_game, build_metrics, load_data, prepare_torch
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
from forger.config.schema import validate
from forger.console import keep_log, say, show_lines
from forger.data.dataset import Data
from forger.data.loader import Batches, Stream
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


def train(config: DictConfig | Mapping[str, Any], folder: RunFolder | None = None) -> int:
    """Train what the config says in its run folder; the exit code (0 finished, 3 diverged, 128 + n signal n).

    The same config is the same run: a finished one is only reported, an unfinished one continues where it stopped.

    Args:
        config: as Hydra composed it, or plain containers.
        folder: used instead of the folder that the config's identity gives.
    """
    settings = validate(config)
    interruption = Interruption()
    with interruption.listening():
        check_placement(settings["trainer"])
        prepare_torch(settings["trainer"])
        first = rank(settings["trainer"]) == 0
        show_lines(logging.INFO if first else logging.WARNING)
        say_placement(settings["trainer"])
        data = load_data(settings)
        parent = parent_at(settings["run"]["parent"]) if settings["run"]["parent"] else None
        identity = run_id(settings, __version__, data.fingerprint, parent and parent.about["weights_sha256"])
        folder = folder or RunFolder.of(settings["run"]["root"], settings["run"]["name"], identity)
        if not first:
            return fit(settings, data, folder, identity, parent, interruption)
        with folder.lock():
            if settings["run"]["restart"]:
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
                return fit(settings, data, folder, identity, parent, interruption)


def fit(
    settings: dict[str, Any],
    data: Data,
    folder: RunFolder,
    identity: str,
    parent: Parent | None = None,
    interruption: Interruption | None = None,
) -> int:
    """Train in a folder that this process may write, and close its record whatever happens."""
    asked, settings = settings, taken_up(settings, folder.checkpoints, build_game)
    game = build_game(settings)
    rehearse(game, data, settings)
    budget = Budget(**settings["budget"])
    journal = Journal(folder, budget, settings["log"]["every"])
    checkpoints = Checkpoints(folder.checkpoints, folder, **settings["checkpoint"])
    scoring = Scoring(data=data, journal=journal, checkpoints=checkpoints, **build_metrics(settings, data, game))
    watching = Watching(settings, data, folder, journal, scoring, checkpoints, **settings["watch"])
    interruption = interruption or Interruption()
    samples = Samples(data, folder.samples, journal, **settings["samples"])
    bar = ProgressBar(settings["budget"]["images"], journal, watching.alarms)
    profiling = [Profiling(folder.path / "profile")] if settings["trainer"]["profile"] else []
    members = [journal, Feed(watching), bar, budget, *profiling]
    crew = Crew(members, interruption, checkpoints, observers=[scoring, watching, samples])
    onlookers = build_onlookers(settings, scoring)
    game.hooked = bool(onlookers)
    loggers = build_loggers(settings, folder, identity)
    trainer = build_trainer(settings, identity, loggers, callbacks=[*onlookers, crew])
    if settings["trainer"]["compile"] is not None:
        compile_networks(game, settings["trainer"]["compile"], trainer.strategy.root_device)
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
        batches = build_batches(settings, data, game, trainer)
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
        roll_back(folder.checkpoints, settings, build_game, verdict, kept)
        return fit(asked, data, folder, identity, parent, interruption)
    return summary(folder) or code if trainer.is_global_zero else code


# The parts --------------------------------------------------------------------------------------------------


def build_onlookers(settings: dict[str, Any], scoring: Scoring) -> list[pl.Callback]:
    """The user's own callbacks, none of which waits in vain."""
    callbacks = built_callbacks(settings["callbacks"])
    check_onlookers(callbacks, scoring.names, logging=bool(settings["logger"]))
    return list(callbacks.values())


def build_loggers(settings: dict[str, Any], folder: RunFolder, identity: str) -> list[Any]:
    """Loggers of rank 0; they know the run by its id."""
    about = tracking.RunInfo(folder.path, identity, settings["run"]["name"], redacted(settings))
    return list(built_loggers(settings["logger"], about))


def build_trainer(
    settings: dict[str, Any], identity: str, loggers: list[Any], callbacks: list[pl.Callback]
) -> pl.Trainer:
    """Lightning's trainer without its own counting, validation, bar, warnings and checkpoints."""
    return built_trainer(
        settings["trainer"],
        logger=loggers or False,
        callbacks=callbacks,
        plugins=[VerifiedCheckpointIO(identity)],
        # Where several GPUs share a batch, batch norm sees all of it; on the CPU torch has no such layer.
        sync_batchnorm=settings["trainer"]["accelerator"] != "cpu" and torch.cuda.is_available(),
        max_epochs=-1,
        limit_val_batches=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        # For callbacks of the user's: Lightning's rows come with the run's, and a score waits for no epoch to end.
        log_every_n_steps=settings["log"]["every"],
        check_val_every_n_epoch=None,
        val_check_interval=1,
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
