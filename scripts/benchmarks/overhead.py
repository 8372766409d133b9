"""What forger's training costs above a bare PyTorch loop with the same networks on the same data.

    python scripts/benchmarks/overhead.py [--repeats 7]

The bare loop is tuned (fused Adam, data on the device, fakes made once a round, D frozen in G's step, the same memory
format) and does nothing else. forger's side is a whole `fit` as a user runs it: progress bar, CSV logger, record,
moving average, checkpoints at their interval, budget. Both on one thread, in turn; CPU seconds a round; medians of the
ratios, with the range of the middle half.
"""

import argparse
import io
import itertools
import os
import statistics
import sys
import tempfile
import time
from typing import Any

os.environ["FORCE_COLOR"] = "1"  # the bar is drawn although nobody looks

import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import Callback
from torch.nn.functional import softplus

from forger import run
from forger.cli import conf_folder
from forger.data.images import Data, Split, digits
from forger.data.loader import Batches
from forger.data.ranges import to_float
from forger.randomness import generator
from forger.records import RunFolder
from forger.schema import validate


class Stopwatch(Callback):
    """CPU seconds of training, from its first to its last round, everything that happens between included."""

    seconds = 0.0

    def on_train_start(self, *_: Any) -> None:
        Stopwatch.seconds = time.process_time()

    def on_train_end(self, *_: Any) -> None:
        Stopwatch.seconds = time.process_time() - Stopwatch.seconds


def all_digits() -> Data:
    """Every digit as training data: 28 rounds an epoch at a batch of 64."""
    whole = digits()
    images = torch.cat([split.arrays["image"] for split in whole.splits.values()])
    return Data("all_digits", Split({"image": images}), whole.validation, whole.test)


def noise(size: int, channels: int, n: int = 640) -> Data:
    """Random pixels: the arithmetic does not care."""
    images = torch.randint(256, (n, channels, size, size), dtype=torch.uint8, generator=generator(0, "noise"))
    split = Split({"image": images})
    return Data("noise", split, split, split)


def ours(overrides: list[str], data: Data, rounds: int) -> float:
    """CPU seconds a round of a whole `fit`."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        settings = validate(compose("train", [*overrides, f"budget.images={64 * rounds}"]))
    settings["callbacks"] = {"stopwatch": {"_target_": f"{__name__}.Stopwatch"}}
    with tempfile.TemporaryDirectory() as folder:
        run.prepare_torch(settings["trainer"])
        place = RunFolder(folder)
        with place.lock():
            run.fit(settings, data, place, "0" * 12)
    return Stopwatch.seconds / rounds


def bare(overrides: list[str], data: Data, rounds: int) -> float:
    """CPU seconds a round of the bare loop."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        settings = validate(compose("train", overrides))
    game: Any = run.build_game(settings)
    G, D, latent = game.generator, game.discriminator, settings["model"]["latent"]
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for net in (G, D))
    stream = iter(Batches(data.train, batch_size=64, seed=0, position=lambda: 0))
    parameters = list(D.parameters())
    started = time.process_time()
    for batch in itertools.islice(stream, rounds):
        real = to_float(batch["image"])
        fake = G(torch.randn(len(real), latent))
        loss = softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        for parameter in parameters:
            parameter.requires_grad_(False)
        opt_g.zero_grad()
        softplus(-D(fake)).mean().backward()
        opt_g.step()
        for parameter in parameters:
            parameter.requires_grad_(True)
    return (time.process_time() - started) / rounds


COMMON = ["logger=csv", "trainer.threads=1", "metrics=none"]
CASES = {
    # name: (overrides, data, rounds of a measurement, a checkpoint each so many images)
    "MLP 8×8": (["model=gan", "data.classes=0"], all_digits, 28 * 40, 28 * 64 * 10),
    "DCGAN 32×32×3": (["model=dcgan", "data.size=32", "data.channels=3"], lambda: noise(32, 3), 40, 20_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES))
    options = parser.parse_args()
    repeats = options.repeats
    print("| case | bare, ms a round | forger, ms a round | forger ÷ bare | middle half |\n|---|---|---|---|---|")
    for name in options.only:
        overrides, build, rounds, interval = CASES[name]
        data = build()
        overrides = [*COMMON, *overrides, f"checkpoint.every_images={interval}", "samples.every_images=null"]
        bare(overrides, data, max(3, rounds // 10))
        plain, framework = [], []
        for _ in range(repeats):
            plain.append(bare(overrides, data, rounds))
            terminal, sys.stderr = sys.stderr, io.StringIO()
            try:
                framework.append(ours(overrides, data, rounds))
            finally:
                sys.stderr = terminal
        ratios = sorted(b / a for a, b in zip(plain, framework, strict=True))
        quarter = len(ratios) // 4
        print(
            f"| {name} | {1e3 * statistics.median(plain):.2f} | {1e3 * statistics.median(framework):.2f} "
            f"| {statistics.median(ratios):.3f} | {ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
