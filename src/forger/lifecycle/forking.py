"""`forger train --from RUN`: a run's config, with overrides, as the beginning of another run."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from forger.config.layers import path_of
from forger.errors import ConfigError
from forger.lifecycle.finding import FORK, config_of, run_at, stored_config_of
from forger.lifecycle.inheriting import split_checkpoint
from forger.lifecycle.ownership import check_data, tied
from forger.sizes import sides

_HYDRA = {
    "run": {"dir": "."},
    "sweep": {"dir": "${run.root}/multirun", "subdir": "."},
    "output_subdir": None,
    "job": {"chdir": False},
}
_DEFAULTS = ["_self_", {"override hydra/job_logging": "none"}, {"override hydra/hydra_logging": "none"}]


@contextmanager
def fork(
    origin: str, overrides: Sequence[str], groups: Sequence[Path], *, trust: bool
) -> Iterator[tuple[Path, list[str]]]:
    """A folder with the config of a fork as ``train.yaml``, and the overrides as Hydra needs them for it.

    The run's values stay as they were resolved, but for the budgets of schedules, which follow ``budget.images``, the
    data's places, which follow ``data.root``, and with ``data=…`` the model's size, channels and classes, which follow
    the data. A group that is named anew (``data=…``, ``model/loss=…``) is taken whole. Without trust its root, loggers
    and callbacks are the reader's own.

    Args:
        origin: the run, or a checkpoint in it, as it was typed.
        overrides: as they were typed.
        groups: folders of config groups.
        trust: take whatever the run's config names.

    Raises:
        ConfigError: no such run, or its config can't be taken.
    """
    folder, _ = split_checkpoint(origin)
    run = run_at(folder)
    config = config_of(run, trust=trust)
    typed = {override.partition("=")[0].lstrip("+") for override in overrides}
    if "data.root" in typed:
        config.data.source = tied(config.data, "${data.root}")
    defaults = list(_DEFAULTS)
    if not trust:
        if "data" not in typed:
            check_data(config.data, run, {key: f"${{{key}}}" for key in typed})
        if stored_config_of(run).get("logger") and "logger" not in typed:
            defaults.insert(0, {"logger": _own_logger(groups)})
    own = replace(config.run, parent=origin, restart=False, partial=False)
    model = _following(config.model, {"budget": (config.budget.images, "${budget.images}")})
    if "data" in typed:
        data = config.data
        followed = {name: (getattr(data, name), f"${{data.{name}}}") for name in ("size", "channels", "classes")}
        if data.channels is not None and data.size is not None:
            followed["shape"] = [data.channels, *sides(data.size)], "${shape:${data.channels},${data.size}}"
        model = _following(model, followed)
    containers = asdict(replace(config, run=own, model=model))
    adapted = []
    for override in overrides:
        name, sign, option = override.partition("=")
        group = name.removeprefix("+")
        if not sign or not any((place / group).is_dir() for place in groups if group):
            adapted.append(override)
            continue
        if group == "experiment":
            raise ConfigError(f"{override}: --from takes the config of {folder}; change single keys or groups of it")
        _remove(containers, group.split("/"))
        adapted.append(f"+{group}={option}")
    document = {"defaults": defaults, **containers, "hydra": {**_HYDRA, "searchpath": [path_of(groups)]}}
    with tempfile.TemporaryDirectory(prefix=FORK) as place:
        (Path(place) / "train.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        (Path(place) / "origin").write_text(origin, encoding="utf-8")
        yield Path(place), adapted


def _own_logger(groups: Sequence[Path]) -> str | list[str]:
    """The loggers that a run of the reader's own has by default: those of the first ``train.yaml`` that names some."""
    for file in (folder / "train.yaml" for folder in groups):
        listed = yaml.safe_load(file.read_text(encoding="utf-8"))["defaults"] if file.is_file() else []
        for entry in listed:
            if isinstance(entry, dict) and "logger" in entry:
                return entry["logger"]
    return "none"


def _following(node: Any, followed: Mapping[str, tuple[Any, str]]) -> Any:
    """The node, with keys that equalled the run's own value of something following it again.

    Args:
        node: of the run's resolved config.
        followed: by key, the run's own value and where it stands: ``{"budget": (50000, "${budget.images}")}``.
    """
    if isinstance(node, dict):
        return {
            key: followed[key][1] if key in followed and value is not None and value == followed[key][0]
            else _following(value, followed)
            for key, value in node.items()
        }  # fmt: skip
    return [_following(item, followed) for item in node] if isinstance(node, list) else node


def _remove(containers: dict[str, Any], path: Sequence[str]) -> None:
    node: Any = containers
    for key in path[:-1]:
        node = node.get(key) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.pop(path[-1], None)
