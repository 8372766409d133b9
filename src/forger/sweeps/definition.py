"""A sweep file, typed and checked: `conf/sweep/NAME.yaml` with overrides, as one `Definition`."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, MinLen
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from pydantic import StringConstraints

from forger.config.schema import Count, Name
from forger.config.targets import checked
from forger.errors import ConfigError
from forger.redaction import redacted
from forger.sweeps.composing import configs, parsed_override
from forger.sweeps.space import SearchParameter, arms, parsed

#: One folder below `run.root`; what is in it are trials.
Folder = Annotated[Name, StringConstraints(pattern=r"^[^/]*$")]

_EXAMPLE = "sweep: {objective: {fd_digits: minimize}, space: {…}}"


@dataclass
class Rungs:
    first: Count
    factor: Annotated[int, Ge(2)] = 3


@dataclass
class Sweep:
    objective: Annotated[dict[str, Literal["minimize", "maximize"]], MinLen(1)]
    space: dict[str, str] = field(default_factory=dict)
    arms: dict[str, list[str]] = field(default_factory=dict)
    name: Folder | None = None
    overrides: list[str] = field(default_factory=list)
    sampler: Literal["tpe", "gp", "nsga2", "random", "grid"] = "tpe"
    pruner: Literal["asha", "hyperband", "median", "none"] = "none"
    trials: Count | None = None
    seeds: Count = 1
    rungs: Rungs | None = None
    minutes: Annotated[float, Gt(0)] | None = None
    threads: Count = 1
    gpus: Count = 1
    storage: Annotated[str, MinLen(1)] | None = None
    heartbeat: Count = 10
    seed: Annotated[int, Ge(0)] = 0


@dataclass
class Launcher:
    kind: Literal["local", "slurm", "ray"] = "local"
    workers: Count | None = None
    folder: Annotated[str, MinLen(1)] | None = None
    cluster: Literal["slurm", "local"] = "slurm"
    address: Annotated[str, MinLen(1)] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Definition:
    """What a sweep is.

    Args:
        sweep: the sweep file with its overrides.
        launcher: where its workers run.
        space: what varies.
        overrides: of every run, the command line's after the file's.
        config_folders: the user's own folders of configs, in front of the shipped one.
    """

    name: str
    sweep: Sweep
    launcher: Launcher
    space: tuple[SearchParameter, ...]
    overrides: tuple[str, ...]
    config_folders: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The folder of the sweep: one folder for each trial, and the study's database."""
        given = [text.partition("=")[2] for text in self.overrides if text.lstrip("+").startswith("run.root=")]
        return Path(given[-1].strip("'\"") if given else "runs") / self.name

    @property
    def config_flags(self) -> list[str]:
        """The user's own folders as they are given to a command."""
        return [part for folder in self.config_folders for part in ("--config-dir", folder)]

    @property
    def storage(self) -> str:
        """URL of the study's storage; SQLite beside the runs by default."""
        return self.sweep.storage or f"sqlite:///{self.root.resolve() / 'study.db'}"

    @property
    def trials(self) -> int:
        """How many trials are to end: none is an equal of another, so no more than a finite space has points."""
        points = math.prod(len(each.points) if each.finite else math.inf for each in self.space)
        return int(min(self.sweep.trials or (points if self.sweep.sampler == "grid" else 20), points))

    @property
    def grid(self) -> list[dict[str, Any]]:
        """Every point of a finite space."""
        points = itertools.product(*(parameter.points for parameter in self.space))
        return [dict(zip((parameter.name for parameter in self.space), point, strict=True)) for point in points]

    @property
    def as_it_is(self) -> dict[str, Any]:
        """The point of the space that the config itself has; empty if a parameter is a group or out of range there."""
        point = {parameter.name: OmegaConf.select(self.run_config, parameter.name) for parameter in self.space}
        return point if all(parameter.holds(point[parameter.name]) for parameter in self.space) else {}

    @cached_property
    def run_config(self) -> DictConfig:
        """The config of a run in which nothing varies yet."""
        with configs(self.config_folders) as composed:
            return composed("train", list(self.overrides))

    @property
    def budget(self) -> int:
        """Images that a run is shown; 2⁶² where minutes alone limit it."""
        return int(self.run_config.budget.images or 2**62)

    @property
    def rungs(self) -> list[int]:
        """Images after which the pruner judges, below the budget."""
        if self.sweep.rungs is None or self.sweep.pruner == "none":
            return []
        ladder, images = [], self.sweep.rungs.first
        while images < self.budget:
            ladder.append(images)
            images *= self.sweep.rungs.factor
        return ladder

    @property
    def objective(self) -> dict[str, str]:
        """Direction by the score's name."""
        return dict(self.sweep.objective)

    def fixed_settings(self) -> dict[str, Any]:
        """Settings that must agree between the trials of one study; secrets, which may change, are hidden."""
        sweep = asdict(self.sweep)
        kept = ("objective", "sampler", "pruner", "seeds", "rungs", "threads", "seed")
        space = {p.key: str(asdict(p)) for p in self.space}
        return redacted({"space": space, "overrides": list(self.overrides)} | {key: sweep[key] for key in kept})


