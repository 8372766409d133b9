"""A trained game as its page has it, and pictures as the page shows them."""

import base64
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from torch import Tensor

from forger.data.conditions import Conditions, in_words
from forger.data.dataset import Data
from forger.data.pixels.ranges import ValueRange
from forger.games.abilities import Discriminates, Samples
from forger.lifecycle.restore import Restored
from forger.pictures.false_colors import visible
from forger.pictures.latents import classes_to_ask, conditions_to_ask
from forger.pictures.planes import Plane
from forger.pictures.request import Request
from forger.play.requests import Asked

#: Most pictures of one answer.
MOST = 100


@dataclass(frozen=True)
class Playing:
    """A run's game that is played with.

    Args:
        read: the run.
        options: those of `forger sample` that choose the same weights, data and mixture: ``--checkpoint``, ``best``.
    """

    read: Restored
    options: Sequence[str] = ()
    #: The plane that was asked for last, by what it was asked by: each move of a pointer asks for it again.
    planes: dict[str, Plane] = field(default_factory=dict)

    @property
    def game(self) -> Any:
        """What it offers is asked for first, by `isinstance`."""
        return self.read.game

    @property
    def data(self) -> Data:
        return self.read.data

    @property
    def values(self) -> ValueRange:
        return self.read.game.values

    @property
    def classes(self) -> int:
        return self.game.classes if isinstance(self.game, Samples) else 0

    @property
    def conditions(self) -> Conditions:
        return self.game.conditions if isinstance(self.game, Samples) else ()

    def request(self, asked: Asked, usual: int = 16, most: int = MOST) -> tuple[Request, list[str]]:
        """What is asked for, as pictures take it, and as one would type it."""
        n = asked.whole("n", usual, least=1, most=most)
        seed = asked.whole("seed", self.read.config.seed)
        truncation = asked.number("truncation", 1.0, high=10)
        labels, conditions = asked.classes("labels"), asked.conditions("conditions")
        request = Request(
            n=n,
            seed=seed,
            labels=None if labels is None else classes_to_ask(self.game, labels),
            conditions=tuple(conditions_to_ask(self.game, text) for text in conditions),
            truncation=truncation,
        )
        typed = ["--n", str(n), "--seed", str(seed)]
        typed += [] if labels is None else ["--labels", ",".join(map(str, labels))]
        typed += [word for text in conditions for word in ("--condition", text)]
        typed += [] if truncation == 1 else ["--truncation", repr(truncation)]
        return request, typed

    def command(self, *words: str) -> str:
        """`forger sample` of this run, to be pasted into a shell."""
        return shlex.join(["forger", "sample", str(self.read.folder), *words, *self.options])

    def python(self, z: Tensor, label: Tensor | None) -> str:
        """An expression of Python that gives the picture of one place (1, latent), which no command names."""
        named = dict(zip(self.options, self.options[1:], strict=False))
        chosen = {
            "checkpoint": named.get("--checkpoint"),
            "trust": "--trust" in self.options or None,
            "data_root": next((text.partition("=")[2] for text in self.options if text.startswith("data.root=")), None),
            "raw_weights": "--raw-weights" in self.options or None,
            "mixture": int(named["--mixture"]) if "--mixture" in named else None,
        }
        given = [repr(str(self.read.folder)), *(f"{name}={value!r}" for name, value in chosen.items() if value)]
        labels = "" if label is None else f", {label.tolist()}"
        return f"forger.load({', '.join(given)}).decode({z.tolist()}{labels})"

    def pictures(
        self, images: Tensor, labels: Tensor | None = None, z: Tensor | None = None, *, judged: bool = True
    ) -> list[dict[str, Any]]:
        """Images (n, c, h, w) of the type of the data as the page shows them.

        Each is `src`, a PNG as a data URL, `width` and `height`; and where there are any `label` (a class, or the
        numbers of conditions), `words` for it, `z`, and `d`, the discriminator's opinion of what is seen, unless it is
        not to be `judged`.
        """
        opinions = None
        if judged and isinstance(self.game, Discriminates):
            opinions = self.game.discriminate(self.values.to_float(images), labels).tolist()
        rows = []
        for i, pixels in enumerate(self.seen(images)):
            row = {"src": data_url(as_png(pixels)), "width": pixels.shape[2], "height": pixels.shape[1]}
            if labels is not None:
                row |= {"label": labels[i].tolist(), "words": self.named(labels[i])}
            row |= {} if opinions is None else {"d": opinions[i]}
            row |= {} if z is None else {"z": z[i].tolist()}
            rows.append(row)
        return rows

    def seen(self, images: Tensor) -> Tensor:
        """Images of the type of the data as people see them, grey or RGB, uint8 (n, 1 or 3, h, w)."""
        return visible(self.values.drawn(images))

    def named(self, label: Tensor) -> str:
        """A label in words."""
        if not self.conditions:
            return f"class {int(label)}"
        names = (condition.name for condition in self.conditions)
        return in_words(self.conditions, dict(zip(names, label.tolist(), strict=True))).replace(",", ", ")


def as_png(pixels: Tensor) -> bytes:
    """A picture (1 or 3, h, w), uint8, as a PNG."""
    array = pixels.permute(1, 2, 0).cpu().numpy()
    buffer = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def data_url(content: bytes, kind: str = "image/png") -> str:
    """A file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
