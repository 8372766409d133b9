"""What a data set is here: splits of resident tensors and what may be known about them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from torch import Tensor

from forger.data.conditions import Conditions, conditions_of, told
from forger.data.mixture import Mixture
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.sizes import sides, written


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set, held as tensors.

    `arrays` are aligned by their first dimension, n: "image" is (n, c, h, w), of the type and range that the data set
    says, or float32 (n, d) for points; "label" int64 (n,) where there are labels, or rows of conditions, float32
    (n, k); "truth", like "image", is the right answer of a translation. `independent` is a second table with a length
    of its own that nothing pairs with the first: "target" (the other domain of an unpaired translation) and
    "target_label". `known` has the SHA-256 of arrays whose bytes need not be read again to know them; `block` is set
    where rows lie on disk, this many together.
    """

    arrays: Mapping[str, Tensor]
    independent: Mapping[str, Tensor] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    block: int | None = None

    def __post_init__(self) -> None:
        for table in (self.arrays, self.independent):
            assert len({len(array) for array in table.values()}) <= 1, {k: len(v) for k, v in table.items()}
        assert len(self) > 0

    def __len__(self) -> int:
        return len(self.arrays["image"])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the names, shapes, types and bytes of every array."""
        digest = hashlib.sha256()
        self.add_to(digest)
        return digest.hexdigest()

    def add_to(self, digest: "hashlib._Hash", *tags: str) -> None:
        """Feed a digest the arrays' names, shapes, types and bytes; ``tags`` say whose they are."""
        for table_name, table in (("arrays", self.arrays), ("independent", self.independent)):
            for name, array in sorted(table.items()):
                digest.update(repr((*tags, table_name, name, str(array.dtype), tuple(array.shape))).encode())
                known = self.known.get(name) if table is self.arrays else None
                digest.update(array.contiguous().numpy().data if known is None else known.encode())


@dataclass(frozen=True, eq=False)
class Data:
    """A data set: three splits, and what the other parts may know about them.

    `classes` is 0 where there are no labels, or where these are rows of `conditions`. `extra` holds named test sets
    that must not be mixed with `test`. `density` is the true density of a synthetic set of points. `values` says what
    the pixels of images are. `damaged` says what is wrong with pictures that were left out, by name.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int = 0
    kind: Literal["images", "points"] = "images"
    extra: Mapping[str, Split] = field(default_factory=dict)
    density: Mixture | None = None
    values: ValueRange = BYTES
    damaged: Mapping[str, str] = field(default_factory=dict)
    conditions: Conditions = ()

    @property
    def splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test, **self.extra}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (channels, height, width), or (dimension,)."""
        return tuple(self.train.arrays["image"].shape[1:])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the names, shapes, types and bytes of every array of every split, and the pixels' range."""
        digest = hashlib.sha256()
        if self.values != BYTES:
            digest.update(str(self.values).encode())
        for name, split in sorted(self.splits.items()):
            split.add_to(digest, name)
        return digest.hexdigest()

    def check(self, declared: Mapping[str, Any]) -> None:
        """Compare what a config declares (size, channels, dimension, classes) with the data themselves.

        `classes: 0` is always right: labels are not used then. `depth` is a `ValueRange` here.

        Raises:
            ValueError: they differ; the message has the first difference.
        """
        listed = declared.get("classes", 0)
        if isinstance(listed, list) or self.conditions:
            if listed != 0 and conditions_of(listed) != self.conditions:
                has = told(self.conditions) or f"{self.classes} classes"
                raise ValueError(
                    f"data.classes lists {told(conditions_of(listed))}, but the data set {self.name} has {has}"
                )
            declared = {**declared, "classes": 0}
        facts: dict[str, Any]
        if self.kind == "points":
            facts = {"dimension": self.shape[0], "classes": self.classes}
        else:
            facts = {"size": written(*self.shape[1:]), "channels": self.shape[0], "classes": self.classes}
            facts["depth"] = self.values
        for key, truth in facts.items():
            value = declared.get(key, truth)
            if key == "size" and value is not None:
                value = written(*sides(value))
            if value != truth and not (key == "classes" and value == 0):
                raise ValueError(f"data.{key}={value}, but the data set {self.name} has {key} {truth}")
