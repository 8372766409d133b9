"""The scores by name, and what they are called with an extractor."""

from collections.abc import Iterable
from inspect import signature

from forger.metrics.scores.base import FeatureMetric
from forger.metrics.scores.buffered import (
    DensityCoverage,
    ExtrapolatedFrechetDistance,
    InceptionScore,
    KernelDistance,
    Memorisation,
    PrecisionRecall,
)
from forger.metrics.scores.streaming import Accuracy, FrechetDistance, Vendi

#: All there are.
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


def options_of(metric: type[FeatureMetric]) -> set[str]:
    """What a score is built with: ``seed``, ``splits``, ``train`` (images that may have been memorised)."""
    return {*signature(metric).parameters}


def memorises(names: Iterable[str], extractor: str) -> bool:
    """Whether one of the scores needs the training images beside the reference."""
    return any("train" in options_of(KINDS[plain_name(name, extractor)]) for name in names)


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


def refuse_without_images(names: Iterable[str], extractor: str, reference: str) -> None:
    """Refuse scores that statistics of real images, without the images, do not give.

    Raises:
        ValueError: there is one.
    """
    unfit = [name for name in names if KINDS[plain_name(name, extractor)].of_real == "features"]
    if unfit:
        raise ValueError(f"{unfit[0]} needs the real images, of which {reference} has only mean and covariance")


def higher_is_better(name: str) -> bool:
    """The direction of a score, by its public or plain name (`fd_digits`, `is`)."""
    return bool(_kind(name).higher_is_better)


def depends_on_reference(name: str) -> bool:
    """Whether a score, by its public or plain name, compares with real images."""
    return _kind(name).of_real != "nothing"


def is_of_features(name: str) -> bool:
    """Whether this is the public or plain name of a score, by whatever extractor."""
    return bool(_kinds(name))


def _kinds(name: str) -> list[str]:
    plain = {public: plain for plain, public in INCEPTION_NAMES.items()}.get(name, name)
    return [kind for kind in KINDS if plain == kind or plain.startswith(f"{kind}_")]


def _kind(name: str) -> type[FeatureMetric]:
    known = _kinds(name)
    if not known:
        raise ValueError(f"no score {name}: there are {', '.join(KINDS)}")
    return KINDS[max(known, key=len)]
