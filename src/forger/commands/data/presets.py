"""Command lines that train on a place, each with a preset that fits its pictures."""

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from forger.building import build_game, check_declared
from forger.config.schema import validate
from forger.data.survey import Survey
from forger.errors import ForgerError
from forger.sizes import sides

#: Presets that need classes or conditions, and all in the order in which they are tried.
_CONDITIONAL = ("cdcgan", "cgan", "r3gan +model/conditional=projection")
_PRESETS = (_CONDITIONAL[0], "dcgan_r1", "r3gan", "vae", _CONDITIONAL[1], "gan_r1", _CONDITIONAL[2])
#: How many that fit are enough.
_ENOUGH = 4
#: Overrides that a source of two domains has as well.
_OF_DOMAINS = r"data\.(size|channels|fit|flip|batch_size)="
#: What the translation networks of the presets take: sides that are multiples of the one, and at least the other.
_MULTIPLE, _LEAST = 4, 24
#: What Hydra takes as text without quotes.
_PLAIN = re.compile(r"[A-Za-z_./][\w./@-]*", re.ASCII)
_WORDS = ("null", "true", "false", "nan", "inf")


def fitting(
    compose: Callable[..., DictConfig],
    typed: Sequence[str],
    pictures: int,
    classes: Any,
    options: Sequence[str],
    presets: Sequence[str] = _PRESETS,
) -> list[str]:
    """Lines of `forger train`, each with another preset whose networks can be built for the data.

    Args:
        compose: Hydra's.
        typed: the overrides that say which data.
        pictures: to train on.
        classes: their number, 0 for none; or the conditions that are in their place.
        options: of the command.
        presets: in the order in which they are tried.
    """
    lines, conditional = [], classes not in (0, 1)
    for preset in presets:
        if len(lines) == _ENOUGH or (preset in _CONDITIONAL and not conditional):
            continue
        overrides = [*f"model={preset}".split(), *typed]
        composed = compose("train", overrides)
        if composed.data.batch_size > pictures:
            composed.data.batch_size = 1 << pictures.bit_length() - 1
            overrides.append(f"data.batch_size={composed.data.batch_size}")
        if _fits(composed):
            lines.append(f"forger train {shlex.join([*options, *overrides])}")
    return lines


def translating(
    compose: Callable[..., DictConfig], found: Survey, overrides: Sequence[str], options: Sequence[str]
) -> list[str]:
    """Lines of `forger train` that translate between the two domains of a place; none where it has one.

    Args:
        compose: Hydra's.
        found: what is there.
        overrides: typed ones, of which those count that a source of two domains has.
        options: of the command.
    """
    if found.translation is None or found.training["depth"] != "uint8":
        return []
    typed = [f"data={found.translation}", f"data.root={quoted(found.path)}"]
    if found.translation == "unpaired_folders":
        for domain in found.domains:
            (train, *tests), name = domain["folders"], domain["name"]
            places = [("root", train)] * (train != f"train{name}")  # which is where data.root has it
            for key, folder in [*places, *(("test", test) for test in tests)]:
                typed.append(f"data.source.{key}_{name.lower()}={quoted(str(Path(found.path, folder)))}")
    own = [text for text in overrides if re.match(_OF_DOMAINS, text)]
    size, channels = found.training["size"], found.training["channels"]
    if all(side % _MULTIPLE == 0 and side >= _LEAST for side in sides(size)):
        own.insert(0, f"data.size={values_of(size)}")
    own.insert(0, f"data.channels={channels}")
    typed += {text.partition("=")[0]: text for text in own}.values()
    presets = ("pix2pix", "cyclegan") if found.translation == "paired_folder" else ("cyclegan",)
    return fitting(compose, typed, found.splits["train"], 0, options, presets)


def _fits(composed: DictConfig) -> bool:
    try:
        config = validate(composed)
        check_declared(config)
        build_game(config)
    except (ForgerError, ValueError, HydraException, OmegaConfBaseException):
        return False
    return True


def quoted(text: str) -> str:
    """A text as Hydra reads it back, in quotes where it needs them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return QuotedString(text=text.replace("${", "\\${"), quote=Quote.double).with_quotes()


def values_of(value: Any) -> str:
    """A number or a list of numbers as Hydra reads it."""
    return str(value).replace(" ", "")
