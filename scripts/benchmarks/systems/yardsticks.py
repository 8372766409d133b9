"""The Fréchet distance of known damage by the extractors that ship (docs/results/yardsticks.md).

    python -m scripts.benchmarks.systems.yardsticks

Half a minute of a processor. Needs Debian's dataset-fashion-mnist, fonts-noto-color-emoji and unicode-data.
"""

import argparse

from forger.data.downloads import fashion_mnist
from forger.data.emoji import emoji
from forger.data.images import digits
from forger.metrics.features.damage import damage_table
from forger.metrics.features.extractors import build
from scripts.benchmarks import pages


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    sets = {data.name: data for data in (digits(), fashion_mnist("data/fashion_mnist"), emoji(32))}
    columns = [
        {
            "extractor": extractor,
            "data": name,
            "images": len(sets[name].test),
            "values": damage_table(build(extractor), sets[name]),
        }
        for extractor, name in (
            ("digits", "digits"),
            ("fashion", "fashion_mnist"),
            ("random", "digits"),
            ("random", "fashion_mnist"),
            ("random", "emoji"),
        )
    ]
    pages.publish("yardsticks", columns)


if __name__ == "__main__":
    main()
