"""Sources of images that can be scored, and references to score them against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from forger.config.shipped import conf_folder, config_groups
from forger.data.dataset import Data
from forger.data.imagesets import ImageSet, image_set, split_of
from forger.data.pixels.ranges import ValueRange
from forger.errors import ConfigError
from forger.export.about import QUALITY
from forger.export.generator import ExportedGenerator
from forger.games.abilities import Samples
from forger.lifecycle.finding import config_of, run_at
from forger.lifecycle.listing import list_runs
from forger.lifecycle.restore import Restored, data_of, restored
from forger.metrics.evaluations.base import labels_to_ask, nfe_of, weights_of
from forger.metrics.evaluations.sample_quality import draw_fakes
from forger.metrics.features.statistics import Statistics, holds_statistics, read_statistics
from forger.metrics.passport import Weights


@dataclass(frozen=True)
class Source:
    """What is to be scored.

    Args:
        name: as the user wrote it; for a run, the checkpoint's path.
        draw: ``n`` images and their labels for a seed.
        n: how many unless the user says; None for as many as there are real ones.
        seed: of the latents or the subset, unless the user says.
        weights: which of the generator's weights, for the passport.
        nfe: evaluations of the network behind a sample, likewise; None for a single one.
        read: the run, where it is one.
        defaults: extractor, weights, preprocessing, scores and splits of the run's own evaluation of samples.
        values: of its pixels, where they are known before any is drawn.
        reference: the real images, unless the user names some.
        sampling: how its samples are drawn, where that is not the usual way; part of the passport.
    """

    name: str
    draw: Callable[[int, int, ImageSet | Statistics], ImageSet]
    n: int | None = None
    seed: int = 0
    weights: Weights = "none"
    nfe: int | None = None
    read: Restored | None = None
    defaults: Mapping[str, Any] | None = None
    values: ValueRange | None = None
    reference: Callable[[], ImageSet] | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)


def source_at(path: Path, *, trust: bool = False, places: Mapping[str, str] = {}, mixture: int | None = None) -> Source:
    """What lies at a path; arguments as of `restored`.

    Raises:
        ConfigError: it can't be read, or needs `trust` or `places`, as in `restored`.
        ValueError: its images must not be scored.
    """
    if path.is_file() and path.suffix == ".ckpt":
        if path.resolve().parent.name != "checkpoints":
            raise ConfigError(f"{path}: a checkpoint is scored in its run folder, as RUN/checkpoints/{path.name}")
        run, name = path.resolve().parent.parent, path.stem
        return _of_run(restored(run, name, trust=trust, places=places, mixture=mixture), mixture)
    if mixture is not None and not (path.is_dir() and _is_run(path)):
        raise ConfigError(f"--mixture {mixture}: {path} is no run")
    if path.is_file() and path.suffix == ".pt2":
        return _of_generator(ExportedGenerator(path))
    if path.is_dir() and _is_run(path):
        return _of_run(restored(path, trust=trust, places=places, mixture=mixture), mixture)
    return replace(source_of(image_set(path)), name=str(path))


def source_of(images: ImageSet) -> Source:
    """Images as a source, of which a subset may be scored."""
    return Source(images.name, lambda n, seed, real: _subset(images, n, seed), n=len(images), values=images.values)


def _is_run(folder: Path) -> bool:
    return (folder / "config.yaml").exists() or any(entry.record is not None for entry in list_runs(folder))


def _subset(images: ImageSet, n: int, seed: int) -> ImageSet:
    if n > len(images):
        raise ConfigError(f"--n {n}: there are {len(images)} images in {images.name}")
    return images.subset(n, seed)


def _of_generator(exported: ExportedGenerator) -> Source:
    stated = exported.stated

    def draw(n: int, seed: int, real: ImageSet | Statistics) -> ImageSet:
        images, labels = exported.draw(n, seed, real.labels)
        return ImageSet(exported.path.name, images, labels, values=stated.values)

    def reference() -> ImageSet:
        assert stated.data is not None
        name, fingerprint = stated.data
        data = _shipped(name)
        if data is None or data.fingerprint != fingerprint:
            what = "no data set of conf/data" if data is None else "others than here"
            raise ConfigError(f"{exported.path}: was trained on {name}, {what}: name the real images, --reference")
        return split_of(data, "test")

    return Source(
        str(exported.path),
        draw,
        n=stated.n,
        seed=stated.seed,
        weights=stated.weights,
        defaults=stated.scoring or None,
        values=stated.values if stated.data is not None else None,
        reference=reference if stated.data is not None else None,
    )


def _of_run(read: Restored, mixture: int | None) -> Source:
    game, metrics = read.game, read.config.metrics

    def draw(n: int, seed: int, real: ImageSet | Statistics) -> ImageSet:
        if not isinstance(game, Samples):
            raise ConfigError(f"{read.folder}: this game draws no samples; leave out the options")
        labels = labels_to_ask(game, real.labels, n, seed)
        try:
            images = torch.cat([fakes.cpu() for fakes, _ in draw_fakes(game, n, labels, seed, game.values)])
        except ValueError as error:
            raise ConfigError(f"{read.checkpoint}: {error}") from None
        if images.ndim != 4:
            raise ConfigError(f"{read.folder}: its samples are points, and an extractor takes images")
        return ImageSet(str(read.folder), images, labels, values=game.values)

    quality = [node for node in metrics.evaluations.values() if node["_target_"] == QUALITY]
    return Source(
        str(read.checkpoint),
        draw,
        n=metrics.n,
        seed=metrics.seed,
        weights=weights_of(game),
        nfe=nfe_of(game),
        read=read,
        defaults=quality[0] if quality else None,
        values=game.values,
        reference=lambda: split_of(read.data, "test"),
        sampling={} if mixture is None else {"mixture": mixture},
    )


def reference_of(
    source: Source, name: str | None, *, trust: bool = False, places: Mapping[str, str] = {}
) -> ImageSet | Statistics:
    """The real images: a data set's name goes first, then paths; None is the test split of a run's own data.

    A run's path stands for the test split of its data, which `places` may name unless they are those of the source.
    """
    if name is None and source.reference is not None:
        return source.reference()
    if name is None:
        raise ConfigError("evaluate: against what? --reference takes a folder or file of images or a data set's name")
    try:
        found = named_set(name)
        if found is None and Path(name).is_dir() and _is_run(Path(name)):
            run, given = run_at(name), {} if source.read else places
            config = config_of(run, trust=trust, places=given)
            return split_of(data_of(run, config.data, None if trust else given), "test")
        if found is None and holds_statistics(Path(name)):
            return read_statistics(Path(name))
        return found or image_set(Path(name))
    except ConfigError as error:
        missing = str(error).endswith("no such file or folder")
        raise ConfigError(f"--reference {error}, and no data set of conf/data") if missing else error from None


def named_set(name: str) -> ImageSet | None:
    """A split of a shipped data set, `digits` (its test split) or `digits/train`; None for any other name.

    Raises:
        ConfigError: the data set has no such split, or no images.
    """
    group, _, split = name.partition("/")
    data = None if split.count("/") else _shipped(group)
    return None if data is None else split_of(data, split or "test")


def _shipped(name: str) -> Data | None:
    """The data set of a shipped config, as that has it; None for any other name."""
    if name not in config_groups()["data"]:
        return None
    config = OmegaConf.create({"data": OmegaConf.load(conf_folder() / "data" / f"{name}.yaml")})
    return instantiate(config.data.source)
