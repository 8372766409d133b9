"""Where a sweep's study is kept: SQLite beside the runs, or a server for many machines."""

import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from forger.config.explain import one_line
from forger.errors import ConfigError, ForgerError
from forger.locking import locked
from forger.redaction import HIDDEN, redacted
from forger.sweeps.definition import Definition

T = TypeVar("T")

_BUSY_SECONDS = 60
#: What databases say when waiting won't help.
_HOPELESS = ("no such table", "does not exist", "malformed", "not a database", "readonly database")


def open_study(definition: Definition, create: bool, only_look: bool) -> optuna.Study:
    """The study of a sweep: as it is, or new.

    Raises:
        ConfigError: the storage can't be used, holds no such study, or one with other settings.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = definition.storage
    file = _local_file(url)
    if file is not None and not create and not file.exists():
        raise ConfigError(f"sweep {definition.name}: not begun yet (no {file})")
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        # SQLite fails if two processes make the tables at once; a server does not.
        with locked(Path(f"{file}.lock")) if file is not None else nullcontext():
            try:
                return _opened(definition, _storage(definition), create, only_look)
            except (IntegrityError, ProgrammingError):
                time.sleep(1)  # another machine was making the tables
                return _opened(definition, _storage(definition), create, only_look)
    except ForgerError:
        raise
    except Exception as e:  # what is wrong with a damaged database may come out as anything
        reason = _reason(e, url)
        hint = "; pip install 'forger[postgresql]'" if "psycopg" in reason and "No module" in reason else ""
        raise ConfigError(f"sweep.storage={redacted(url)}: can't be used ({reason}){hint}") from e


@contextmanager
def diagnosed(definition: Definition) -> Iterator[None]:
    """A block that uses a sweep's storage; where it fails for want of that, the error says what has become of it.

    Raises:
        ForgerError: the study or its database is gone, or can't be read any more.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        if (diagnosis := _diagnosis(definition, error)) is None:
            raise
        raise ForgerError(diagnosis) from error


def check_there(definition: Definition) -> None:
    """Refuse to go on without the study: a connection that is open may still show one that is gone.

    Raises:
        ForgerError: it or its database is gone, or can't be read any more.
    """
    if (diagnosis := _diagnosis(definition)) is not None:
        raise ForgerError(diagnosis)


def _diagnosis(definition: Definition, error: Exception | None = None) -> str | None:
    """What has become of a sweep's storage, in a line; None if that is sound, and an error about something else."""
    where = f"sweep {definition.name}: sweep.storage={redacted(definition.storage)}"
    anew = "the same command begins it anew, and runs that have finished are not trained again"
    file = _local_file(definition.storage)
    if file is not None and not file.is_file():
        return f"{where}: the database is gone; {anew}"
    try:
        study = optuna.load_study(study_name=definition.name, storage=_storage(definition))
        study.get_trials()
        assert study.user_attrs is not None
    except KeyError:
        return f"{where}: the study is gone; {anew}"
    except Exception as e:
        return f"{where}: can't be read ({_reason(e, definition.storage)}); sweep.name=OTHER begins another sweep"
    if isinstance(error, StorageInternalError | SQLAlchemyError | UnicodeError):
        return f"{where}: failed ({_reason(error, definition.storage)})"
    return None


def _local_file(url: str) -> Path | None:
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _reason(error: Exception, url: str) -> str:
    return _without_password(one_line(str(error.__cause__ or error), 600) or type(error).__name__, url)


