"""What bfloat16 does to the score: `digits_dcgan` in float32 and in mixed precision, over the same seeds.

    python -m scripts.benchmarks.speed.precision [--repeats 3] [--publish]

Whole runs as configured, one thread, without pictures and scores on the way; `fd_digits` of the final average on the
test split. A repeat is a seed. About a minute a run, two runs a seed.
"""

import statistics
import tempfile
from pathlib import Path

import torch

from forger.run import train
from forger.run_folder import RunFolder
from scripts.benchmarks.composing import composed
from scripts.benchmarks.speed.measuring import Cost, Row, options, publish, ratios, timed

PRECISIONS = ("32-true", "bf16-mixed")
LEAN = (
    "trainer.threads=1",
    "logger=none",
    "samples.every_images=null",
    "samples.closing=[]",
    "metrics.every_images=null",
)


def run(precision: str, seed: int, root: Path) -> tuple[float, Cost]:
    """`fd_digits` on test of a whole run, and what the run cost."""
    overrides = ["experiment=digits_dcgan", f"seed={seed}", f"trainer.precision={precision}", *LEAN]
    config = composed(*overrides)
    folder = RunFolder(root / f"{precision}-{seed}")
    cost = timed(lambda: train(config, folder))
    score = folder.read().scores["final"]["fd_digits"]["value"]
    assert score is not None
    return score, cost


def rows(scores: dict[str, list[float]], costs: dict[str, list[Cost]]) -> list[Row]:
    """The difference of the means in units of the spread over seeds, and the time."""
    full, half = (scores[precision] for precision in PRECISIONS)
    difference = statistics.mean(half) - statistics.mean(full)
    spread = statistics.stdev(full)
    listed = "; ".join(f"{name} {', '.join(f'{score:.2f}' for score in scores[name])}" for name in PRECISIONS)
    return [
        Row(
            "fd_digits, bf16 − float32, in standard deviations of the seeds (absolute)",
            "float32, same seeds",
            "≤ 1",
            [abs(difference) / spread],
            note=f"{listed}; difference of the means {difference:+.2f}, spread {spread:.2f}",
        ),
        Row(
            "digits_dcgan in float32, whole runs",
            "bf16",
            "",
            ratios(costs["32-true"], costs["bf16-mixed"]),
            costs,
            scale=1.0,
            unit="s a run",
        ),
    ]


def main() -> None:
    given = options(__doc__, repeats=3).parse_args()
    torch.set_num_threads(1)
    scores: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    costs: dict[str, list[Cost]] = {precision: [] for precision in PRECISIONS}
    with tempfile.TemporaryDirectory() as root:
        for seed in range(given.repeats):
            for precision in PRECISIONS:
                score, cost = run(precision, seed, Path(root))
                scores[precision].append(score)
                costs[precision].append(cost)
    publish("precision", rows(scores, costs), given)


if __name__ == "__main__":
    main()
