"""What a score depends on, and whether two scores may be compared."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

Weights = Literal["ema", "raw", "only", "none"]

# Packages whose version can change a score in the last digits.
PACKAGES = ("forger", "torch", "torchvision", "torchmetrics", "torch-fidelity", "numpy")


@cache
def _versions() -> Mapping[str, str]:
    # Cached, since each is read from a file as long as the package's description: a quarter of a scoring's time.
    return {package: version(package) for package in PACKAGES}


def installed_versions() -> dict[str, str]:
    return dict(_versions())


@dataclass(frozen=True)
class Passport:
    """What a score depends on. Scores compare when all fields but `split`, `seed`, `nfe` and `versions` agree.

    `fingerprint`: sha256 of the real images' pixels; `split`: their name. `n_real`, `n_fake`: counts, since most scores
    depend on them. `weights`: of the generator; "ema" or "raw", "only" for a game that keeps no average (it compares
    with both), "none" for images from elsewhere. `truncation`: factor on the latents, 1 for none. `nfe`:
    evaluations of the network behind a fake, of a game that makes it step by step.
    """

    extractor: str
    weights_sha256: str
    preprocessing: str
    n_real: int
    n_fake: int
    split: str
    fingerprint: str
    weights: Weights
    seed: int
    truncation: float = 1.0
    nfe: int | None = None
    versions: dict[str, str] = field(default_factory=installed_versions)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, for `record.json`."""
        return {name: value for name, value in asdict(self).items() if name != "nfe" or value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Passport":
        return cls(**values)


# These do not prevent a comparison: another seed is another draw, versions change the last digits, and how many steps
# it takes is the variant's own choice.
_NOT_COMPARED = ("seed", "versions", "nfe")
#: Generator weights that compare.
_ALIKE = (("only", "ema"), ("only", "raw"))
_WORDS = {
    "extractor": "extractors",
    "weights_sha256": "weights of the extractor",
    "preprocessing": "preprocessing",
    "n_real": "numbers of real images",
    "n_fake": "numbers of fakes",
    "split": "reference splits",
    "fingerprint": "reference images",
    "weights": "generator weights",
    "truncation": "truncation",
}


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """None if scores with these passports, to which an evaluation may have added fields, may be ranked.

    Otherwise why not, in one line.
    """
    for name in [*one, *(name for name in other if name not in one)]:
        a, b = one.get(name), other.get(name)
        if name == "weights" and ((a, b) in _ALIKE or (b, a) in _ALIKE):
            continue  # whether to keep an average is the variant's own choice
        if name == "split" and one.get("fingerprint") and other.get("fingerprint"):
            continue  # a name, where what it names is known
        if name not in _NOT_COMPARED and a != b:
            shown = [str(value)[:12] if name in ("weights_sha256", "fingerprint") else value for value in (a, b)]
            if name == "fingerprint" and one.get("split") != other.get("split"):
                shown = [f"{passport.get('split')} ({it})" for passport, it in zip((one, other), shown, strict=True)]
            return f"different {_WORDS.get(name, name)}: {shown[0]} and {shown[1]}"
    return None
