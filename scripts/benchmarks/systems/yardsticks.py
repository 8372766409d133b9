"""The Fréchet distance of known damage by the extractors that ship (docs/results/yardsticks.md).

    python -m scripts.benchmarks.systems.yardsticks

Some 30 minutes of a processor, nearly all of it for the mixtures of Gaussians. Needs Debian's dataset-fashion-mnist,
fonts-noto-color-emoji and unicode-data.
"""

import argparse
import statistics

from torch import Tensor

from forger.data.downloads import fashion_mnist
from forger.data.emoji import emoji
from forger.data.images import digits
from forger.metrics.features.damage import damage_table
from forger.metrics.features.extractors import build
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from scripts.benchmarks import pages
from scripts.benchmarks.systems.rival import GAUSSIANS, drawn

MIXTURE = f"not real: {GAUSSIANS} Gaussians on principal components (32 of digits, else 64), median of three fits"


#: Extractor, data, and the principal components of the mixture of Gaussians.
COLUMNS = (
    ("digits", "digits", 32),
    ("fashion", "fashion_mnist", 64),
    ("random", "digits", 32),
    ("random", "fashion_mnist", 64),
    ("random", "emoji", 64),
)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sets = {data.name: data for data in (digits(), fashion_mnist("data/fashion_mnist"), emoji(32))}
    mixtures: dict[str, list[Tensor]] = {}
    columns = []
    for name, data, components in COLUMNS:
        images = {split: sets[data].splits[split].arrays["image"] for split in ("train", "test")}
        n = len(images["test"])
        if data not in mixtures:
            mixtures[data] = [drawn(images["train"], n, components, seed) for seed in range(3)]
        extractor = build(name)
        reference = Reference.build(extractor, images["test"], split=f"{data}/test")
        distances = []
        for draws in mixtures[data]:
            scores = Scores(extractor, reference, ["fd"])
            scores.update(draws)
            distances.append(scores.compute()[f"fd_{name}"])
        values = {**damage_table(extractor, sets[data]), MIXTURE: statistics.median(distances)}
        columns.append({"extractor": name, "data": data, "images": n, "values": values})
    pages.publish("yardsticks", columns)


if __name__ == "__main__":
    main()
