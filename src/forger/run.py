"""One run, top to bottom: config → data → game → Trainer → callbacks → run folder."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import pytorch_lightning as pl
from omegaconf import DictConfig

from forger import __version__
from forger.building import build_game, check_declared, load_data, prepare_torch
from forger.callbacks.checkpoint_files import SavedState, newest_checkpoint, set_aside
from forger.callbacks.interruption import Interruption
from forger.callbacks.watching import alert_text
from forger.compilation import compile_networks
from forger.config.placement import check_placement, say_placement
from forger.config.schema import Config, validate
from forger.console import keep_log, say, show_lines
from forger.data.dataset import Data
from forger.data.loader import Stream
from forger.default_evaluations import check_extractors, with_evaluations
from forger.errors import Diverged, ForgerError, Interrupted, StoppedByWatch
from forger.files import read_rows
from forger.games.base import Game
from forger.games.training.recomputation import recompute
from forger.hashing import weights_sha256
from forger.lifecycle.identity import run_id
from forger.lifecycle.inheriting import Parent, parent_at
from forger.lifecycle.parts import Callbacks, build_batches, build_callbacks, build_loggers, build_trainer
from forger.lifecycle.ranks import lost, rank
from forger.lifecycle.recording import begin, former_record, summary
from forger.lifecycle.rehearsal import rehearse
from forger.lifecycle.rollback import roll_back, stopped_by, taken_up
from forger.records import BrokenRecord
from forger.run_folder import RunFolder
from forger.tracking import loggers as tracking
from forger.trial import ending

logger = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """Of a training: the exit code (0 finished, 3 diverged, 128 + n signal n), and the run folder."""

    code: int
    folder: RunFolder


def train(composed: DictConfig | Mapping[str, Any], folder: RunFolder | None = None) -> int:
    """Train what the config says in its run folder; the exit code. Arguments as of `outcome`."""
    return outcome(composed, folder).code


def outcome(composed: DictConfig | Mapping[str, Any], folder: RunFolder | None = None) -> Outcome:
    """Train what the config says in its run folder.

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
        check_extractors(config)
        data = load_data(config.data)
        config = with_evaluations(config, data)
        parent = parent_at(config.run.parent) if config.run.parent else None
        identity = run_id(asdict(config), __version__, data.fingerprint, parent and parent.about["weights_sha256"])
        folder = folder or RunFolder.of(config.run.root, config.run.name, identity)
        if not first:
            saved = newest_checkpoint(folder.checkpoints, identity)
            return Outcome(fit(config, data, folder, identity, parent, interruption, saved), folder)
        with folder.lock():
            if config.run.restart:
                folder.clear()
            record = former_record(folder)
            if record is not None and record.status == "finished":
                say(f"already finished: {folder} (run.restart=true starts over)")
                return Outcome(summary(folder), folder)
            with keep_log(folder.log_file):
                saved = newest_checkpoint(folder.checkpoints, identity)
            if (verdict := stopped_by(record, saved)) is not None:
                say(f"stopped by the watch: {verdict}; {folder} (run.restart=true starts over)")
                return Outcome(StoppedByWatch.exit_code, folder)
            if saved is None:
                folder.clear()
            else:
                set_aside(folder.checkpoints, saved.path)
            with keep_log(folder.log_file):
                return Outcome(fit(config, data, folder, identity, parent, interruption, saved), folder)


