"""The dataclasses behind `conf/`: every key, its type and its range."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from omegaconf import DictConfig, OmegaConf
from pydantic import StringConstraints

from forger.config import resolvers as resolvers
from forger.config.targets import Node, checked
from forger.config.trust import EXTRACTORS
from forger.config.typecheck import join, short
from forger.errors import ConfigError
from forger.redaction import remember_variables

Count = Annotated[int, Ge(1)]
#: Height and width alike, or both.
Size = Count | Annotated[list[Count], MinLen(2), MaxLen(2)]
#: A number of classes, or the conditions that `forger.data.conditions.conditions_of` takes.
Classes = Annotated[int, Ge(0)] | list[dict[str, Any]]
#: A column, several, or several with what they are.
Label = str | list[str] | dict[str, Literal["attribute", "value"]] | None
#: Folders below `run.root`; no way out of it, and nothing that a shell or a web page would trip over.
Name = Annotated[str, StringConstraints(pattern=r"^\w[\w.=,+-]*(/\w[\w.=,+-]*)*$", max_length=200)]


@dataclass
class RunConfig:
    root: Annotated[str, MinLen(1)]
    name: Name
    restart: bool = False
    strict: bool = False
    parent: str | None = None
    partial: bool = False


@dataclass
class BudgetConfig:
    images: Count | None = None
    minutes: Annotated[float, Gt(0)] | None = None


@dataclass
class DataConfig:
    name: Annotated[str, MinLen(1)]
    source: Node
    batch_size: Count
    size: Size | None = None
    fit: Literal["crop", "pad", "stretch", "none"] | None = None
    channels: Count | None = None
    classes: Classes = 0
    dimension: Count | None = None
    flip: bool = False
    root: str | None = None
    label: Label = None
    depth: Literal["uint8", "uint16", "float32"] = "uint8"
    range: Annotated[list[float], MinLen(2), MaxLen(2)] | None = None
    splits: dict[str, float | str] | None = None
    group: Annotated[str, MinLen(1)] | None = None
    skip_damaged: bool = False
    extractor: Annotated[str, MinLen(1)] = "auto"
    budget: Count | None = None


@dataclass
class TrainerConfig:
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: Count | Literal[-1, "auto"] | Annotated[list[Annotated[int, Ge(0)]], MinLen(1)] = 1
    num_nodes: Count = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: Annotated[int, Ge(1), Le(1024)] | None = None
    deterministic: bool | Literal["warn"] = True
    compile: Literal["default", "reduce-overhead", "max-autotune"] | None = None
    profile: bool = False
    accumulate: Count = 1
    recompute: list[str] = field(default_factory=list)


@dataclass
class MetricsConfig:
    every_images: Count | None = None
    n: Annotated[int, Ge(10)] = 1000
    best: str | None = None
    evaluations: dict[str, Node] = field(default_factory=dict)
    seed: Annotated[int, Ge(0)] = 0
    auto: bool = False


@dataclass
class LogConfig:
    every: Count = 20


@dataclass
class SamplesConfig:
    every_images: Count | None = None
    n: Count = 100
    animate: bool = False
    closing: list[str] = field(default_factory=list)


@dataclass
class CheckpointConfig:
    every_images: Count | None = None


@dataclass
class WatchConfig:
    action: Literal["warn", "stop", "rollback", "none"] = "warn"
    every_images: Count | None = None
    n: Annotated[int, Ge(16)] = 256
    patience: Count = 3
    rollbacks: Annotated[int, Ge(0)] = 2


@dataclass
class Config:
    run: RunConfig
    budget: BudgetConfig
    data: DataConfig
    model: Node
    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    log: LogConfig = field(default_factory=LogConfig)
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    watch: WatchConfig = field(default_factory=WatchConfig)
    callbacks: dict[str, Node] = field(default_factory=dict)
    logger: dict[str, Node] = field(default_factory=dict)


def validate(config: DictConfig | Mapping[str, Any], *, untrusted: bool = False) -> Config:
    """The resolved config, every key and every `_target_` node checked; nodes stay plain containers.

    Keys that are absent get their defaults; whole floats where integers are asked become integers.

    Args:
        config: as Hydra composed it, or plain containers.
        untrusted: of a stranger's config: `_target_`s are limited to `forger.config.trust.trusted_target`.

    Raises:
        ConfigError: the first fault, in one line.
        omegaconf.errors.OmegaConfBaseException: a value is missing or an interpolation leads nowhere.
    """
    followers: list[str] = []
    if isinstance(config, DictConfig):
        _check_classes(config)
        written = OmegaConf.to_container(config)
        remember_variables(written)
        followers = _followers(written, "")
        config = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    assert isinstance(config, Mapping)
    run, data = config.get("run"), config.get("data")
    if isinstance(run, dict) and isinstance(data, Mapping) and run.get("name") is None:
        run["name"] = data.get("name")
    if "experiment" in config:
        values = short(config["experiment"])
        raise ConfigError(
            f"experiment={values}: these values belong to the whole config; the first line of the "
            "experiment's file must be '# @package _global_'"
        )
    budget = config.get("budget")
    if isinstance(budget, Mapping) and budget.get("images") is None and budget.get("minutes") is None:
        raise ConfigError("budget: neither budget.images nor budget.minutes is set, so training would never end")
    try:
        filled = _filled(checked(config, Config, "", untrusted=untrusted), Config)
    except ConfigError as error:
        if (follower := next((key for key in followers if str(error).startswith(f"{key}=null")), None)) is None:
            raise
        raise ConfigError(
            f"budget.images=null: {follower} follows it; set budget.images as well (the run ends with whichever is "
            f"over first), or give {follower} a number of images of its own"
        ) from None
    if untrusted and (name := filled.data.extractor) not in ("auto", *EXTRACTORS):
        raise ConfigError(f"data.extractor={short(name)}: not allowed in a config that is not your own")
    return filled


def _followers(node: Any, key: str) -> list[str]:
    """The keys of an unresolved config whose value is that of ``budget.images``."""
    if isinstance(node, Mapping):
        return [found for name, value in node.items() for found in _followers(value, join(key, name))]
    return [key] if node == "${budget.images}" else []


def _check_classes(config: DictConfig) -> None:
    """Refuse a conditional model, which takes the data's classes, where the data are said to have none."""
    if OmegaConf.select(config, "data.classes", default=0) != 0 or not OmegaConf.is_dict(config.get("model")):
        return
    model = OmegaConf.to_container(config.model, resolve=False)
    assert isinstance(model, dict)
    if model.get("classes") == "${data.classes}":
        raise ConfigError(
            "data.classes=0: the model is conditional and would have no classes to be told; set data.classes to "
            "their number, or do without them: model=gan, or model.classes=0 with flow and diffusion"
        )


def _filled(given: Mapping[str, Any], kind: Any) -> Any:
    """A group as its dataclass; keys that are absent get their defaults."""
    values = {
        key.name: _filled(given.get(key.name, {}), key.type) if is_dataclass(key.type) else given[key.name]
        for key in fields(kind)
        if key.name in given or is_dataclass(key.type)
    }
    return kind(**values)