def _storage(definition: Definition) -> RDBStorage:
    url = definition.storage
    if not _is_url(url):
        shown = redacted(url) if "://" in url or "@" not in url else HIDDEN
        raise ConfigError(
            f"sweep.storage={shown}: must be a URL: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    arguments: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("sqlite"):
        arguments["connect_args"] = {"timeout": _BUSY_SECONDS}
    elif url.startswith("postgresql"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        # No connection is kept, since there are many workers that each ask rarely.
        arguments = {"connect_args": {"connect_timeout": 10}, "poolclass": NullPool}
    interval = definition.sweep.heartbeat
    with quiet():
        return RDBStorage(url, engine_kwargs=arguments, heartbeat_interval=interval, grace_period=3 * interval)


def _opened(definition: Definition, storage: RDBStorage, create: bool, only_look: bool) -> optuna.Study:
    sweep = definition.sweep
    known = {summary.study_name for summary in optuna.get_all_study_summaries(storage)}
    if definition.name not in known and not create:
        raise ConfigError(f"sweep {definition.name}: not begun yet (no such study in the storage)")
    with quiet():
        study = optuna.create_study(
            study_name=definition.name,
            storage=storage,
            directions=list(sweep.objective.values()),
            pruner=pruner_of(definition),
            load_if_exists=True,
        )
    fixed = definition.fixed_settings()
    before = study.user_attrs.get("definition")
    if before is None:
        study.set_user_attr("definition", fixed)
        with quiet():
            study.set_metric_names(list(sweep.objective))
    elif before != fixed and not only_look:
        changed = ", ".join(sorted(key for key in fixed if before.get(key) != fixed[key]))
        raise ConfigError(
            f"sweep {definition.name}: was begun with other settings ({changed}); sweep.name=OTHER begins another one"
        )
    return study


@contextmanager
def alone(definition: Definition, study: optuna.Study) -> Iterator[None]:
    """One worker of the sweep at a time, over all machines."""
    if (file := _local_file(definition.storage)) is not None:
        with locked(Path(f"{file}.lock")):
            yield
    elif definition.storage.startswith("postgresql"):
        engine = study._storage._backend.engine  # type: ignore[attr-defined]
        with patiently(engine.connect) as connection:
            # Given back when the connection ends.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": crc32(definition.name.encode())})
            yield
    else:
        yield


def sampler_of(definition: Definition, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one slot."""
    # A seed for each slot: what the sampler draws depends on the trials before, not on which worker asks.
    seed = random.Random(f"{definition.sweep.seed}/{number}").getrandbits(32)
    with quiet():
        match definition.sweep.sampler:
            case "tpe":
                return optuna.samplers.TPESampler(seed=seed)
            case "gp":
                return optuna.samplers.GPSampler(seed=seed)
            case "nsga2":
                return optuna.samplers.NSGAIISampler(seed=seed)
            case _:
                return optuna.samplers.RandomSampler(seed=seed)


def pruner_of(definition: Definition) -> optuna.pruners.BasePruner:
    """The pruner, which sees the images shown as steps."""
    rungs = definition.sweep.rungs
    if rungs is None:
        return optuna.pruners.NopPruner()
    with quiet():
        match definition.sweep.pruner:
            case "asha":
                return optuna.pruners.SuccessiveHalvingPruner(rungs.first, rungs.factor)
            case "hyperband":
                return optuna.pruners.HyperbandPruner(rungs.first, definition.budget, rungs.factor)
            case "median":
                return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=rungs.first - 1)
            case _:
                return optuna.pruners.NopPruner()


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna calls its heartbeat and some pruners experimental, each time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _is_url(text: str) -> bool:
    try:
        make_url(text)
    except (ArgumentError, ValueError):
        return False
    return "://" in text


def _without_password(text: str, url: str) -> str:
    password = make_url(url).password if _is_url(url) else None
    return redacted(text.replace(str(password), HIDDEN) if password else text)


def patiently(act: Callable[[], T], seconds: float = _BUSY_SECONDS) -> T:
    """The result of an access to the storage, tried again for a while if the storage is busy or unreachable."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return act()
        except (StorageInternalError, SQLAlchemyError) as error:
            if any(sign in str(error.__cause__ or error) for sign in _HOPELESS):
                raise
            if time.monotonic() > deadline:
                raise ForgerError(f"the sweep's storage does not answer ({one_line(str(error), 200)})") from error
            time.sleep(1)
