"""What R1 on every 16th round costs a DCGAN, against no penalty and against R1 on every round.

    python -m scripts.benchmarks.speed.lazy_penalty [--repeats 5] [--publish]

A turn is 16 rounds, of which one has the penalty. One thread, in turn; two minutes.
"""

import torch

from scripts.benchmarks.speed.measuring import Row, interleaved, options, publish, ratios
from scripts.benchmarks.speed.playing import DCGAN_28, DCGAN_32, Match

EVERY = 16


def main() -> None:
    given = options(__doc__, repeats=5).parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, overrides in (("DCGAN 28×28", DCGAN_28), ("DCGAN 32×32×3", DCGAN_32)):
        matches = {
            "none": Match(overrides),
            "each round": Match([*overrides, "+model/penalties=r1"]),
            f"every {EVERY}": Match([*overrides, "+model/penalties=r1", f"+model.penalties.r1.every={EVERY}"]),
        }
        sides = {side: lambda match=match: match.play(EVERY) for side, match in matches.items()}
        costs = interleaved(sides, given.repeats)
        for side, goal in ((f"every {EVERY}", "≤ 1.06"), ("each round", "")):
            what = "R1 each round" if side == "each round" else f"R1 every {EVERY} rounds"
            value = ratios(costs[side], costs["none"])
            rows.append(
                Row(f"{what}, {name}", "no penalty", goal, value, {"with": costs[side], "without": costs["none"]})
            )
    publish("lazy_penalty", rows, given)


if __name__ == "__main__":
    main()
