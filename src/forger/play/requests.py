"""What the page asks for, checked field by field: whatever a browser sends, it is a number, a choice or one line."""

import base64
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from forger.data.conditions import Attribute, Conditions
from forger.errors import closest

#: Largest seed, as `forger sample` takes it.
_MOST = 2**63 - 1
#: Most classes or conditions of one request.
_FEW = 1000


@dataclass(frozen=True)
class Asked:
    """The fields of a request. Each method raises a ValueError, which names the field, where it is not what it says."""

    fields: Mapping[str, Any]

    @classmethod
    def of(cls, content: Any) -> "Asked":
        """A request, in what was decoded from JSON."""
        if not isinstance(content, dict):
            raise ValueError("a request is a JSON object")
        return cls(content)

    def has(self, name: str) -> bool:
        return self.fields.get(name) is not None

    def whole(self, name: str, usual: int | None = None, *, least: int = 0, most: int = _MOST) -> int:
        """A whole number from `least` to `most`; `usual` where there is none."""
        value = self.fields.get(name, usual)
        if type(value) is not int or not least <= value <= most:
            end = f" to {most:,}" if most < _MOST else ""
            raise ValueError(f"{name}: must be a whole number from {least}{end}")
        return value

    def number(self, name: str, usual: float | None = None, *, low: float = 0.0, high: float = 1.0) -> float:
        """A number from `low` to `high`; `usual` where there is none."""
        value = self.fields.get(name, usual)
        if not _is_number(value) or not low <= value <= high:
            raise ValueError(f"{name}: must be a number from {low:g} to {high:g}")
        return float(value)

    def choice(self, name: str, choices: Collection[str], usual: str | None = None) -> str:
        """One of these; `usual` where there is none."""
        value = self.fields.get(name, usual)
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{name}: {closest(str(value)[:40], choices)}")
        return value

    def text(self, name: str, usual: str) -> str:
        """A short text; `usual` where there is none."""
        value = self.fields.get(name, usual)
        if not isinstance(value, str) or len(value) > 255:
            raise ValueError(f"{name}: must be a text of at most 255 letters")
        return value

    def classes(self, name: str) -> list[int] | None:
        """Whole numbers, or None."""
        value = self.fields.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > _FEW or not all(type(each) is int for each in value):
            raise ValueError(f"{name}: must be a list of classes, at most {_FEW:,}")
        return value or None

    def conditions(self, name: str) -> list[str]:
        """Conditions as one would type them, ``Smiling=1,age=30``, of a list of objects."""
        value = self.fields.get(name) or []
        if not isinstance(value, list) or len(value) > _FEW or not all(isinstance(each, dict) for each in value):
            raise ValueError(f"{name}: must be a list of objects, NAME: VALUE, at most {_FEW:,}")
        return [",".join(f"{key}={text}" for key, text in each.items()) for each in value if each]

    def latents(self, name: str, latent: int, n: int = 1) -> Tensor:
        """``n`` places of a latent space, (n, latent), of a list of numbers or, where they are several, of lists."""
        value = self.fields.get(name)
        rows = [value] if n == 1 else value
        fits = isinstance(rows, list) and len(rows) == n
        for row in rows if isinstance(rows, list) and fits else []:
            fits = fits and isinstance(row, list) and len(row) == latent and all(map(_is_number, row))
        if not fits:
            raise ValueError(f"{name}: must be {f'{n} lists of ' if n > 1 else ''}{latent} finite numbers")
        z = torch.tensor(rows, dtype=torch.float64).float()
        if not z.isfinite().all():
            raise ValueError(f"{name}: its numbers are too large")
        return z

    def label(self, name: str, classes: int, conditions: Conditions) -> Tensor | None:
        """The label of one picture, (1,) or (1, k); None for a game without any."""
        value = self.fields.get(name)
        if conditions:
            columns = value if isinstance(value, list) else []
            if len(columns) != len(conditions) or not all(map(_fits, columns, conditions)):
                raise ValueError(f"{name}: must be the numbers of {len(conditions)} conditions")
            return torch.tensor([columns], dtype=torch.float32)
        return torch.tensor([self.whole(name, most=classes - 1)]) if classes else None

    def file(self, name: str) -> bytes:
        """The content of a file, which is sent in base 64."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise ValueError(f"{name}: must be a file in base 64")
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            raise ValueError(f"{name}: is not in base 64") from None


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _fits(value: Any, condition: Any) -> bool:
    if not _is_number(value):
        return False
    return value in range(len(condition.values)) if isinstance(condition, Attribute) else abs(value) < 1e30
