"""Scores of a run, a checkpoint, images or an exported generator against real images."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from forger.data.imagesets import ImageSet
from forger.errors import ConfigError
from forger.metrics.features.statistics import Statistics
from forger.scoring.asked import Asked
from forger.scoring.own import named, others, own_scores
from forger.scoring.samples import Watched, scores_of_samples, unwatched
from forger.sources import Source, reference_of


def scored(
    source: Source,
    asked: Asked,
    *,
    trust: bool = False,
    places: Mapping[str, str] = {},
    watched: Watched = unwatched,
) -> tuple[dict[str, Any], list[str]]:
    """The scores of a source by name, each with value, standard error, direction and passport; and notes to read.

    Args:
        source: what is scored.
        asked: how.
        trust, places: of a run that the reference is, as `forger.lifecycle.restore.restored` takes them.
        watched: entered while an extractor is at work.

    Raises:
        ConfigError: something that was asked for makes no sense, or scores of these images would be wrong.
    """

    def reference() -> ImageSet | Statistics:
        if isinstance(asked.reference, ImageSet):
            return asked.reference
        return reference_of(source, asked.reference, trust=trust, places=places)

    n = source.n if asked.n is None else asked.n
    seed = source.seed if asked.seed is None else asked.seed
    chosen, compared, evaluations = asked.chosen, asked.compared, others(source, asked)
    mine = named(chosen, source, evaluations)
    of_samples = [name for name in chosen if name not in mine]
    if mine and compared and ("reference" in compared or not of_samples):
        raise ConfigError(f"--{compared[0]}: {mine[0]} is of the run's own data and classifiers; leave it out")
    usual = source.defaults is not None or source.read is None or bool(source.sampling)
    if source.read is not None and not (usual or chosen or compared or evaluations):
        raise ConfigError(
            f"{source.read.folder}: its config names no scores (metrics=none); add --extractor and --scores"
        )
    scores, notes = {}, []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        if of_samples or compared or (not chosen and usual):
            scores, notes = scores_of_samples(source, asked, of_samples, n, seed, reference, watched)
        if mine or (evaluations and not chosen):
            scores |= own_scores(source, evaluations, mine, n, seed)
    return {name: _finite(entry) for name, entry in scores.items()}, notes


def _finite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry whose value and error JSON can hold."""
    values = {key: entry[key] for key in ("value", "error")}
    return {**entry, **{key: x if x is not None and math.isfinite(x) else None for key, x in values.items()}}
