"""A classifier is trained on a labelled set, and kept as an extractor for scores."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import nn

from forger.building import values_of
from forger.config.instantiation import built
from forger.config.schema import validate
from forger.console import console, say, show_lines
from forger.data.dataset import Data, Split
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.errors import ConfigError
from forger.metrics.features.base import extract
from forger.metrics.features.classifier import ClassifierExtractor, ClassifierNetwork, Shape, write
from forger.metrics.features.damage import MOST, damage_table
from forger.metrics.features.extractors import FASHION_WEIGHTS, NAMES
from forger.randomness import derived_seed, generator
from forger.sweeps.composing import configs

#: Images shown while training: each so many times, and no more than so many in all.
TIMES, SHOWN = 60, 600_000
BATCH, RATE, WEIGHT_DECAY, WARM_UP, SMOOTHING = 100, 4e-3, 0.05, 200, 0.1


def make_extractor(overrides: Sequence[str], options: Mapping[str, Any]) -> int:
    """Train, write the file, and print what the extractor in it is worth.

    Args:
        overrides: `data=NAME` and other overrides of the config's `data` and `seed`.
        options: `output`, the file; `config-dir`, the user's own configs.

    Raises:
        ConfigError: data without classes, or a file's name that can't be.
    """
    show_lines()
    strange = [text for text in overrides if not re.match(r"\+{0,2}(data\b|seed=)", text)]
    if strange:
        raise ConfigError(f"extractor {strange[0]}: only data and seed count here: forger extractor data=NAME")
    if not any(re.match(r"data=", text) for text in overrides):
        raise ConfigError("extractor: of which data? forger extractor data=NAME")
    with configs(options.get("config-dir", ())) as compose:
        config = compose("train", ["model=gan", "metrics=none", "logger=none", *overrides])
    if "channels" not in config.data:
        raise ConfigError(f"data={config.data.name}: these are points, and an extractor takes images")
    checked = validate(config)
    data = built("data.source", checked.data.source)
    data.check(vars(checked.data) | {"depth": values_of(checked.data)})
    out = _file(options.get("output"), data)
    channels, height, width = data.shape
    if data.classes < 2 or "label" not in data.train.arrays:
        raise ConfigError(f"data={data.name}: an extractor is trained on images of at least two classes")
    shape = Shape.of(channels, (height, width), data.classes)
    network = fit(ClassifierNetwork(shape), data.train, data.values, seed=checked.seed, flip=checked.data.flip)
    about = {
        "preprocessing": "uint8 / 255" if data.values == BYTES else f"{data.values} as 0 to 1",
        "data": data.name,
        "fingerprint": data.fingerprint,
        "seed": checked.seed,
    }
    write(out, network, shape, out.stem, data.values, **about)
    right = {
        name: accuracy(ClassifierExtractor(out).of(data.values), data.splits[name]) for name in ("validation", "test")
    }
    write(out, network, shape, out.stem, data.values, **about, accuracy=right)
    _show(ClassifierExtractor(out), data, right, out)
    return 0


def fit(
    network: ClassifierNetwork, split: Split, values: ValueRange = BYTES, *, seed: int, flip: bool = False
) -> ClassifierNetwork:
    """Train on a split with "image" and "label": cross-entropy by AdamW, the rate falling along half a cosine.

    With `flip` images are mirrored at random, and otherwise shown as they are: what training makes a network blind
    to, its scores don't see.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(derived_seed(seed, "extractor"))  # dropout, and the weights to begin with
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
    network.train().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    images, labels = split.arrays["image"], split.arrays["label"]
    batch = min(BATCH, len(split))
    rounds = max(1, min(TIMES * len(split), SHOWN) // batch)
    stream, order = generator(seed, "extractor", "order"), torch.empty(0, dtype=torch.long)
    columns = [TextColumn("training"), BarColumn(20), TimeRemainingColumn()]
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for step in progress.track(range(rounds)):
            if len(order) < batch:
                order = torch.randperm(len(split), generator=stream)
            rows, order = order[:batch], order[batch:]
            shown = values.of_255(images[rows].to(device)).float() / 255
            if flip:
                mirrored = torch.rand(len(rows), 1, 1, 1, generator=stream) < 0.5
                shown = torch.where(mirrored.to(device), shown.flip(-1), shown)
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / rounds)) / 2
            optimizer.zero_grad(set_to_none=True)
            logits = network(shown)[1]
            nn.functional.cross_entropy(logits, labels[rows].to(device), label_smoothing=SMOOTHING).backward()
            optimizer.step()
    return network.cpu().eval()


def accuracy(extractor: ClassifierExtractor, split: Split) -> float:
    """The share of a split's images that the extractor puts into their class."""
    logits = extract(extractor, split.arrays["image"]).logits
    assert logits is not None
    return float((logits.argmax(1) == split.arrays["label"]).double().mean())


def _file(output: str | None, data: Data) -> Path:
    name = re.sub(r"\W+", "_", data.name)
    out = Path(output or (f"{name}_own.safetensors" if name in NAMES else f"{name}.safetensors"))
    if out.suffix != ".safetensors" or not re.fullmatch(r"\w{1,64}", out.stem):
        raise ConfigError(
            f"-o {out}: NAME.safetensors, where NAME, of letters, digits and _, is what scores are called by"
        )
    if out.stem in NAMES and out.resolve() != FASHION_WEIGHTS:
        raise ConfigError(f"-o {out}: {out.stem} is the name of forger's own extractor; take another")
    if not out.parent.is_dir():
        raise ConfigError(f"-o {out}: there is no folder {out.parent}")
    return out


def _show(extractor: ClassifierExtractor, data: Data, right: Mapping[str, float], out: Path) -> None:
    screen = Console(soft_wrap=True, highlight=False)
    n = min(MOST, len(data.test))
    table = Table("images", f"fd_{extractor.name}", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = "right"
    for name, value in damage_table(extractor, data).items():
        table.add_row(name, f"{value:.3g}")
    screen.print(f"right: {right['test']:.2%} of {len(data.test)} test images, "
                 f"{right['validation']:.2%} of {len(data.validation)} for validation")  # fmt: skip
    screen.print(f"Fréchet distance of {n} training images, as they are and damaged, to {n} test images:")
    screen.print(table)
    size = out.stat().st_size / 1000
    say(f"{out}: {size:.0f} kB, sha256 {extractor.weights_sha256}; scores take it as extractor")
