"""Scores of a run, a checkpoint, images or an exported generator against real images."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from torch import Tensor

from forger.commands.evaluate.own_scores import named, others, own_scores, typed
from forger.console import console, show_lines
from forger.data.imagesets import ImageSet, agreed
from forger.errors import ConfigError, closest
from forger.metrics.evaluations.base import entries
from forger.metrics.features import extractors
from forger.metrics.features.base import Extractor
from forger.metrics.features.statistics import Statistics
from forger.metrics.passport import Passport
from forger.metrics.scores.collection import Scores, plain_names
from forger.metrics.scores.names import KINDS, higher_is_better, memorises
from forger.sources import Source, reference_of, source_at
from forger.standard_streams import printable

#: Least number of images on either side; scores of fewer are meaningless.
_LEAST = 10
#: Scores that are computed by default; those that need logits are left out where there are none.
_SCORES = ("fd", "is", "kd", "precision", "recall")


def evaluate(path: str, options: Mapping[str, Any], places: Mapping[str, str]) -> int:
    """Print the scores of ``path``, with their errors and passport.

    Args:
        path: a run folder, a checkpoint in one, a folder or file of images, an exported generator (`.pt2`).
        options: those of the command that were given.
        places: the reader's, by key: ``data.root``.

    Raises:
        ConfigError: an option makes no sense, or scores of these images would be wrong.
    """
    show_lines()
    trust = "trust" in options
    source = source_at(Path(path), trust=trust, places=places)
    reference = partial(reference_of, source, options.get("reference"), trust=trust, places=places)
    n, seed = options.get("n", source.n), options.get("seed", source.seed)
    chosen, evaluations = typed(options), others(source, options)
    mine = named(chosen, source, evaluations)
    of_samples = [name for name in chosen if name not in mine]
    compared = {"reference", "extractor"} & {*options}
    if mine and compared and ("reference" in compared or not of_samples):
        raise ConfigError(f"--{max(compared)}: {mine[0]} is of the run's own data and classifiers; leave it out")
    if source.read is not None and source.defaults is None and not chosen and not compared and not evaluations:
        raise ConfigError(
            f"{source.read.folder}: its config names no scores (metrics=none); add --extractor and --scores"
        )
    scores, notes = {}, []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        if of_samples or compared or (not chosen and (source.defaults is not None or source.read is None)):
            scores, notes = _scores(source, options, of_samples, n, seed, reference)
        if mine or (evaluations and not chosen):
            scores |= own_scores(source, evaluations, mine, n, seed)
    scores = {name: _finite(entry) for name, entry in scores.items()}
    if "json" in options:
        print(json.dumps({"source": source.name, "scores": scores, "notes": notes}, indent=2, allow_nan=False))
    else:
        _print_table(source, scores, notes)
    return 0


# Scores -----------------------------------------------------------------------------------------------------


def _scores(
    source: Source,
    options: Mapping[str, Any],
    chosen: Sequence[str],
    n: int | None,
    seed: int,
    reference: Callable[[], ImageSet | Statistics],
) -> tuple[dict[str, Any], list[str]]:
    """Name → value, error, direction and passport of the scores chosen, or of the usual ones; notes for the reader."""
    extractor = _early_extractor(source, options)
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
    with _bar(extractor, len(fake) + len(real) + (len(memorised) if memorised else 0)):
        splits = (source.defaults or {}).get("splits", 1)
        scores = Scores.against(real, extractor.to(device), names, splits=splits).to(device)
        found = scores.estimate([fake.images], fake.labels, seed=seed)
    notes = []
    few, width = min(len(fake), len(real) or len(fake)), scores.reference.features.shape[1]
    if few <= width:
        notes.append(f"{few} images for {width} features: distances are far above their limit; compare at equal n only")
    passport = scores.passport(len(fake), weights=source.weights, seed=seed).to_dict()
    return entries(found, higher_is_better, passport), notes


def _early_extractor(source: Source, options: Mapping[str, Any]) -> Extractor | None:
    """The extractor that the user or the run names, built before anything slow begins."""
    named = options.get("extractor")
    if named is not None and source.values is not None:
        extractors.refuse_depth(named, source.values)
    if named is None and source.defaults is not None and not {"weights", "preprocess"} & {*options}:
        own = source.defaults.get("preprocessing") or {}
        return extractors.build(source.defaults["extractor"], source.defaults.get("weights"), **own)
    if named is None:
        for option in ("weights", "preprocess"):
            if option in options:
                raise ConfigError(
                    f"--{option} {options[option]}: of which extractor? Add --extractor inception, or a module of yours"
                )
        return None
    preprocessing = _preprocessing(options["preprocess"]) if "preprocess" in options else {}
    return extractors.build(named, options.get("weights"), **preprocessing)


def _suited(real: ImageSet | Statistics) -> str:
    """The extractor that nobody named: as `data.extractor=auto` chooses; published statistics are of Inception's."""
    if isinstance(real, Statistics):
        return "inception"
    return extractors.suited(real.name.partition("/")[0], real.images[:1], "--extractor", real.values)


