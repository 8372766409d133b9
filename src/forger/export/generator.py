"""A generator in a `.pt2`, of forger's or of anybody's, as a source of images."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from forger.data.conditions import Conditions, conditions_of
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.errors import ConfigError
from forger.export.programs import METADATA
from forger.files import parsed_json
from forger.metrics.evaluations.base import labels_to_ask
from forger.metrics.features.exported import load_exported
from forger.metrics.features.extractors import NAMES
from forger.metrics.passport import Weights
from forger.randomness import generator

#: Samples made at a time, where the file leaves that open; a game makes as many, so that they are the same to the bit.
_CHUNK = 512
#: Most images that a file may ask to be scored by.
_MOST = 1_000_000


@dataclass(frozen=True)
class Stated:
    """What a file that forger exported says of the generator in it; the defaults stand for a file that says nothing.

    Args:
        prior: of its latents: normal or uniform.
        classes, conditions: what it is told.
        values: what its pixels are.
        weights: which of the run's they are, for the passport.
        data: the name and the fingerprint of what it was trained on.
        n, seed: how many images the run scores, and the seed of their latents.
        scoring: how the run scores them: extractor, scores, splits, preprocessing.
    """

    prior: str = "normal"
    classes: int = 0
    conditions: Conditions = ()
    values: ValueRange = BYTES
    weights: Weights = "none"
    data: tuple[str, str] | None = None
    n: int | None = None
    seed: int = 0
    scoring: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parsed(cls, text: str) -> "Stated":
        """What the document says.

        Raises:
            ConfigError: it is of something that draws no images.
            ValueError, KeyError, TypeError, RecursionError: it is no document of forger's.
        """
        about = parsed_json(text.encode())
        inputs = {each["name"]: each for each in about["inputs"]}
        prior = inputs.get("z", {}).get("prior")
        if prior not in ("normal", "uniform"):
            raise ConfigError(
                f"it is a run's {about['part']}, which draws no samples; a generator or a VAE's decoder does"
            )
        made = about["outputs"][0]
        if made["name"] != "images":
            raise ConfigError("its samples are points, and an extractor takes images")
        pixels, evaluation = made["pixels"], about["evaluation"]
        scoring = {
            key: evaluation[key] for key in ("extractor", "scores", "splits", "preprocessing") if key in evaluation
        }
        n, weights = evaluation["n"], about["run"]["weights"]
        if weights not in get_args(Weights) or not isinstance(n, int) or not 1 <= n <= _MOST:
            raise ValueError(weights)
        return cls(
            prior=prior,
            classes=int(inputs.get("labels", {}).get("classes", 0)),
            conditions=conditions_of(inputs["conditions"]["columns"]) if "conditions" in inputs else (),
            values=ValueRange.of(pixels["dtype"], [pixels["low"], pixels["high"]]),
            weights=weights,
            data=(str(about["data"]["name"]), str(about["data"]["fingerprint"])),
            n=n,
            seed=int(evaluation["seed"]),
            # A name of ours at most: a module or a file that somebody else names is never looked for.
            scoring=scoring if scoring.get("extractor") in NAMES else {},
        )


class ExportedGenerator:
    """A generator in a file of `torch.export.save`: z float (n, latent) → images in [-1, 1].

    What else it takes is in the document of a file of `forger export`, labels for example; without one z is standard
    normal and all that it takes. The size of the latents is read from its signature.

    Raises:
        ConfigError: a file that is no exported program, could run code, takes anything else or draws no samples.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        texts: dict[str, str] = {}
        program = load_exported(path, texts)
        self.stated = self._stated(texts.get(METADATA))
        inputs = program.graph_signature.user_inputs
        shapes = [tuple(node.meta["val"].shape) for node in program.graph.nodes if node.name in inputs]
        told = bool(self.stated.classes) or bool(self.stated.conditions)
        if len(shapes) != 1 + told or len(shapes[0]) != 2 or not isinstance(shapes[0][1], int):
            shown = ", ".join(re.sub(r"s\d+", "n", str(shape)) for shape in shapes)
            raise ConfigError(f"{path}: takes ({shown}), but a generator to score takes latents (n, size) and no more")
        batch, self.latent = shapes[0]
        self.fixed = isinstance(batch, int)
        self.chunk = batch if isinstance(batch, int) else _CHUNK
        self.network = program.module()

    def draw(self, n: int, seed: int, real: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """``n`` images as pixels (n, c, h, w), and the labels that they were asked for: as a run draws its own.

        Args:
            n: how many.
            seed: of the latents and the labels.
            real: the labels of the real images, where there are any.
        """
        stated, stream = self.stated, generator(seed, "scores")
        labels = labels_to_ask(stated, real, n, seed)
        if stated.prior == "normal":
            z = torch.randn(n, self.latent, generator=stream)
        else:
            z = torch.rand(n, self.latent, generator=stream).mul_(2).sub_(1)
        given = [z] if labels is None else [z, labels]
        chunks = zip(*(each.split(self.chunk) for each in given), strict=True)
        images = torch.cat([self._made(chunk) for chunk in chunks])
        self._check(images)
        return stated.values.to_pixels(images), labels

    def _made(self, given: tuple[Tensor, ...]) -> Tensor:
        count = len(given[0])
        if self.fixed:  # exported for one size of batch: the last one is filled up
            given = tuple(torch.cat([x, x.new_zeros(self.chunk - count, *x.shape[1:])]) for x in given)
        with torch.no_grad():
            images = self.network(*given)
        if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point():
            raise ConfigError(f"{self.path}: gives no float images of shape (n, channels, height, width)")
        return images[:count].float()

    def _check(self, images: Tensor) -> None:
        """Refuse images of another range than [-1, 1], which is known of a file of ours."""
        if not bool(torch.isfinite(images).all()):
            raise ConfigError(f"{self.path}: its images hold NaN or infinity")
        low, high = images.aminmax()
        if self.stated.data is not None:
            return
        if low < -1.01 or high > 1.01:
            raise ConfigError(f"{self.path}: its images reach from {low:.3g} to {high:.3g}; [-1, 1] is expected")
        if low >= 0:
            raise ConfigError(f"{self.path}: its images lie in [0, 1], it seems; export one that makes [-1, 1]")

    def _stated(self, text: str | None) -> Stated:
        if text is None:
            return Stated()
        try:
            return Stated.parsed(text)
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise ConfigError(f"{self.path}: its '{METADATA}' is no document of forger export") from error
