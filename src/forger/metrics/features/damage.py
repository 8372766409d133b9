"""Known damage to real pictures, and what an extractor's Fréchet distance makes of it: a yardstick for fakes."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from forger.data.dataset import Data
from forger.data.pixels.ranges import BYTES, to_float
from forger.metrics.features.base import Extractor, extract
from forger.metrics.functional.frechet import frechet_distance, moments
from forger.randomness import generator

#: Images of a row, and of the reference, at most.
MOST = 10_000
#: Classes that are dropped in turn, at most.
MOST_CLASSES = 20


def damage_table(extractor: Extractor, data: Data, n: int = MOST) -> dict[str, float]:
    """Fréchet distances of damaged training images to the test images, by what was done to them.

    At most `n` images on either side, drawn with 8 bits. Rows of single classes are there for labelled sets only: one
    class dropped (the mean over the classes) and every second one dropped. These take as many images as the others as
    far as there are so many.
    """
    train, test = data.train.arrays, data.values.drawn(data.test.arrays["image"][:n])
    chosen = torch.randperm(len(train["image"]), generator=generator(0, "damage"))[: 2 * len(test)]
    pool = data.values.drawn(train["image"][chosen])
    extractor = extractor.of(data.values)

    def seen(images: Tensor) -> Tensor:
        whole = images if data.values == BYTES else data.values.to_pixels(to_float(images))
        return extract(extractor, whole).features

    real, features = moments(seen(test)), seen(pool)
    n = min(len(test), len(pool))

    def distance(rows: Tensor) -> float:
        return frechet_distance(*moments(rows[:n]), *real)

    table = {"real training images": distance(features)}
    if data.classes > 1 and "label" in train:
        labels = train["label"][chosen]
        dropped = [distance(features[labels != label]) for label in range(min(data.classes, MOST_CLASSES))]
        table["one class dropped"] = sum(dropped) / len(dropped)
        table["every second class dropped"] = distance(features[labels % 2 == 0])
    few = features[: max(2, n // 10)]
    table["one image in ten, ten times"] = distance(few.repeat(-(-n // len(few)), 1))
    for name, images in _damaged(pool[:n]):
        table[name] = distance(seen(images))
    return table


def _damaged(images: Tensor) -> Iterator[tuple[str, Tensor]]:
    """uint8 images (n, c, h, w), damaged one by one in ways that need no labels."""
    grain = torch.empty(images.shape).normal_(std=25.5, generator=generator(0, "damage", "noise"))
    yield "noise, σ a tenth of white", (images + grain).round_().clamp_(0, 255).byte()
    yield "blur, 3×3 mean", avg_pool2d(images.float(), 3, 1, 1, count_include_pad=False).round_().byte()
    step = max(1, round(images.shape[-1] / 14))
    edge = images[..., :1].expand(*images.shape[:-1], step)
    yield "shifted right by 1 pixel in 14", torch.cat([edge, images[..., :-step]], dim=-1)
    if images.shape[1] == 3:
        grey = (images.float() * torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)).sum(1, keepdim=True)
        yield "without colour", grey.round_().byte().expand_as(images).contiguous()
    yield "noise only", torch.randint(256, images.shape, dtype=torch.uint8, generator=generator(0, "damage", "only"))
