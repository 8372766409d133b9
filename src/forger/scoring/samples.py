"""Scores of samples in the features of an extractor."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from forger.data.imagesets import ImageSet, agreed
from forger.errors import ConfigError
from forger.metrics.evaluations.base import entries
from forger.metrics.features import extractors
from forger.metrics.features.base import Extractor
from forger.metrics.features.statistics import Statistics
from forger.metrics.scores.collection import Scores, plain_names
from forger.metrics.scores.names import KINDS, higher_is_better, memorises
from forger.scoring.asked import LEAST, Asked
from forger.sources import Source

#: Gives the real images.
Reference = Callable[[], ImageSet | Statistics]
#: Entered while an extractor sees so many images.
Watched = Callable[[Extractor, int], AbstractContextManager[None]]

#: Scores that are computed by default; those that need logits are left out where there are none.
_SCORES = ("fd", "is", "kd", "precision", "recall")


def unwatched(extractor: Extractor, images: int) -> AbstractContextManager[None]:
    """Watched by nobody."""
    return nullcontext()


def scores_of_samples(
    source: Source,
    asked: Asked,
    chosen: Sequence[str],
    n: int | None,
    seed: int,
    reference: Reference,
    watched: Watched,
) -> tuple[dict[str, Any], list[str]]:
    """Name → value, error, direction and passport of the scores chosen, or of the usual ones; notes for the reader."""
    extractor = _early_extractor(source, asked)
    real = reference()
    if n is None and isinstance(real, Statistics):
        raise ConfigError(f"--n: how many images? {real.name} does not say of how many it has the statistics")
    fake = source.draw(len(real) if n is None else n, seed, real)
    if isinstance(real, ImageSet):
        real, fake = real.like(fake.images.shape[1]), fake.like(real.images.shape[1])
        fake, real = agreed(fake, real)
        _same_kind(source, real, fake)
    extractor = (extractor or extractors.build(_suited(real))).of(fake.values)
    names = plain_names(chosen or _usual(source, extractor, fake.images[:1]), extractor, fake.images[:1])
    if isinstance(real, ImageSet):
        extractor.check(real.images)
    elif not chosen:
        names = [name for name in names if KINDS[name].of_real != "features"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    memorised = real.train if memorises(names, extractor.name) else None
    with watched(extractor, len(fake) + len(real) + (len(memorised) if memorised else 0)):
        splits = (source.defaults or {}).get("splits", 1)
        scores = Scores.against(real, extractor.to(device), names, splits=splits).to(device)
        found = scores.estimate([fake.images], fake.labels, seed=seed)
    notes = []
    few, width = min(len(fake), len(real) or len(fake)), scores.reference.features.shape[1]
    if few <= width:
        notes.append(f"{few} images for {width} features: distances are far above their limit; compare at equal n only")
    passport = scores.passport(len(fake), weights=source.weights, seed=seed, nfe=source.nfe).to_dict()
    passport |= source.sampling
    return entries(found, higher_is_better, passport), notes


def _early_extractor(source: Source, asked: Asked) -> Extractor | None:
    """The extractor that the user or the run names, built before anything slow begins."""
    named, given = asked.extractor, {"weights": asked.weights, "preprocess": asked.preprocess}
    if named is not None and source.values is not None:
        extractors.refuse_depth(named, source.values)
    if named is None and source.defaults is not None and all(value is None for value in given.values()):
        own = source.defaults.get("preprocessing") or {}
        return extractors.build(source.defaults["extractor"], source.defaults.get("weights"), **own)
    if named is None:
        for option, value in given.items():
            if value is not None:
                raise ConfigError(f"--{option}: of which extractor? Add --extractor inception, or a module of yours")
        return None
    return extractors.build(named, asked.weights, **asked.preprocess or {})


def _suited(real: ImageSet | Statistics) -> str:
    """The extractor that nobody named: as `data.extractor=auto` chooses; published statistics are of Inception's."""
    if isinstance(real, Statistics):
        return "inception"
    return extractors.suited(real.name.partition("/")[0], real.images[:1], "--extractor", real.values)


def _usual(source: Source, extractor: Extractor, image: Tensor) -> list[str]:
    if source.defaults is not None and source.defaults["extractor"] == extractor.name:
        return list(source.defaults.get("scores", ("fd", "is")))
    return [name for name in _SCORES if name != "is" or extractor(image).logits is not None]


def _same_kind(source: Source, real: ImageSet, fake: ImageSet) -> None:
    for images, place in ((fake, source.name), (real, real.name)):
        if len(images) < LEAST:
            raise ConfigError(f"{place}: {len(images)} images are too few to score; {LEAST} is the least")
    (channels, height, width), (real_channels, real_height, real_width) = fake.images.shape[1:], real.images.shape[1:]
    if (height, width) != (real_height, real_width):
        raise ConfigError(
            f"{source.name} has images of {width}x{height}, the reference {real.name} of {real_width}x{real_height}: "
            "scores of images that were resized differently mean nothing; make them one size"
        )
    if fake.values != real.values:
        raise ConfigError(
            f"{source.name} has pixels of {fake.values}, the reference {real.name} of {real.values}: make them the same"
        )
    if channels != real_channels:
        raise ConfigError(
            f"{source.name} has {channels} channels, the reference {real.name} {real_channels}: make them the same"
        )
