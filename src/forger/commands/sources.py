"""Sources of images that `forger evaluate` can score, and references to score them against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from forger.commands.imagesets import ExportedGenerator, ImageSet, image_set, named_set, split_of
from forger.data.ranges import to_uint8
from forger.errors import ConfigError
from forger.games.abilities import Samples
from forger.metrics.evaluations.base import proportional, weights_of
from forger.metrics.passport import Weights
from forger.randomness import generator
from forger.runs.finding import config_of, run_at
from forger.runs.listing import list_runs
from forger.runs.restore import Restored, data_of, restored

#: Samples that a game makes at a time.
_CHUNK = 4096
_QUALITY = "forger.metrics.evaluations.samples.SampleQuality"


@dataclass(frozen=True)
class Source:
    """What is to be scored.

    Args:
        name: as the user wrote it; for a run, the checkpoint's path.
        draw: ``n`` images and their labels for a seed.
        n: how many unless the user says; None for as many as there are real ones.
        seed: of the latents or the subset, unless the user says.
        weights: which of the generator's weights, for the passport.
        read: the run, where it is one.
        defaults: extractor, weights, preprocessing, scores and splits of the run's own evaluation of samples.
    """

    name: str
    draw: Callable[[int, int, ImageSet], ImageSet]
    n: int | None = None
    seed: int = 0
    weights: Weights = "none"
    read: Restored | None = None
    defaults: Mapping[str, Any] | None = None


def source_at(path: Path, *, trust: bool = False, places: Mapping[str, str] = {}) -> Source:
    """What lies at a path.

    Raises:
        ConfigError: it can't be read, or needs `trust` or `places`, as in `restored`.
        ValueError: its images must not be scored.
    """
    if path.is_file() and path.suffix == ".ckpt":
        if path.resolve().parent.name != "checkpoints":
            raise ConfigError(f"{path}: a checkpoint is scored in its run folder, as RUN/checkpoints/{path.name}")
        return _of_run(restored(path.resolve().parent.parent, path.stem, trust=trust, places=places))
    if path.is_file() and path.suffix == ".pt2":
        return _of_generator(ExportedGenerator(path))
    if path.is_dir() and _is_run(path):
        return _of_run(restored(path, trust=trust, places=places))
    images = image_set(path)
    return Source(str(path), lambda n, seed, real: _subset(images, n, seed), n=len(images))


def _is_run(folder: Path) -> bool:
    return (folder / "config.yaml").exists() or any(entry.record is not None for entry in list_runs(folder))


def _subset(images: ImageSet, n: int, seed: int) -> ImageSet:
    if n > len(images):
        raise ConfigError(f"--n {n}: there are {len(images)} images in {images.name}")
    return images.subset(n, seed)


def _of_generator(exported: ExportedGenerator) -> Source:
    def draw(n: int, seed: int, real: ImageSet) -> ImageSet:
        return ImageSet(exported.path.name, torch.cat(list(exported.draw(n, seed))))

    return Source(str(exported.path), draw)


def _of_run(read: Restored) -> Source:
    game, metrics = read.game, read.config.metrics

    def draw(n: int, seed: int, real: ImageSet) -> ImageSet:
        if not isinstance(game, Samples):
            raise ConfigError(f"{read.folder}: this game draws no samples; leave out the options")
        labels = _labels(game.classes, n, real, seed)
        parts = []
        for only in torch.arange(n).split(_CHUNK):
            fakes = game.sample(n, labels, generator(seed, "scores"), only=only)
            if fakes.ndim != 4:
                raise ConfigError(f"{read.folder}: its samples are points, and an extractor takes images")
            if not bool(torch.isfinite(fakes).all()):
                raise ConfigError(f"{read.checkpoint}: its samples hold NaN or infinity")
            parts.append(to_uint8(fakes).cpu())
        return ImageSet(str(read.folder), torch.cat(parts), labels)

    quality = [node for node in metrics.evaluations.values() if node["_target_"] == _QUALITY]
    return Source(
        str(read.checkpoint),
        draw,
        n=metrics.n,
        seed=metrics.seed,
        weights=weights_of(game),
        read=read,
        defaults=quality[0] if quality else None,
    )


def _labels(classes: int, n: int, real: ImageSet, seed: int) -> Tensor | None:
    """Labels to ask for: in the proportions of the real images where these have the same classes."""
    if not classes:
        return None
    if real.labels is None or int(real.labels.max()) >= classes:
        return torch.arange(n) % classes
    return proportional(real.labels, n, seed)


def reference_of(source: Source, name: str | None, *, trust: bool = False, places: Mapping[str, str] = {}) -> ImageSet:
    """The real images: a data set's name goes first, then paths; None is the test split of a run's own data.

    A run's path stands for the test split of its data, which `places` may name unless they are those of the source.
    """
    if name is None and source.read is not None:
        return split_of(source.read.data, "test")
    if name is None:
        raise ConfigError("evaluate: against what? --reference takes a folder of images, an .npz or a data set's name")
    try:
        found = named_set(name)
        if found is None and Path(name).is_dir() and _is_run(Path(name)):
            run, given = run_at(name), {} if source.read else places
            config = config_of(run, trust=trust, places=given)
            return split_of(data_of(run, config.data, None if trust else given), "test")
        return found or image_set(Path(name))
    except ConfigError as error:
        told = str(error).endswith("no such file or folder")
        raise ConfigError(f"--reference {error}, and no data set of conf/data") if told else error from None
