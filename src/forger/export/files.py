"""A run's game as files, by their names."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from forger.export.about import about_network, about_part, about_run, as_text
from forger.export.detaching import Detached, detached
from forger.export.programs import as_onnx, as_pt2, as_safetensors, traced
from forger.export.writing import Format
from forger.lifecycle.restore import Restored


@dataclass(frozen=True)
class File:
    """A file to be written, and what it says of itself (JSON)."""

    content: bytes
    about: str


def exported(read: Restored, form: Format, *, raw_weights: bool = False) -> dict[str, File]:
    """The files of what a run's game makes, by name: one for each part, of safetensors one for each network.

    Args:
        read: the run.
        form: of the files.
        raw_weights: take the live weights, not their moving average.

    Raises:
        ConfigError: the game makes nothing, or this format can't hold what it makes.
        ForgerError: what the file answers differs from what the game does.
    """
    with read.game.live_weights() if raw_weights else nullcontext():
        parts = detached(read.game, read.data.shape)
    common = about_run(read, raw_weights=raw_weights)
    if form != "safetensors":
        return {f"{part.name}.{form}": _program(part, read, form, common) for part in parts}
    files = {}
    for name, sharing in groupby(parts, key=lambda part: part.part.network):
        sharing = list(sharing)
        about = {"parts": [about_part(part, read.game) for part in sharing]}
        text = as_text(common, about_network(sharing[0], read), about)
        files[f"{name}.{form}"] = File(as_safetensors(sharing[0].network, text), text)
    return files


def _program(part: Detached, read: Restored, form: Format, common: Mapping[str, Any]) -> File:
    program = traced(part)
    text = as_text(common, about_network(part, read), about_part(part, read.game))
    return File((as_pt2 if form == "pt2" else as_onnx)(program, part, text), text)
