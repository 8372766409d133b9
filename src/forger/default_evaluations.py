"""What `metrics.auto` and `data.extractor=auto` stand for: the evaluations that fit a model and its data."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch
from hydra.utils import get_object
from torch import Tensor

from forger.building import values_of
from forger.config.explain import one_line
from forger.config.instantiation import built
from forger.config.schema import Config, DataConfig
from forger.config.targets import Node
from forger.data.dataset import Data
from forger.data.pixels.ranges import ValueRange
from forger.errors import ConfigError
from forger.metrics.features import extractors
from forger.metrics.features.base import Extractor
from forger.metrics.scores.names import score_name
from forger.sizes import sides

#: Networks so large that features of all training images, which memorisation needs, would take longer than training.
_LARGE = ("inception", "dinov2")
#: Values of training images (pixels × channels) up to which their features, which memorisation needs, cost seconds.
_NEIGHBOURS = 50_000_000
#: Pixels up to which PCA or ridge regression, which a game is compared with, costs seconds.
_LINEAR_PIXELS = 1024
#: Fakes whose class is asked for.
_ASKED = 1000

_AUTOENCODING, _POINTS, _TRANSLATION = (
    f"forger.metrics.evaluations.{name}" for name in ("autoencoding", "known_density", "translation")
)


def with_evaluations(config: Config, data: Data) -> Config:
    """The config with the evaluations that `metrics.auto` stands for; those that it names itself win.

    Where one of these asks for the extractor ``auto``, it gets that which suits the data.

    Which these are follows from what the game can do (`forger.games.abilities`), what is known of the data, and
    their extractor.

    Raises:
        ConfigError: the extractor can't be had, or does not take these images.
    """
    metrics = replace(config.metrics, evaluations=_suited(config, data))
    if not metrics.auto:
        return replace(config, metrics=metrics)
    game = get_object(config.model["_target_"])
    found, best = (_of_points if data.kind == "points" else _of_images)(config, data, game)
    n = metrics.n if data.kind == "points" else min(metrics.n, max(len(data.test), 10))
    best = best if metrics.best == "auto" else metrics.best
    return replace(
        config, metrics=replace(metrics, auto=False, n=n, best=best, evaluations=found | metrics.evaluations)
    )


def check_extractors(config: Config) -> None:
    """Refuse, before the data are read, an extractor that can't be had or takes no images as the config declares:
    that of the data, and those of evaluations that the config names.

    Raises:
        ConfigError: which, and why.
    """
    _check_own(config)
    for name, node in config.metrics.evaluations.items():
        if node.get("extractor") == "auto":
            continue
        where = f"metrics.evaluations.{name}"
        try:
            extractors.refuse_depth(str(node.get("extractor")), values_of(config.data))
            extractor = getattr(built(where, node), "extractor", None)
            if isinstance(extractor, Extractor):
                _try(extractor, config.data)
        except (ValueError, RuntimeError) as error:
            raise _unfit(f"{where} can't take data={config.data.name}", error, _shape(config.data)) from None


def _try(extractor: Extractor, data: DataConfig) -> None:
    """Show an extractor a picture like those that the config declares; large ones only say if they would take it.

    Raises:
        ValueError, RuntimeError: it does not.
    """
    values = values_of(data)
    extractor = extractor.of(values)
    if None in (shape := _shape(data)):
        return
    image = torch.linspace(values.low, values.high, prod(shape)).to(values.dtype).reshape(1, *shape)
    extractor.check(image) if extractor.name in _LARGE else extractor(image)


def _check_own(config: Config) -> None:
    name, data = config.data.extractor, config.data
    scores_samples = config.metrics.auto and hasattr(get_object(config.model["_target_"]), "sample")
    if name == "auto" or data.dimension is not None or not scores_samples:
        return
    if name in _LARGE and data.channels not in (None, 1, 3):  # before its weights are looked for
        raise ConfigError(f"data.extractor={name}: it takes grey or RGB images, got {data.channels} channels")
    try:
        extractors.refuse_depth(name, values_of(data))
        _try(extractors.build(name), data)
    except (ValueError, RuntimeError, OSError) as error:
        raise _unfit(f"data.extractor={name}", error, _shape(data)) from None


def _shape(data: DataConfig) -> tuple[Any, ...]:
    """Channels, height and width that the config declares; None for what it does not."""
    return data.channels, *((None, None) if data.size is None else sides(data.size))


def _suited(config: Config, data: Data) -> dict[str, Node]:
    """The evaluations that the config names, each with an extractor that is known."""
    nodes = config.metrics.evaluations
    if not any(node.get("extractor") == "auto" for node in nodes.values()):
        return nodes
    name = extractors.suited(data.name, data.test.arrays["image"][:1], "data.extractor=auto", data.values)
    return {
        key: Node(node | {"extractor": name}) if node.get("extractor") == "auto" else node
        for key, node in nodes.items()
    }


def _of_points(config: Config, data: Data, game: type) -> tuple[dict[str, Node], str | None]:
    if data.density is None or not hasattr(game, "sample"):
        return {}, None
    if data.shape == (1,):
        return {"density": _node(f"{_POINTS}.DensityMatch")}, "jsd"
    return {"modes": _node(f"{_POINTS}.ModeCoverage")}, "modes"


def _of_images(config: Config, data: Data, game: Any) -> tuple[dict[str, Node], str | None]:
    found: dict[str, Node] = {}
    best = None
    if hasattr(game, "translate"):
        if "truth" in data.test.arrays:
            found["truth"], best = _node(f"{_TRANSLATION}.HiddenTruth"), "psnr"
        if "ba" in game.directions:
            found["cycle"] = _node(f"{_TRANSLATION}.Cycle")
        if "truth" in data.train.arrays and prod(data.shape) <= _LINEAR_PIXELS:
            found["pairs"] = _node("forger.metrics.evaluations.pairs.LearnedFromPairs")
    if hasattr(game, "enlarge"):
        found["enlargement"] = _node("forger.metrics.evaluations.enlargement.Enlargement")
    if hasattr(game, "posterior"):
        found["variational"] = _node(f"{_AUTOENCODING}.Variational", r_loss_factor=config.model["r_loss_factor"])
        best = "elbo"
    if hasattr(game, "reconstruct"):
        pixels, latent = prod(data.shape), config.model.get("autoencoder", {}).get("latent")
        pca = latent is not None and latent < min(pixels, len(data.train)) and pixels <= _LINEAR_PIXELS
        found["reconstruction"] = _node(f"{_AUTOENCODING}.Reconstruction", pca=pca)
        best = best or "mse"
        if noise := config.model.get("noise"):
            found["denoising"] = _node(f"{_AUTOENCODING}.Denoising", noise=noise)
        if config.model.get("sparsity"):
            found["sparsity"] = _node(f"{_AUTOENCODING}.Sparsity")
    if hasattr(game, "indices"):
        found["codes"] = _node("forger.metrics.evaluations.quantisation.CodeUse")
    if hasattr(game, "sample"):
        image, name = data.test.arrays["image"][:1], config.data.extractor
        if name == "auto":
            name = extractors.suited(data.name, image, "data.extractor=auto", data.values)
        label, classes = _label_and_classes(name, image, data.values)
        compared = name not in _LARGE and len(data.train) * prod(data.shape) <= _NEIGHBOURS
        scores = ["fd", *(["is"] if classes else []), *(["memorisation"] if compared else [])]
        found["quality"] = _node(
            "forger.metrics.evaluations.sample_quality.SampleQuality", extractor=name, scores=scores
        )
        best = score_name("fd", label)
        if data.conditions and config.model.get("classes"):
            found["conditions"] = _node("forger.metrics.evaluations.conditions.ConditionsMet", n=_ASKED)
        elif config.model.get("classes") and classes == data.classes:
            conditional = "forger.metrics.evaluations.conditional.ConditionalAccuracy"
            found["conditional"] = _node(conditional, extractor=name, n=_ASKED)
        elif config.model.get("codes") and classes == data.classes:
            found["codes"] = _node("forger.metrics.evaluations.codes.CodeAccuracy", extractor=name, n=_ASKED)
    return found, best


def _node(target: str, **arguments: Any) -> Node:
    return Node({"_target_": target, **arguments})


def _label_and_classes(name: str, image: Tensor, values: ValueRange) -> tuple[str, int]:
    """By which name an extractor's scores go, and how many classes it tells apart, 0 for none."""
    if name in _LARGE:  # known without loading them
        return name, 1008 if name == "inception" else 0
    try:
        extractor = extractors.build(name).of(values)
        logits = extractor(image).logits
    except (ValueError, RuntimeError, OSError) as error:
        raise _unfit(f"data.extractor={name}", error, image.shape[1:]) from None
    return extractor.name, 0 if logits is None else logits.shape[1]


def _unfit(where: str, error: Exception, shape: Sequence[int | None]) -> ConfigError:
    # A user's own module tells only torch's reason.
    given = f"it takes no images of {' x '.join(map(str, shape))}: " if isinstance(error, RuntimeError) else ""
    return ConfigError(f"{where}: {given}{one_line(str(error), 400)}")