def _preprocessing(text: str) -> dict[str, Any]:
    """The arguments of `ModuleExtractor` in ``size=224,antialias=false,channels=3,range=-1:1``."""
    result: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in _PREPROCESSING:
            raise ConfigError(f"--preprocess {part}: no such step; {closest(name, _PREPROCESSING)}")
        try:
            result[name] = _PREPROCESSING[name](value)
        except (KeyError, ValueError):
            raise ConfigError(f"--preprocess {part}: write it as {_EXAMPLE}") from None
    return result


def _floats(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(":"))


_EXAMPLE = "size=224,antialias=true,channels=3,mean=0.485:0.456:0.406,std=0.229:0.224:0.225 (or range=-1:1)"
_PREPROCESSING: dict[str, Callable[[str], Any]] = {
    "size": int,
    "resize": str,
    "precision": str,
    "antialias": {"true": True, "false": False}.__getitem__,
    "channels": int,
    "range": _floats,
    "mean": _floats,
    "std": _floats,
}


def _usual(source: Source, extractor: Extractor, image: Tensor) -> list[str]:
    if source.defaults is not None and source.defaults["extractor"] == extractor.name:
        return list(source.defaults.get("scores", ("fd", "is")))
    return [name for name in _SCORES if name != "is" or extractor(image).logits is not None]


def _same_kind(source: Source, real: ImageSet, fake: ImageSet) -> None:
    for images, place in ((fake, source.name), (real, real.name)):
        if len(images) < _LEAST:
            raise ConfigError(f"{place}: {len(images)} images are too few to score; {_LEAST} is the least")
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


def _finite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry whose value and error JSON can hold."""
    values = {key: entry[key] for key in ("value", "error")}
    return {**entry, **{key: x if x is not None and math.isfinite(x) else None for key, x in values.items()}}


# On the screen ----------------------------------------------------------------------------------------------


@contextmanager
def _bar(extractor: Extractor, total: int) -> Iterator[None]:
    """A bar, on a terminal, that moves with every image that the extractor has seen."""
    columns = [TextColumn("{task.description}"), BarColumn(30), TaskProgressColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(f"{extractor.name} features", total=total)
        hook = extractor.register_forward_hook(lambda module, given, made: progress.advance(task, len(given[0])))
        try:
            yield
        finally:
            hook.remove()


def _print_table(source: Source, scores: Mapping[str, Any], notes: list[str]) -> None:
    table = Table(
        box=None, header_style="bold", pad_edge=False, title=Text(printable(source.name)), title_justify="left"
    )
    for column in ("score", "value", "± (1 s.e.)", "better"):
        table.add_column(column, justify="left" if column in ("score", "better") else "right")
    for name, score in scores.items():
        value, error = ("" if score[key] is None else f"{score[key]:.4g}" for key in ("value", "error"))
        table.add_row(Text(printable(name)), value or "nan", error, "higher" if score["higher_is_better"] else "lower")
    screen = Console(soft_wrap=True, highlight=False)
    screen.print(table)
    for passport in {json.dumps(score["passport"], sort_keys=True) for score in scores.values()}:
        screen.print(Text(printable(_summary(json.loads(passport)))))
    for note in notes:
        screen.print(Text(printable(f"note: {note}")))


def _summary(passport: Mapping[str, Any]) -> str:
    """A passport in one line; the whole of it is in the JSON."""
    if "preprocessing" not in passport:
        return f"on {passport['split']}, seed {passport['seed']}"
    read = Passport.from_dict(dict(passport))
    kind = "" if read.weights == "none" else f", {read.weights} weights"
    return (
        f"{read.n_fake} images (seed {read.seed}{kind}) against {read.n_real} of {read.split} "
        f"({read.fingerprint[:8]}); "
        f"extractor {read.extractor} ({read.weights_sha256[:8]}), {read.preprocessing}"
    )
