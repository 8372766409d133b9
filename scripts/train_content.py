"""Train the content features for super-resolution that forger ships, and write their weights.

    python scripts/train_content.py [--out FILE]

Under a minute on one core. The task needs no labels: what was done to a patch? Nothing; shrunk
and enlarged again by 2 or by 4; enlarged by repeating pixels; noise; or blocks of it exchanged. Whoever can tell
has features for sharpness, edges and texture. Only the training regions of scikit-learn's two photographs are
used, so that the held-out ones stay unseen. One thread and a fixed seed: the same machine and versions give the
same file.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from forger.data.dataset import Split
from forger.data.pairs import photos
from forger.data.pixels.ranges import to_float
from forger.data.pixels.resizing import bicubic, shrink
from forger.networks.content import CONTENT_WEIGHTS, DEPTH, WIDTH
from forger.networks.super_resolution import ConvFeatures
from forger.randomness import generator

SEED, STEPS, BATCH, CROP, RATE, NOISE = 0, 2000, 32, 32, 2e-3, 0.05


def shuffled(x: Tensor, stream: torch.Generator) -> Tensor:
    """The image's tiles of 8x8 pixels in random order: its texture without its structure."""
    order = torch.randperm((CROP // 8) ** 2, generator=stream)
    return F.fold(F.unfold(x, 8, stride=8)[..., order], CROP, 8, stride=8)


def repeated(x: Tensor) -> Tensor:
    """The image at half its size, every pixel four times."""
    return shrink(x, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


#: What can happen to an image (1, 3, CROP, CROP) in [-1, 1].
DEEDS: list[Callable[[Tensor, torch.Generator], Tensor]] = [
    lambda x, stream: x,
    lambda x, stream: bicubic(shrink(x, 2), 2),
    lambda x, stream: bicubic(shrink(x, 4), 4),
    lambda x, stream: repeated(x),
    lambda x, stream: x + NOISE * torch.randn(x.shape, generator=stream),
    shuffled,
]


def treated(images: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random crops of uint8 images in [-1, 1], each with one of `DEEDS` done to it; and which, int64 (n,)."""
    deeds = torch.randint(len(DEEDS), (len(images),), generator=stream)
    corners = torch.randint(images.shape[-1] - CROP + 1, (len(images), 2), generator=stream).tolist()
    crops = [
        DEEDS[deed](to_float(image[None, :, top : top + CROP, left : left + CROP]), stream)
        for image, deed, (top, left) in zip(images, deeds.tolist(), corners, strict=True)
    ]
    return torch.cat(crops), deeds


def train(split: Split, seed: int) -> tuple[ConvFeatures, nn.Linear]:
    """Cross-entropy on the mean features, Adam under a cosine decay."""
    torch.manual_seed(seed)
    network, head = ConvFeatures(3, WIDTH, DEPTH), nn.Linear(WIDTH << (DEPTH - 1), len(DEEDS))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    parameters = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=RATE, fused=True)
    images = split.arrays["image"]
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
        stream = generator(seed, "content", step)
        chosen = torch.randint(len(images), (BATCH,), generator=stream)
        crops, deeds = treated(images[chosen], stream)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(head(network(crops).mean((2, 3))), deeds).backward()
        optimizer.step()
    return network.eval(), head


@torch.no_grad()
def accuracy(network: ConvFeatures, head: nn.Linear, split: Split) -> float:
    """Share of 1,000 treated crops whose deed is told."""
    stream = generator(0, "content", "accuracy")
    images = split.arrays["image"]
    chosen = torch.randint(len(images), (1000,), generator=stream)
    crops, deeds = treated(images[chosen], stream)
    return (head(network(crops).mean((2, 3))).argmax(1) == deeds).double().mean().item()


@torch.no_grad()
def normalise(network: ConvFeatures, split: Split) -> None:
    """Scale the last layer, which ReLU lets through, so that the mean square of the features is 1."""
    features = network(to_float(split.arrays["image"][::16]))
    last = [module for module in network.features if isinstance(module, nn.Conv2d)][-1]
    assert last.bias is not None
    last.weight /= features.square().mean().sqrt()
    last.bias /= features.square().mean().sqrt()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=CONTENT_WEIGHTS)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    data = photos()
    start = time.process_time()
    network, head = train(data.train, SEED)
    print(f"trained in {time.process_time() - start:.1f} CPU s")
    for name in ("train", "validation", "test"):
        print(f"told on {name}: {accuracy(network, head, data.splits[name]):.3f} (by chance {1 / len(DEEDS):.3f})")
    normalise(network, data.train)
    safetensors.torch.save_file(network.state_dict(), out)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
