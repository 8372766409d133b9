"""What scores are asked of a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forger.data.imagesets import ImageSet
from forger.errors import ConfigError

#: Least number of images on either side; scores of fewer are meaningless.
LEAST = 10


@dataclass(frozen=True)
class Asked:
    """How to score; what is None is the run's own, or fits the images.

    Args:
        reference: the real images, or their name (`forger.sources.reference_of`).
        extractor: its name, file or module.
        weights: its file of weights.
        preprocess: the arguments of `forger.metrics.features.extractors.build` for it.
        scores: their names.
        n: how many images.
        seed: of the latents or the subset.

    Raises:
        ConfigError: no names in `scores`, or too few images.
    """

    reference: str | ImageSet | None = None
    extractor: str | None = None
    weights: str | None = None
    preprocess: Mapping[str, Any] | None = None
    scores: Sequence[str] | None = None
    n: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.scores is not None and not self.scores:
            raise ConfigError("--scores: name some, like --scores fid,is,kid")
        if self.n is not None and self.n < LEAST:
            raise ConfigError(f"--n {self.n}: at least {LEAST}")

    @property
    def chosen(self) -> list[str]:
        """The scores by name; none means the usual ones."""
        return list(self.scores or ())

    @property
    def compared(self) -> list[str]:
        """Which options ask for samples in an extractor's features, by name."""
        return [name for name in ("reference", "extractor") if getattr(self, name) is not None]
