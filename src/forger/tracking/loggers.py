"""Loggers of a run: W&B, CSV, TensorBoard. Views of it; the record is the run folder itself.

Each builder is a node of `conf/logger` with `_partial_: true`, called with the run's `RunInfo` when the run begins: its
other parameters are the keys of its node. Loggers get rows with `images` and `iterations`, and `step=iterations`.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from forger.errors import ConfigError
from forger.redaction import redacted
from forger.tracking.wandb_account import Mode, chosen_mode, forget_empty_variables
from forger.tracking.wandb_run import RunLogger
from forger.trial import membership

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunInfo:
    """What every logger is told of the run.

    Args:
        folder: the run folder.
        run_id: its id: the same run continues under the same id.
        name: of the run.
        config: resolved, without secrets.
    """

    folder: Path
    run_id: str
    name: str
    config: Mapping[str, Any]


def wandb_logger(
    run: RunInfo,
    /,
    *,
    project: str | None = None,
    entity: str | None = None,
    mode: Mode = "auto",
    name: str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    tags: Sequence[str] = (),
    init_timeout: Annotated[float, Gt(0)] = 15,
    finish_timeout: Annotated[float, Gt(0)] = 15,
) -> RunLogger:
    """A run of Weights & Biases with the run folder's id, its files in the folder.

    Online, offline or as ``WANDB_MODE`` says, never with a prompt (`forger.tracking.wandb_account.chosen_mode`). A
    dead network costs about the two timeouts, never the run. Checkpoints are not uploaded.

    A trial of a sweep is grouped under the sweep's name, with its number and parameters in the config and how it
    ended in the summary.

    What is left out comes from W&B's own variables, and only then from here: WANDB_PROJECT, else ``forger``;
    WANDB_NAME, else the run's name with its id; WANDB_RUN_GROUP, else the run's name; WANDB_JOB_TYPE, else ``train``;
    WANDB_ENTITY and WANDB_TAGS. WANDB_RUN_ID stands for the run's id, except in a trial.

    Args:
        run: the run.
        project, entity, name, group, job_type, tags: as W&B has them.
        mode: ``auto``, ``online``, ``offline`` or ``disabled``.
        init_timeout: seconds to wait for the server before going offline.
        finish_timeout: seconds to wait for uploads at the end; the rest can be synced later.

    Raises:
        ConfigError: online was asked for and nobody is logged in, or W&B does not take one of the names.
    """
    folder = Path(run.folder).resolve()
    _keep_payloads_beside(folder)
    forget_empty_variables()
    trial, given, config = membership(), os.environ, dict(run.config)
    run_id = given.get("WANDB_RUN_ID", run.run_id)
    tags = list(tags) or given.get("WANDB_TAGS", "").split(",")
    if trial is not None:
        group, job_type, tags, run_id = trial.sweep, "trial", [*tags, "sweep"], run.run_id
        config |= {"trial": {"number": trial.number, "parameters": trial.parameters}}
    chosen: dict[str, Any] = {
        "project": project or given.get("WANDB_PROJECT", "forger"),
        "entity": entity,
        "id": run_id,
        "name": name or given.get("WANDB_NAME", f"{run.name} {run_id[:6]}"),
        "group": given.get("WANDB_RUN_GROUP", run.name) if group is None else group,
        "job_type": job_type or given.get("WANDB_JOB_TYPE", "train"),
        "tags": [tag for tag in tags if tag],
    }
    chosen = redacted(chosen)
    if rank_zero_only.rank == 0:
        chosen["mode"] = chosen_mode(mode)
        _check(chosen)
    else:
        chosen["mode"] = "disabled"
    return RunLogger(init_timeout, finish_timeout, save_dir=folder, log_model=False, config=config, **chosen)


def csv_logger(run: RunInfo, /) -> CSVLogger:
    """``csv/version_N/metrics.csv`` in the run folder, a new N each time the run is continued."""
    return CSVLogger(run.folder, name="csv")


def tensorboard_logger(run: RunInfo, /) -> TensorBoardLogger:
    """Event files in ``tensorboard`` in the run folder."""
    return TensorBoardLogger(run.folder, name="tensorboard", version="", default_hp_metric=False)


def log_picture(loggers: Iterable[Logger], name: str, path: Path, *, images: int, iterations: int) -> None:
    """Show a picture file in every logger that can."""
    for each in loggers:
        if isinstance(each, WandbLogger):
            import wandb

            picture = wandb.Image(str(path), caption=f"{images:,} images")
            each.log_metrics({name: picture, "images": images, "iterations": iterations})  # type: ignore[dict-item]
        elif isinstance(each, TensorBoardLogger):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            each.experiment.add_image(name, pixels, iterations, dataformats="HWC")


def go_on(loggers: Iterable[Logger], since: int, rows: Iterable[Mapping[str, Any]]) -> None:
    """Have the loggers of a run that goes on show nothing twice.

    TensorBoard drops what it has from iteration ``since`` on, and is given the rows of it that the run has kept.

    Args:
        loggers: of the run, not used yet.
        since: the first iteration of which something is still to be logged.
        rows: of ``metrics.jsonl``, as far as they have been kept.
    """
    for each in loggers:
        if isinstance(each, TensorBoardLogger):
            each._kwargs["purge_step"] = since
            for row in rows:
                if row["iterations"] >= since:
                    each.log_metrics({name: row[name] for name in row if name != "seconds"}, step=row["iterations"])


def resume(loggers: Iterable[Logger], position: int | None) -> None:
    """Tell W&B's logger how many rows and pictures the run had logged where it goes on, if that is known."""
    for each in loggers:
        if isinstance(each, RunLogger) and position is not None:
            each.position = position


