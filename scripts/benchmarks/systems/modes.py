"""Mode coverage over three seeds, and a classical rival on digits (docs/results/modes.md).

    python -m scripts.benchmarks.systems.modes [--root runs/modes] [--seeds 0 1 2] [--only ring8 …] [--workers 2]
                                               [--table-only]

One thread a run. The same command is the same run, so that this can be stopped and started again.
"""

from forger.data.dataset import Data
from forger.data.images import digits
from forger.metrics.features.extractors import DigitsExtractor
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from scripts.benchmarks import pages
from scripts.benchmarks.systems.recipes import COVERAGE, PICTURES, SCORES
from scripts.benchmarks.systems.rival import drawn
from scripts.benchmarks.systems.training import options, summary, train


def rival(seed: int) -> dict[str, float]:
    """Scores on test of as many draws from a mixture of Gaussians, fitted on train."""
    data = digits()
    scores = judge(data)
    scores.update(drawn(data.train.arrays["image"], len(data.test), 32, seed))
    values = scores.compute()
    return {name: values[name] for name in SCORES if name in values}


def judge(data: Data) -> Scores:
    """The scores of `metrics=conditional` that look at images alone."""
    extractor = DigitsExtractor()
    parts = {name: data.splits[name].arrays["image"] for name in ("train", "test")}
    known = {name: Reference.build(extractor, images, split=f"digits/{name}") for name, images in parts.items()}
    return Scores(extractor, known["test"], ["fd", "is", "memorisation"], train=known["train"])


def main() -> None:
    given = options(__doc__, "modes").parse_args()
    if not given.table_only:
        train(COVERAGE + PICTURES, given)
    found = {system.name: summary(system, given.root, "modes") for system in COVERAGE + PICTURES}
    pages.publish("modes", {"systems": found, "rival": {str(seed): rival(seed) for seed in given.seeds}})


if __name__ == "__main__":
    main()
