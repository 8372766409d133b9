"""Where a run's config is composed from, and what the run is called."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString

from forger.config.layers import in_front
from forger.config.shipped import conf_folder


@contextmanager
def main_config(
    overrides: Sequence[str], own: Sequence[Path] = (), origin: str | None = None, *, trust: bool = False
) -> Iterator[tuple[Path, list[str]]]:
    """The folder with the ``train.yaml`` to compose, and the overrides as Hydra needs them for it.

    While the block composes, the user's own folders are in front of the shipped one; for a fork the folder has the
    config of its origin, and the others give their groups alone. A file of weights has no config: only they are taken.

    Args:
        overrides: as they were typed.
        own: folders of the user's.
        origin: the run that a fork begins with, a checkpoint in it, or a file of weights.
        trust: take whatever the origin's config names.

    Raises:
        ConfigError: no such run, or its config can't be taken.
    """
    if origin is None or origin.endswith(".safetensors"):
        weights = [] if origin is None else [f"run.parent={QuotedString(origin, Quote.double).with_quotes()}"]
        with in_front(own):
            yield conf_folder(), [*weights, *overrides]
        return
    from forger.lifecycle.forking import fork  # imports torch, which composing needs not

    with fork(origin, overrides, [*own, conf_folder()], trust=trust) as found:
        yield found


def run_name(choices: Mapping[str, str | None], typed: Sequence[str]) -> str | None:
    """What was chosen: the experiment, or the data and the model where one of them was typed or no experiment was."""
    groups = {text.partition("=")[0].lstrip("+") for text in typed}
    experiment = choices.get("experiment")
    if experiment and not groups & {"data", "model"}:
        return experiment.replace("/", "_")
    chosen = [option for group in ("data", "model") if (option := choices.get(group))]  # a config may have neither
    return "_".join(chosen).replace("/", "_") or None