def logged(loggers: Iterable[Logger]) -> int | None:
    """How many rows and pictures W&B has been given of the run; None without W&B."""
    return next((each.position for each in loggers if isinstance(each, RunLogger)), None)


def alert(loggers: Iterable[Logger], title: str, text: str) -> None:
    """Send an alert to every logger that can; the same title at most once in five minutes."""
    for each in loggers:
        if isinstance(each, RunLogger):
            each.alert(title, text)


def finish(loggers: Iterable[Logger], exit_code: int = 0) -> None:
    """End every logger, whatever happened; a tracker that fails now does not fail the run."""
    for each in loggers:
        try:
            each.finalize("success" if exit_code == 0 else "failed")
            if isinstance(each, RunLogger):
                each.finish(exit_code)
        except Exception as error:
            logger.warning("%s did not end well: %s", type(each).__name__, error)


def _check(settings: Mapping[str, Any]) -> None:
    """Have W&B's client say now what it would only say once training has begun.

    Raises:
        ConfigError: a name, or one of W&B's variables, that it does not take.
    """
    import wandb
    from wandb.errors import UsageError

    known = {key: settings[key] for key in ("project", "entity")}
    known |= {f"run_{key}": settings[key] for key in ("id", "name", "group", "job_type", "tags")}
    try:
        wandb.Settings().update_from_env_vars(dict(os.environ))
        wandb.Settings(**known)
    except (UsageError, ValueError) as error:
        raise ConfigError(f"logger.wandb: {' '.join(str(error).split())[:300]}; set another") from None


#: The value that this module itself gave to WANDB_DATA_DIR, as opposed to one that the user chose.
_data_folder: str | None = None


def _keep_payloads_beside(folder: Path) -> None:
    """Have W&B keep artifacts and tables in the run folder, unless the user said where they belong."""
    global _data_folder
    if os.environ.get("WANDB_DATA_DIR") in (None, _data_folder):
        _data_folder = str(folder / "wandb")
        os.environ["WANDB_DATA_DIR"] = _data_folder
