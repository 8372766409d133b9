"""Any number of scores of one generator, over features that are extracted once for all of them."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from forger.data.imagesets import ImageSet
from forger.metrics.features.base import Extractor, Features
from forger.metrics.features.reference import Reference, default_cache
from forger.metrics.features.statistics import Statistics
from forger.metrics.functional.standard_errors import Estimate, estimates, halves, spread
from forger.metrics.passport import Passport, Weights
from forger.metrics.scores.base import FeatureMetric
from forger.metrics.scores.buffered import Buffered
from forger.metrics.scores.names import (
    KINDS,
    memorises,
    options_of,
    plain_name,
    refuse_without_images,
    refuse_without_logits,
    score_name,
)


class Scores(nn.Module):
    """Any number of scores of one generator: `update` with fakes, then `compute`, then `reset`.

    `scores`: plain names (`fd`, `is`, `kd`, `precision`, …) or public ones (`fid`, `fd_digits`). Features are
    streamed; they are kept once, for all scores together, if one of them needs every image. Under DDP rank r of
    w updates with fakes r, r + w, …, without padding, and all ranks call `compute`, which gives all of them
    the result of one process. `train`: a Reference of the training images, for `memorisation`. `splits`: of
    the Inception Score; `seed`: of its shuffle and of all subsets. Everything lives where `.to()` puts it
    (float64: not on MPS).
    """

    def __init__(
        self,
        extractor: Extractor,
        reference: Reference,
        scores: Sequence[str] = ("fd", "is"),
        *,
        train: Reference | None = None,
        splits: Annotated[int, Ge(1)] = 1,
        seed: int = 2020,
        batch_size: Annotated[int, Ge(1)] = 256,
    ) -> None:
        super().__init__()
        for known in (reference, train):
            if known is not None and known.weights_sha256 != extractor.weights_sha256:
                raise ValueError(f"the reference {known.split} was made with other weights than the extractor's")
        self.extractor, self.reference, self.batch_size = extractor, reference, batch_size
        if reference.logits is None:
            refuse_without_logits([plain_name(name, extractor.name) for name in scores], extractor.name)
        if not len(reference):
            refuse_without_images(scores, extractor.name, reference.split)
        kinds = dict.fromkeys(KINDS[plain_name(name, extractor.name)] for name in scores)
        if train is None and memorises(scores, extractor.name):
            raise ValueError("memorisation needs the training images beside the reference")
        self.train_reference = train
        options = {"train": train, "splits": splits, "seed": seed}
        self.metrics = nn.ModuleList(
            kind(reference, **{name: options[name] for name in options_of(kind) & options.keys()}) for kind in kinds
        )
        columns = sorted({column for metric in self._buffered() for column in metric.columns})
        self.buffer = Buffered(reference, columns) if columns else None

    @classmethod
    def against(
        cls,
        real: ImageSet | Statistics,
        extractor: Extractor,
        scores: Sequence[str],
        *,
        splits: Annotated[int, Ge(1)] = 1,
        train: Reference | None = None,
    ) -> "Scores":
        """Scores against real images, whose features are extracted, or read where they have been kept.

        `train`: those of the training images, where other scores have read them already.
        """
        if isinstance(real, Statistics):
            return cls(extractor, Reference.of_statistics(extractor, real), scores, splits=splits)

        def reference(images: ImageSet) -> Reference:
            return Reference.build(extractor, images.images, split=images.name, cache=default_cache())

        if real.train is None or not memorises(scores, extractor.name):
            train = None
        elif train is None:
            train = reference(real.train)
        return cls(extractor, reference(real), scores, train=train, splits=splits)

    def update(self, images: Tensor, labels: Tensor | None = None) -> None:
        """Add fakes, uint8 (n, c, h, w), with the labels that were asked for, int64 (n,), if there were any.

        Raises:
            ValueError: the extractor does not take them: floats, other sizes or channels, NaN features.
        """
        if labels is not None and len(labels) != len(images):
            raise ValueError(f"{len(images)} images came with {len(labels)} labels")
        for start in range(0, len(images), self.batch_size):
            part = slice(start, start + self.batch_size)
            features = self.extractor(images[part])
            for metric in self._updated():
                metric.update(features, None if labels is None else labels[part])

    def compute(self) -> dict[str, float]:
        """All scores by their public names.

        Raises:
            ValueError: too few images.
        """
        values: dict[str, float] = {}
        for metric in self._streaming():
            with metric.sync_context():
                values |= metric.values()
        if self.buffer is not None:
            with self.buffer.sync_context():
                kept = self.buffer.gathered()
            for metric in self._buffered():
                values |= metric.evaluate(kept)
        return self._public(values)

    def reset(self) -> None:
        for metric in self._updated():
            metric.reset()

    def estimate(self, fakes: Iterable[Tensor], labels: Tensor | None = None, *, seed: int) -> dict[str, Estimate]:
        """All scores of a whole set of fakes by their public names, with standard errors; earlier updates do not count.

        Args:
            fakes: uint8 (…, c, h, w), in portions, on any device; under DDP this rank's share, as for `update`.
            labels: those that were asked for, of all fakes of all ranks, int64 (n,).
            seed: of the halves that the errors come from.
        """
        columns = ["features"] if self.reference.logits is None else ["features", "logits"]
        device = self._updated()[0].device
        kept = Buffered(self.reference, columns).to(device)
        for images in fakes:
            for part in images.split(self.batch_size):
                kept.update(self.extractor(part.to(device)))
        with kept.sync_context():
            features = Features(**{"logits": None, **kept.gathered()})
        return self.of(features, None if labels is None else labels.to(device), seed=seed)

    def of(self, features: Features, labels: Tensor | None = None, *, seed: int) -> dict[str, Estimate]:
        """As `estimate`, of fakes whose features are known.

        Neighbours are found once for the whole and all halves. The kernel distance's error is its own, by the
        jackknife; `fd_infinity` gets none.
        """
        n, width = features.features.shape
        parts = [torch.arange(n)]
        if n >= 4:
            parts += halves(n, seed=seed, repeats=20 if width <= 512 else 8)
        parts = [part.to(features.features.device) for part in parts]
        values: dict[str, float] = {}
        errors: dict[str, float] = {}
        for metric in [*self._streaming(), *self._buffered()]:
            found = [metric.of(features, labels)] if not metric.error_of_halves or len(parts) == 1 else None
            if found is None:
                try:
                    found = metric.of_parts(features, labels, parts)
                except ValueError:  # half of so few images can't be scored
                    found = [metric.of(features, labels)]
            values |= found[0]
            if len(found) > 1:
                errors |= spread(found[1:])
        for name in [name for name in values if f"{name}_error" in values]:
            errors[name] = values.pop(f"{name}_error")
        return estimates(self._public(values), self._public(errors))

    def passport(
        self, n_fake: int, *, weights: Weights, seed: int, truncation: float = 1.0, nfe: int | None = None
    ) -> Passport:
        """What to store beside the scores. `seed`: of the fakes' latents."""
        return Passport(
            extractor=self.extractor.name,
            weights_sha256=self.extractor.weights_sha256,
            preprocessing=self.extractor.preprocessing,
            n_real=len(self.reference),
            n_fake=n_fake,
            split=self.reference.split,
            fingerprint=self.reference.fingerprint,
            weights=weights,
            seed=seed,
            truncation=truncation,
            nfe=nfe,
        )

    def _public(self, values: dict[str, float]) -> dict[str, float]:
        return {score_name(name, self.extractor.name): value for name, value in values.items()}

    def _buffered(self) -> list[Buffered]:
        return [metric for metric in self.metrics if isinstance(metric, Buffered)]

    def _streaming(self) -> list[FeatureMetric]:
        return [m for m in self.metrics if isinstance(m, FeatureMetric) and not isinstance(m, Buffered)]

    def _updated(self) -> list[FeatureMetric]:
        """Metrics that are updated with each batch; those that need all images share one buffer."""
        return [*self._streaming(), *([] if self.buffer is None else [self.buffer])]


def plain_names(names: Sequence[str], extractor: Extractor, image: Tensor) -> list[str]:
    """The plain names of scores, after a look at an image, uint8 (1, c, h, w).

    Raises:
        ValueError: a name that no score has, an image that the extractor does not take, or a score that needs logits,
            which it does not give.
    """
    plain = [plain_name(name, extractor.name) for name in names]
    if extractor(image).logits is None:
        refuse_without_logits(plain, extractor.name)
    return plain