def fit(
    config: Config,
    data: Data,
    folder: RunFolder,
    identity: str,
    parent: Parent | None = None,
    interruption: Interruption | None = None,
    saved: SavedState | None = None,
) -> int:
    """Train in a folder that this process may write, from the start or from a saved state; the exit code.

    A run that the watch sends back continues from its last healthy state, with the remedy in its config.
    """
    interruption = interruption or Interruption()
    while True:
        remedied, saved = taken_up(config, saved, build_game)
        game = build_game(remedied)
        rehearse(game, data, remedied)
        recompute(game, remedied.trainer.recompute)
        callbacks = build_callbacks(remedied, data, folder, game, interruption)
        loggers = build_loggers(remedied, folder, identity)
        trainer = build_trainer(remedied, identity, loggers, [*callbacks.onlookers, callbacks.chain], saved)
        if remedied.trainer.compile is not None:
            compile_networks(game, remedied.trainer.compile, trainer.strategy.root_device)
        if saved is None and parent is not None:
            parent.give(game, partial=config.run.partial)
        if trainer.is_global_zero:
            accelerator, devices = trainer.strategy.root_device.type, trainer.world_size
            since = begin(config, data, folder, identity, accelerator, devices, saved, parent)
            if saved is not None:
                tracking.go_on(loggers, since, read_rows(folder.metrics_file))
        with closing(trainer, game, folder, callbacks) as end:
            batches = build_batches(remedied, data, game, trainer)
            # Callbacks of the user's are shown each batch.
            stream = batches if game.hooked else Stream(batches)
            trainer.fit(game, stream, ckpt_path=saved and saved.path, weights_only=True)
            finish(trainer, game, callbacks, interruption, end)
        verdict = callbacks.watching.verdict
        if verdict is None or verdict["action"] != "rollback" or end.status not in ("stopped", "diverged"):
            return summary(folder) or end.code if trainer.is_global_zero else end.code
        saved = roll_back(folder.checkpoints, remedied, build_game, verdict, callbacks.chain.state_dict())


@dataclass
class RunEnd:
    """How training ended: the status and the further fields of the record, and the exit code."""

    status: str = "failed"
    code: int = 1
    results: dict[str, Any] = field(default_factory=dict)


@contextmanager
def closing(trainer: pl.Trainer, game: Game, folder: RunFolder, callbacks: Callbacks) -> Iterator[RunEnd]:
    """Close the record and the loggers, whatever happens to the training inside.

    Raises:
        ForgerError: a file can't be written, or another process of the run has died.
    """
    end, checkpoints = RunEnd(), callbacks.checkpoints
    try:
        yield end
        end.status, end.code = "finished", 0
    except Diverged as error:
        end.status, end.code = "diverged", error.exit_code
        logger.error("%s; %s", error, checkpoints.kept)
    except StoppedByWatch as error:
        end.status, end.code = "stopped", error.exit_code
    except Interrupted as error:
        end.status, end.code = ending("interrupted"), error.exit_code
    except OSError as error:
        raise ForgerError(f"{error.strerror}: {error.filename}; {checkpoints.kept}") from error
    except RuntimeError as error:
        if (death := lost(trainer, error)) is None:
            raise
        raise ForgerError(f"{death}; {checkpoints.kept}, and the same command goes on from there") from error
    finally:
        if trainer.is_global_zero:
            seconds = round(callbacks.budget.seconds, 3)
            clock = {"images": game.shown, "iterations": game.iteration, "seconds": seconds}
            try:
                folder.update(status=end.status, **clock, **end.results)
            except (OSError, BrokenRecord) as error:
                logger.error("the record could not be brought up to date: %s", error)
            tracking.finish(trainer.loggers, end.code)


def finish(trainer: pl.Trainer, game: Game, callbacks: Callbacks, interruption: Interruption, end: RunEnd) -> None:
    """Save the final state and compute the final scores, once training is over.

    Raises:
        Interrupted, StoppedByWatch: it was not: a signal or the watch has ended it.
    """
    if interruption.signal_number:
        raise Interrupted(interruption.signal_number)
    scoring, watching = callbacks.scoring, callbacks.watching
    if watching.verdict:
        end.results = {"scores": {"final": {}, "best": scoring.closing()}}
        raise StoppedByWatch(alert_text(watching.verdict))
    if not callbacks.budget.over:
        say(f"ended by a callback at {game.shown:,} images")
    callbacks.checkpoints.save(trainer, "final")
    final = scoring.published(game)
    end.results = {"scores": {"final": final, "best": scoring.closing()}}
    end.results["weights_sha256"] = weights_sha256(game.state_dict())
    values = {f"score/test/{name}": score["value"] for name, score in final.items()}
    callbacks.journal.write(trainer, game, values)
