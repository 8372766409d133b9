"""Train the digits extractor on the training split and write the weights that forger ships.

    python scripts/train_extractor.py [--out FILE]

A few seconds on one core. The file's sha256, printed at the end, belongs into forger/metrics/extractors.py:
new weights are a new extractor, and every published fd_digits changes with them. Hence also one thread and a
fixed seed: the same machine and versions give the same file.
"""

import argparse
import math
import time
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from forger.data.dataset import Split
from forger.data.images import digits
from forger.hashing import file_sha256
from forger.metrics.extractors import DIGITS_WEIGHTS, DigitsNetwork
from forger.randomness import generator

SEED, EPOCHS, BATCH, RATE, NOISE = 0, 30, 50, 4e-3, 0.1


def train(split: Split, seed: int) -> DigitsNetwork:
    """Cross-entropy by AdamW under a cosine decay, with noise on the pixels and dropout.

    Chosen on the validation split among variants with and without batch norm, noise and dropout: the best
    accuracy, and the best conditioned covariance of features. No shifts or turns: those are differences that
    a score must see.
    """
    torch.manual_seed(seed)
    network = DigitsNetwork().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    images, labels = split.arrays["image"].float() / 255, split.arrays["label"]
    noise = generator(seed, "extractor", "noise")
    for epoch in range(EPOCHS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2
        order = torch.randperm(len(split), generator=generator(seed, "extractor", epoch))
        for rows in order.split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            noisy = images[rows] + NOISE * torch.randn(len(rows), 1, 8, 8, generator=noise)
            nn.functional.cross_entropy(network(noisy)[1], labels[rows]).backward()
            optimizer.step()
    return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, split: Split) -> float:
    predicted: Tensor = network(split.arrays["image"].float() / 255)[1].argmax(1)
    return (predicted == split.arrays["label"]).double().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=DIGITS_WEIGHTS)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    data = digits()
    start = time.process_time()
    network = train(data.train, SEED)
    print(f"trained in {time.process_time() - start:.1f} CPU s")
    for name in ("train", "validation", "test"):
        print(f"accuracy on {name}: {accuracy(network, getattr(data, name)):.4f}")
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    safetensors.torch.save_file(state, out)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB, sha256 {file_sha256(out)}")


if __name__ == "__main__":
    main()
