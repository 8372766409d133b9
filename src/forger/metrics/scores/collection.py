"""The scores by name, over features that are extracted once for all of them."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from forger.metrics.features.base import Extractor, Features
from forger.metrics.features.reference import Reference
from forger.metrics.functional.standard_errors import halves, spread
from forger.metrics.passport import Passport, Weights
from forger.metrics.scores.buffered import (
    DensityCoverage,
    ExtrapolatedFrechetDistance,
    InceptionScore,
    KernelDistance,
    Memorisation,
    PrecisionRecall,
    Rows,
)
from forger.metrics.scores.streaming import Accuracy, FeatureMetric, FrechetDistance, Vendi

__all__ = [
    "Accuracy",
    "DensityCoverage",
    "ExtrapolatedFrechetDistance",
    "FrechetDistance",
    "InceptionScore",
    "KernelDistance",
    "Memorisation",
    "PrecisionRecall",
    "Scores",
    "Vendi",
    "higher_is_better",
    "score_name",
]

METRICS: tuple[type[FeatureMetric], ...] = (
    FrechetDistance,
    ExtrapolatedFrechetDistance,
    InceptionScore,
    KernelDistance,
    PrecisionRecall,
    DensityCoverage,
    Memorisation,
    Vendi,
    Accuracy,
)
KINDS = {name: metric for metric in METRICS for name in metric.names}
# The names of the literature, which mean the Inception network and nothing else.
INCEPTION_NAMES = {"fd": "fid", "fd_infinity": "fid_infinity", "kd": "kid", "kd_error": "kid_error"}


#: Not for halves: the first is ten distances already and needs more images, the others have errors of their own.
_NO_HALVES = ("fd_infinity", "kd", "kd_error")


def score_name(name: str, extractor: str) -> str:
    """The public name of a score: `fd` is `fid` with the Inception network, `fd_digits` with digits."""
    if extractor == "inception":
        return INCEPTION_NAMES.get(name, name if name in ("is", "is_std") else f"{name}_inception")
    return f"{name}_{extractor}"


def plain_name(name: str, extractor: str) -> str:
    """The plain name of a public or plain name: `fid`, `fd_digits`, `fd` → `fd`.

    Raises:
        ValueError: a name that no score has, or that belongs to another extractor.
    """
    known = {score_name(plain, extractor): plain for plain in KINDS} | {plain: plain for plain in KINDS}
    if name in known:
        return known[name]
    if name in INCEPTION_NAMES.values():
        plain = next(key for key, value in INCEPTION_NAMES.items() if value == name)
        raise ValueError(f"{name} means the Inception network: with the {extractor} extractor ask for {plain}")
    raise ValueError(f"no score {name} with the {extractor} extractor: there are {', '.join(KINDS)}")


def refuse_without_logits(names: Iterable[str], extractor: str) -> None:
    """Refuse scores, by their plain names, that an extractor without logits can't give.

    Raises:
        ValueError: there is one.
    """
    unfit = [name for name in names if KINDS[name].of_logits]
    if unfit:
        raise ValueError(
            f"the {extractor} extractor tells no classes apart, which {score_name(unfit[0], extractor)} is about: "
            "leave it out, or take an extractor with logits"
        )


def higher_is_better(name: str) -> bool:
    """The direction of a score, by its public or plain name (`fd_digits`, `is`)."""
    plain = {public: plain for plain, public in INCEPTION_NAMES.items()}.get(name, name)
    known = [kind for kind in KINDS if plain == kind or plain.startswith(f"{kind}_")]
    if not known:
        raise ValueError(f"no score {name}: there are {', '.join(KINDS)}")
    return bool(KINDS[max(known, key=len)].higher_is_better)


class Scores(nn.Module):
    """Any number of scores of one generator: `update` with fakes, then `compute`, then `reset`.

    `scores`: plain names (`fd`, `is`, `kd`, `precision`, …) or public ones (`fid`, `fd_digits`). Features are
    streamed; they are kept once, for all scores together, if one of them needs every row. Under DDP rank r of
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
        batch_size: Annotated[int, Ge(1)] = 512,
    ) -> None:
        super().__init__()
        for known in (reference, train):
            if known is not None and known.weights_sha256 != extractor.weights_sha256:
                raise ValueError(f"the reference {known.split} was made with other weights than the extractor's")
        self.extractor, self.reference, self.batch_size = extractor, reference, batch_size
        options = {
            InceptionScore: {"splits": splits, "seed": seed},
            Memorisation: {"train": train, "seed": seed},
        }
        options |= {KernelDistance: {"seed": seed}, ExtrapolatedFrechetDistance: {"seed": seed}}
        if reference.logits is None:
            refuse_without_logits([plain_name(name, extractor.name) for name in scores], extractor.name)
        kinds = dict.fromkeys(KINDS[plain_name(name, extractor.name)] for name in scores)
        if Memorisation in kinds and train is None:
            raise ValueError("memorisation needs the training images beside the reference")
        self.metrics = nn.ModuleList(kind(reference, **options.get(kind, {})) for kind in kinds)
        columns = sorted({column for metric in self._readers() for column in metric.columns})
        self.rows = Rows(reference, columns) if columns else None

    def update(self, images: Tensor, labels: Tensor | None = None) -> None:
        """Add fakes, uint8 (n, c, h, w), with the labels that were asked for, int64 (n,), if there were any.

        Raises:
            ValueError: the extractor does not take them: floats, other sizes or channels, NaN features.
        """
        if labels is not None and len(labels) != len(images):
            raise ValueError(f"{len(images)} images came with {len(labels)} labels")
        for start in range(0, len(images), self.batch_size):
            part = slice(start, start + self.batch_size)
            self.observe(self.extractor(images[part]), None if labels is None else labels[part])

    def observe(self, features: Features, labels: Tensor | None = None) -> None:
        """As `update`, for fakes whose features by this extractor are already computed."""
        for metric in self._fed():
            metric.update(features, labels)

    def compute(self) -> dict[str, float]:
        """All scores by their public names.

        Raises:
            ValueError: too few images.
        """
        values: dict[str, float] = {}
        for metric in self._streams():
            with metric.sync_context():
                values |= metric.values()
        if self.rows is not None:
            with self.rows.sync_context():
                kept = self.rows.gathered()
            for metric in self._readers():
                values |= metric.evaluate(kept)
        return {score_name(name, self.extractor.name): value for name, value in values.items()}

    def reset(self) -> None:
        for metric in self._fed():
            metric.reset()

    def of(self, features: Features, labels: Tensor | None = None) -> dict[str, float]:
        """All scores of a whole set of fakes; changes no state and syncs nothing."""
        return self._named([*self._streams(), *self._readers()], features, labels)

    def measured(
        self, features: Features, labels: Tensor | None = None, *, seed: int
    ) -> tuple[dict[str, float], dict[str, float]]:
        """All scores of a whole set of fakes, and their standard errors from halves of them, where halves are enough.

        Neighbours are found once for the whole and all halves. The kernel distance's error is its own, by the
        jackknife; `fd_infinity` gets none.
        """
        n, width = features.features.shape
        whole = [torch.arange(n, device=features.features.device)]
        try:
            parts = halves(n, seed=seed, repeats=20 if width <= 512 else 8)
        except ValueError:  # too few images
            parts = []
        parts = [*whole, *(rows.to(whole[0].device) for rows in parts)]
        values: dict[str, float] = {}
        errors: dict[str, float] = {}
        for metric in [*self._streams(), *self._readers()]:
            if {*metric.names} & {*_NO_HALVES} or len(parts) == 1:
                found = [metric.of(features, labels)]
            else:
                try:
                    found = metric.of_parts(features, labels, parts)
                except ValueError:  # half of so few images can't be scored
                    found = [metric.of(features, labels)]
            values |= found[0]
            if len(found) > 1:
                errors |= spread(found[1:])
        if "kd" in values:
            errors["kd"] = values.pop("kd_error")
        name = self.extractor.name
        public = [{score_name(key, name): value for key, value in told.items()} for told in (values, errors)]
        return public[0], public[1]

    def passport(self, n_fake: int, *, weights: Weights, seed: int, truncation: float = 1.0) -> Passport:
        """What to store beside the numbers. `seed`: of the fakes' latents."""
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
        )

    def _named(self, metrics: Sequence[FeatureMetric], features: Features, labels: Tensor | None) -> dict[str, float]:
        values: dict[str, float] = {}
        for metric in metrics:
            values |= metric.of(features, labels)
        return {score_name(name, self.extractor.name): value for name, value in values.items()}

    def _readers(self) -> list[Rows]:
        return [metric for metric in self.metrics if isinstance(metric, Rows)]

    def _streams(self) -> list[FeatureMetric]:
        return [m for m in self.metrics if isinstance(m, FeatureMetric) and not isinstance(m, Rows)]

    def _fed(self) -> list[FeatureMetric]:
        """Metrics that are updated with each batch; those that need all rows share one table."""
        return [*self._streams(), *([] if self.rows is None else [self.rows])]