def load(name: str, arguments: Sequence[str], config_folders: Sequence[str] = ()) -> Definition:
    """The definition behind ``forger sweep … NAME ARGUMENTS``.

    ``sweep.…`` and ``launcher…`` among the arguments change the sweep, the others every run in it. One that
    gives a parameter of the space a value takes it out of the space, and out of the arms; one in sweep syntax goes into
    the space. ``arm=…`` chooses among the arms.

    Args:
        name: of a config in the group `sweep`, or a YAML file.
        arguments: overrides in Hydra's syntax.
        config_folders: of the user, searched first.

    Raises:
        ConfigError: the first fault.
    """
    own: list[str] = []
    ours: list[Override] = []
    for text in arguments:
        override = parsed_override(text)
        if override.key_or_group.partition(".")[0] in ("sweep", "launcher"):
            # A sweep file may leave out keys that have defaults; `Sweep` refuses unknown ones.
            dotted = "." in override.key_or_group and not text.startswith(("+", "~"))
            own.append(f"++{text}" if dotted else text)
        else:
            ours.append(override)
    group, folders = _group(name, config_folders)
    with configs(folders) as composed:
        config = composed("sweep", [f"sweep={group}", *own])
    containers = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(containers, dict)
    sweep = _built(Sweep, containers.get("sweep"), "sweep")
    if isinstance(sweep.rungs, dict):
        sweep.rungs = Rungs(**sweep.rungs)
    launcher = _built(Launcher, containers.get("launcher"), "launcher")
    space = {key.lstrip("+"): parsed(key, text) for key, text in sweep.space.items()}
    overrides = list(sweep.overrides)
    for text in overrides:
        if parsed_override(text).is_sweep_override():
            raise ConfigError(f"sweep.overrides: {text} varies; that belongs in sweep.space")
    for override in ours:
        text = override.input_line or ""
        if override.key_or_group == "arm" and sweep.arms and not override.is_sweep_override():
            space["arm"] = parsed("arm", f"choice({text.partition('=')[2]})")
        elif override.is_sweep_override():
            space[override.key_or_group] = parsed(override.get_key_element(), text.partition("=")[2])
        else:
            space.pop(override.key_or_group, None)
            overrides.append(text)
    if sweep.arms:
        given = {override.key_or_group for override in ours}
        left = {name: [text for text in texts if _key(text) not in given] for name, texts in sweep.arms.items()}
        space = {"arm": arms(left, space.pop("arm", None)), **space}
    definition = Definition(
        sweep.name or Path(name).stem, sweep, launcher, tuple(space.values()), tuple(overrides), tuple(config_folders)
    )
    _consistent(definition)
    return definition


def _key(text: str) -> str:
    return parsed_override(text).key_or_group


def _group(name: str, config_folders: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The option of the group `sweep`, and the folders to look in: its own if it was given as a file."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        return name, config_folders
    if not path.is_file():
        raise ConfigError(f"{name}: no such file")
    if path.resolve().parent.name != "sweep":
        raise ConfigError(f"{name}: a sweep file lies in a folder named 'sweep' (the config group)")
    if config_folders:
        raise ConfigError(f"{name}: either a file or --config-dir; with the latter give the file's name alone")
    return path.stem, [str(path.resolve().parent.parent)]


def _built(kind: Any, values: Any, key: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{key}: must be a group of keys ({_EXAMPLE})")
    return kind(**checked(values, kind, key))


def _consistent(definition: Definition) -> None:
    """Refuse combinations that make no sense."""
    sweep = definition.sweep
    if not definition.space:
        raise ConfigError("sweep.space: nothing is left to vary")
    if "seed" in {parameter.name for parameter in definition.space} and sweep.seeds > 1:
        raise ConfigError(f"sweep.seeds={sweep.seeds}: the space varies the seed itself; sweep.seeds=1")
    for key in ("run.name", "run.root", "trainer.threads"):
        if key in {parameter.name for parameter in definition.space}:
            raise ConfigError(f"sweep.space.{key}: the sweep itself sets it")
    instead = {"run.name": "sweep.name", "trainer.threads": "sweep.threads", "run.restart": "sweep.name=OTHER"}
    armed = [text for texts in sweep.arms.values() for text in texts]
    for text in [*definition.overrides, *armed]:
        if (key := _key(text)) in instead:
            raise ConfigError(f"{text}: not in a sweep; {instead[key]} says so for all of its runs")
    several = len(sweep.objective) > 1
    if several and sweep.pruner != "none":
        raise ConfigError(f"sweep.pruner={sweep.pruner}: several objectives can't be pruned by; sweep.pruner=none")
    if sweep.sampler == "nsga2" and not several:
        raise ConfigError("sweep.sampler=nsga2: made for several objectives; take tpe, gp or random for one")
    if sweep.pruner != "none" and sweep.rungs is None:
        raise ConfigError(f"sweep.pruner={sweep.pruner}: needs sweep.rungs.first, the images before it may judge")
    if sweep.sampler == "grid" and (sweep.trials or 0) > len(definition.grid):
        raise ConfigError(f"sweep.trials={sweep.trials}: the grid has {len(definition.grid)} points")
