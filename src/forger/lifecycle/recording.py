"""A run's record: written when the run begins, continues and ends."""

import logging
import os
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from forger import __version__
from forger.callbacks.checkpoint_files import SavedState
from forger.config.layers import folders_of
from forger.config.schema import Config
from forger.config.shipped import conf_folder
from forger.console import say
from forger.data.dataset import Data
from forger.errors import ConfigError
from forger.files import write_atomically
from forger.lifecycle.finding import FORK
from forger.lifecycle.inheriting import Parent
from forger.lifecycle.listing import how_to_continue, unfinished_under_other_version
from forger.lifecycle.provenance import device_state, differences, git_state, versions
from forger.records import SCHEMA, BrokenRecord, DataSummary, Device, Origin, Record
from forger.redaction import redacted
from forger.run_folder import RunFolder

logger = logging.getLogger(__name__)


def begin(
    config: Config,
    data: Data,
    folder: RunFolder,
    identity: str,
    accelerator: str,
    devices: int,
    saved: SavedState | None,
    parent: Parent | None,
) -> int:
    """Open a new record, or continue the existing one, cut back to its last checkpoint.

    Returns the first iteration of which something is still to be logged.

    Args:
        config: the resolved config.
        data: the data set.
        folder: the run's.
        identity: its id.
        accelerator, devices: what it trains on, and how many of them.
        saved: the state that it goes on from.
        parent: the run whose weights it starts from.
    """
    device = device_state(accelerator, devices, config.trainer.accumulate)
    if saved is not None and _has_record(folder):
        take_up(config, folder, saved, device)
        say(counted(data))
        return _first_to_log(saved)
    others = unfinished_under_other_version(config.run.root, config.run.name, asdict(config), __version__)
    for other in others:
        say(how_to_continue(other))
    typed = typed_arguments()
    counts = {name: len(split) for name, split in data.splits.items()}
    about: DataSummary = {"name": data.name, "fingerprint": data.fingerprint, "counts": counts}
    if data.damaged:
        about["damaged"] = dict(data.damaged)
    folder.create(
        Record(
            schema=SCHEMA,
            name=config.run.name,
            id=identity,
            command=shlex.join(redacted(["forger", "train", *typed])),
            overrides=_overrides(typed),
            status="running",
            seed=config.seed,
            images=0,
            iterations=0,
            seconds=0.0,
            device=device,
            versions=versions(),
            git=git_state(),
            data=about,
            scores={"final": {}, "best": {}},
            weights_sha256=None,
            alerts=[],
            parent=parent and Origin(**parent.about),
        )
    )
    _write_config(config, folder)
    if saved is not None:
        folder.update(images=saved.images, iterations=saved.iteration, **_cut_back(folder, saved))
        say(f"continuing {folder} at {saved.images:,} images, from what its checkpoint knows")
        return _first_to_log(saved)
    origin = parent.about if parent else {}
    start = f" from {origin['path']}" if origin else ""
    start += f" at {origin['images']:,} images" if "images" in origin else ""
    say(f"training {folder}{start}")
    say(counted(data))
    return 0


def counted(data: Data) -> str:
    """A line with how many samples each split has, those of a second domain beside those of the first."""
    parts = []
    for name, split in data.splits.items():
        others = "".join(f" and {len(array):,}" for key, array in split.independent.items() if key == "target")
        parts.append(f"{name} {len(split):,}{others}")
    return f"  {'points' if data.kind == 'points' else 'pictures'} of {data.name}: {', '.join(parts)}"


def former_record(folder: RunFolder) -> Record | None:
    """The record of a run that is there; None where there is none, or a damaged one, without which it can go on."""
    try:
        return folder.read()
    except BrokenRecord:
        return None


def _has_record(folder: RunFolder) -> bool:
    """Whether there is a record; a damaged one is put aside, and named."""
    try:
        folder.read()
    except BrokenRecord as error:
        if os.path.lexists(folder.record_file):
            aside = folder.path / "record.damaged"
            os.replace(folder.record_file, aside)
            logger.warning("%s; the run goes on without it, and it is now %s", error, aside.name)
        return False
    return True


