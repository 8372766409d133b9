"""Features of real images, extracted once and kept on disk."""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from forger.files import write_atomically
from forger.hashing import weights_sha256
from forger.locking import locked
from forger.metrics.features.base import Extractor, extract
from forger.metrics.features.statistics import Statistics
from forger.metrics.functional.frechet import moments
from forger.metrics.functional.neighbours import neighbour_radius

SCHEMA = 1  # another number makes every cached file unknown: raise it when what is stored, or how, changes

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Reference:
    """Features of n real images, with what a passport needs to know about them.

    `features` float32 (n, d) and `logits` (n, k) or None, on the CPU; `mean` (d,), `cov` (d, d) float64. Of published
    statistics n is 0.
    """

    extractor: str
    weights_sha256: str
    preprocessing: str
    split: str
    fingerprint: str
    features: Tensor = field(repr=False)
    logits: Tensor | None = field(repr=False)
    mean: Tensor = field(repr=False)
    cov: Tensor = field(repr=False)
    file: Path | None = field(default=None, repr=False)  # where these are kept
    _radii: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.features)

    def radius(self, k: int) -> Tensor:
        """The `neighbour_radius` of the features, float64 (n,); computed once, and kept beside them."""
        if k not in self._radii:
            file = None if self.file is None else self.file.with_suffix(f".radius{k}.safetensors")
            kept = _kept(file, lambda: {"radius": neighbour_radius(self.features, k)}, {"k": str(k)})
            self._radii[k] = kept["radius"]
        return self._radii[k]

    @classmethod
    def of_statistics(cls, extractor: Extractor, known: Statistics) -> "Reference":
        """The reference that published statistics are.

        Raises:
            ValueError: they are of other features than the extractor's.
        """
        features, logits = extractor(torch.zeros(1, 3, 32, 32, dtype=extractor.values.dtype))
        if len(known.mean) != features.shape[1]:
            raise ValueError(
                f"{known.name} has {len(known.mean)} features, the {extractor.name} extractor {features.shape[1]}"
            )
        empty = None if logits is None else logits[:0].cpu()
        about = (extractor.name, extractor.weights_sha256, extractor.preprocessing, known.name, known.fingerprint)
        return cls(*about, features[:0].cpu(), empty, known.mean, known.cov)

    @classmethod
    def build(
        cls,
        extractor: Extractor,
        images: Tensor,
        *,
        split: str,
        cache: Path | None = None,
        batch_size: int = 256,
    ) -> "Reference":
        """The reference of real images (n, c, h, w) of the extractor's values, from the folder `cache` if known.

        `split` says which images these are ("digits/test"). The key covers pixels, split, extractor, weights
        and preprocessing. Several processes may ask at once: one extracts, the others wait for its file.
        Without `cache` nothing is read or written; `default_cache()` is the usual folder.

        Raises:
            ValueError: images that the extractor does not take, or fewer than two.
        """
        extractor.check(images)
        fingerprint = _fingerprint(images)
        identity = {
            "schema": str(SCHEMA),
            "extractor": extractor.name,
            "weights_sha256": extractor.weights_sha256,
            "preprocessing": extractor.preprocessing,
            "split": split,
            "fingerprint": fingerprint,
        }
        file = None
        if cache is not None:
            key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
            file = cache / f"{key}.safetensors"
        tensors = _kept(file, lambda: _extracted(extractor, images, batch_size), identity)
        known = {name: value for name, value in identity.items() if name != "schema"}
        return cls(**known, **{"logits": None, **tensors}, file=file)


def _kept(file: Path | None, compute: Callable[[], dict[str, Tensor]], identity: dict[str, str]) -> dict[str, Tensor]:
    """What a cache file holds; computed and written if there is none; only computed without a file."""
    tensors = None
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with locked(file.with_suffix(".lock")):
                tensors = _read(file)
                if tensors is None:
                    tensors = compute()
                    _write(file, tensors, identity)
        except OSError as error:
            log.warning("real statistics can't be kept in %s (%s)", file.parent, error)
    return compute() if tensors is None else tensors


def default_cache() -> Path:
    """`$FORGER_CACHE/references`, else `~/.cache/forger/references`."""
    return Path(os.environ.get("FORGER_CACHE") or Path.home() / ".cache" / "forger") / "references"


def _fingerprint(images: Tensor) -> str:
    """As `weights_sha256` of them under the name "images"; a part at a time, since they may not fit into memory."""
    about = ["images", str(images.dtype).removeprefix("torch."), list(images.shape)]
    digest = hashlib.sha256(json.dumps(about).encode() + b"\n")
    for part in images.split(1024):
        digest.update(part.cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _extracted(extractor: Extractor, images: Tensor, batch_size: int) -> dict[str, Tensor]:
    rows = extract(extractor, images, batch_size)
    mean, cov = moments(rows.features)
    tensors = {"features": rows.features, "mean": mean, "cov": cov}
    return tensors if rows.logits is None else {**tensors, "logits": rows.logits}


def _read(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a cache file; None if there is none, or if it is not what was written."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            digest = file.metadata()["sha256"]
    except (SafetensorError, KeyError, TypeError):
        digest, tensors = None, {}
    if digest != weights_sha256(tensors):
        log.warning("%s is damaged: extracting again", path)
        return None
    return tensors


def _write(path: Path, tensors: dict[str, Tensor], identity: dict[str, str]) -> None:
    digest = weights_sha256(tensors)
    write_atomically(path, safetensors.torch.save(tensors, {**identity, "sha256": digest}))
