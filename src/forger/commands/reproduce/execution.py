"""A run is trained again from its record alone, and compared bit by bit."""

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from forger.building import load_data, prepare_torch
from forger.config.placement import check_placement
from forger.config.schema import BudgetConfig, Config
from forger.console import say, show_lines
from forger.errors import ConfigError, ForgerError
from forger.files import read_rows
from forger.lifecycle.finding import config_of, run_at
from forger.lifecycle.ownership import check_data, check_parent
from forger.lifecycle.provenance import device_state, differences, git_state, versions
from forger.lifecycle.ranks import rank
from forger.lifecycle.recording import former_record
from forger.records import Record
from forger.run import train
from forger.run_folder import WALL_CLOCK, RunFolder

logger = logging.getLogger(__name__)

#: Statuses at which a run would end again.
_ENDED = ("finished", "diverged", "stopped")
#: Columns of rows that are written at the same iterations whatever the clock says.
_ANY_TIME = ("train/", "score/test/")


def reproduce(path: str, *, trust: bool = False, places: Mapping[str, str] = {}) -> int:
    """Train a run again in ``RUN/reproduction`` and compare; 0 if every bit is the same, 1 if not.

    An identical reproduction is removed, a different one is kept. After an interruption the same command continues; a
    folder of that name that it did not make is left alone. It uses the run's number of threads, and its images as the
    budget if minutes ended it.

    Args:
        path: the run folder.
        trust: build whatever the run's config names.
        places: the reader's, by key: ``data.root``, and ``run.parent`` for a fork.

    Raises:
        ConfigError: no run there, one that has not ended, a config that needs ``trust``, a link out of the run folder,
            or a ``reproduction`` that came with the run.
    """
    show_lines()
    run = run_at(path)
    record, config = run.read(), config_of(run, trust=trust, places=places)
    if not trust:
        check_data(config.data, run, places)
        check_parent(config.run, run, places)
    if record.status not in _ENDED:
        raise ConfigError(f"{run}: {record.status}, so there is no end to compare; {record.command} continues it")
    again = RunFolder(run.path / "reproduction")
    by_clock = config.budget.minutes is not None
    config = _as_it_was(config, record)
    check_placement(config.trainer)
    prepare_torch(config.trainer)
    first = rank(config.trainer) == 0
    run.refuse_links_out()
    if first:
        _refuse_what_was_there(again)
    before = _reasons(run, config, record)
    if first:
        if before:
            logger.warning(before)
        again.path.mkdir(exist_ok=True)
        _mark(again).write_text(_place(again))
    former = former_record(again)
    if again.record_file.exists() and (former is None or former.status != "interrupted"):
        config.run.restart = True
    code = train(asdict(config), again)
    if code >= 128 or not first:
        return code
    found = first_difference(run, again, by_clock=by_clock)
    if found is None:
        rows = len(_rows(run, by_clock))
        _mark(again).unlink()
        again.remove()
        say(f"identical: weights, {rows} rows and {len(record.scores['final'])} scores of {run}")
        return 0
    say(f"different: {found}")
    say(f"  {before or 'code, versions, data and hardware are the same as far as can be told'}")
    say(f"  what was made this time: {again}")
    return ForgerError.exit_code


def _refuse_what_was_there(again: RunFolder) -> None:
    """Refuse a reproduction that came with the run: it is neither removed nor continued, and proves nothing."""
    if not os.path.lexists(again.path):
        return
    empty = again.path.is_dir() and not any(again.path.iterdir())
    made_here = _mark(again).is_file() and _mark(again).read_text() == _place(again)
    if again.path.is_symlink() or not (empty or made_here):
        raise ConfigError(f"{again}: not made by this command on this machine; move it away, or remove it")


def _mark(again: RunFolder) -> Path:
    """A file that tells a folder made here from a copy: it holds the folder's number in its file system."""
    return again.path / "made-here"


def _place(again: RunFolder) -> str:
    return str(again.path.stat().st_ino)


def _as_it_was(config: Config, record: Record) -> Config:
    """The config of a repetition: placed as the run was, without loggers, ended by images alone."""
    threads = config.trainer.threads or record.device.get("threads")
    budget = config.budget
    if budget.minutes is not None:
        budget = BudgetConfig(images=record.images)
    return replace(
        config,
        logger={},
        budget=budget,
        run=replace(config.run, restart=False, strict=False),
        trainer=replace(config.trainer, threads=threads),
    )


def _reasons(run: RunFolder, config: Config, record: Record) -> str:
    """Conditions that differ from the run's and can change bits, reported before training begins.

    Raises:
        ForgerError: the data differ, so no training could give the same.
    """
    data = load_data(config.data)
    if data.fingerprint != record.data["fingerprint"]:
        raise ForgerError(
            f"different: the data {data.name} have the fingerprint {data.fingerprint[:12]}, "
            f"those of {run} had {str(record.data.get('fingerprint'))[:12]}; there is nothing to train on"
        )
    parts = record.device.get("parts", 1)
    then, now = record.device, device_state(record.device["accelerator"], record.device["devices"], parts)
    changed = differences(record, replace(record, device=now, versions=versions(), git=git_state()))
    text = f"not as it was: {', '.join(changed)}" if changed else ""
    for moment in then.get("changed", []):
        text += f"{'; ' if text else ''}the run changed its own conditions at {moment['images']:,} images: "
        text += ", ".join(moment["what"])
    return text


def first_difference(one: RunFolder, other: RunFolder, *, by_clock: bool = False) -> str | None:
    """The first difference of two runs, as a text; None if record, rows, scores and weights agree bit by bit.

    Rows are compared first, since the earliest one that differs shows when the difference began.

    Args:
        one, other: the run folders.
        by_clock: when the run was scored and checked on the way hung on the clock, so that this is not compared.
    """
    nothing: tuple[int, dict[str, Any] | None] = (0, None)
    for (n, was), (m, now) in zip_longest(_rows(one, by_clock), _rows(other, by_clock), fillvalue=nothing):
        if was is None or now is None:
            return f"row {n or m} of metrics.jsonl is only in {one if now is None else other}"
        for column in [*was, *(name for name in now if name not in was)]:
            if was.get(column) != now.get(column):
                place = f"row {n} of metrics.jsonl (iteration {was.get('iterations')})"
                return f"{place}, {column}: {was.get(column)} → {now.get(column)}"
    was, now = one.read(), other.read()
    for field in ("status", "images", "iterations"):
        if getattr(was, field) != getattr(now, field):
            return f"{field}: {getattr(was, field)} → {getattr(now, field)}"
    for moment in ("final",) if by_clock else ("final", "best"):
        for name in dict.fromkeys([*was.scores[moment], *now.scores[moment]]):
            values = [record.scores[moment].get(name, {}).get("value") for record in (was, now)]
            if values[0] != values[1]:
                return f"{moment} score {name}: {values[0]} → {values[1]}"
    if was.weights_sha256 != now.weights_sha256:
        return f"weights_sha256: {str(was.weights_sha256)[:12]} → {str(now.weights_sha256)[:12]}"
    return None


def _rows(run: RunFolder, by_clock: bool) -> list[tuple[int, dict[str, Any]]]:
    """Rows with their numbers, without what hangs on the clock."""
    numbered = enumerate(read_rows(run.metrics_file), start=1)
    kept = [(n, row) for n, row in numbered if not by_clock or any(name.startswith(_ANY_TIME) for name in row)]
    return [(n, {name: value for name, value in row.items() if name not in WALL_CLOCK}) for n, row in kept]