def take_up(config: Config, folder: RunFolder, saved: SavedState, device: Device) -> None:
    """Continue an existing run; say so if the bits will differ from those of an undisturbed one.

    Raises:
        ConfigError: the conditions differ from those so far, and ``run.strict`` is set.
    """
    record = folder.read()
    now: dict[str, Any] = {"device": device, "versions": versions(), "git": git_state()}
    changed = differences(record, replace(record, **now))
    if changed and config.run.strict:
        raise ConfigError(
            f"{folder}: run.strict=true, and going on would give other bits: {', '.join(changed)}; "
            "restore the former, or leave out run.strict"
        )
    if changed:
        logger.warning("other conditions than so far, so the bits will differ: %s", ", ".join(changed))
        device["changed"] = [*record.device.get("changed", []), {"images": saved.images, "what": changed}]
    elif "changed" in record.device:
        device["changed"] = record.device["changed"]
    folder.update(status="running", **now, **_cut_back(folder, saved))
    _write_config(config, folder)
    say(f"continuing {folder} at {saved.images:,} images")


def _first_to_log(saved: SavedState) -> int:
    """The checkpoint's own iteration, whose scores and pictures are made when the run goes on, or the one after it."""
    return saved.iteration + saved.observed


def _cut_back(folder: RunFolder, saved: SavedState) -> dict[str, Any]:
    """Bring rows and alerts back to the moment of a saved state; the fields of the record that say what they are."""
    lost = folder.cut_back(saved.iteration, metrics=saved.rows, last=saved.last_row, alerts=saved.alerts)
    if lost:
        line = "%s: %s of the %s rows that the checkpoint knows of are gone; the record says so (lost_rows)"
        logger.warning(line, folder.metrics_file, f"{lost:,}", f"{saved.rows:,}")
    return {"alerts": saved.alerts, "lost_rows": lost}


def _write_config(config: Config, folder: RunFolder) -> None:
    write_atomically(folder.config_file, OmegaConf.to_yaml(OmegaConf.create(redacted(asdict(config)))))


def typed_arguments() -> list[str]:
    """The arguments of ``forger train`` that give this run alone: its parent, config folders, overrides."""
    if not HydraConfig.initialized():
        return []
    hydra = HydraConfig.get()
    places = [place for source in hydra.runtime.config_sources for place in folders_of(source.schema, source.path)]
    fork = [place for place in places if Path(place).name.startswith(FORK)]
    own = [place for place in places if place != str(conf_folder()) and place not in fork]
    origin = [f"--from={(Path(place) / 'origin').read_text(encoding='utf-8')}" for place in fork]
    return [*origin, *(f"--config-dir={path}" for path in own), *hydra.overrides.task]


def _overrides(typed: list[str]) -> list[str]:
    return [argument for argument in typed if not argument.startswith("-")]


def summary(folder: RunFolder) -> int:
    """Say where things are; 0 for a finished run."""
    record = folder.read()
    for name, score in record.scores["final"].items():
        value = "nan" if score["value"] is None else f"{score['value']:.4g}"
        say(f"  {name} = {value} (test, n = {score.get('passport', {}).get('n_fake')})")
    for name, score in record.scores["best"].items():
        if gap := score.get("gap"):
            say(
                f"  best {name} = {score['value']:.4g} at {score.get('images'):,} images, the last "
                f"{score.get('last'):.4g}: {gap:.0%} worse (validation); checkpoints/best.ckpt has the best"
            )
    if record.alerts:
        names = dict.fromkeys(alert["alarm"] for alert in record.alerts)
        say(f"  alarms: {', '.join(names)}; {folder.alerts_file}")
    if record.lost_rows:
        say(f"  lost: {record.lost_rows:,} rows of {folder.metrics_file}, which were gone when the run went on")
    pictures = sorted(folder.samples.glob("[0-9]*")) + sorted(folder.samples.glob("training.gif"))
    if pictures:
        say(f"  pictures: {pictures[-1]}")
    say(f"  {record.status}: {record.images:,} images in {record.seconds:.0f} s, {folder}")
    return 0
