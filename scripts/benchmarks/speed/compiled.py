"""What `trainer.compile=default` brings on this processor: a round compiled against a round as it is written.

    python -m scripts.benchmarks.speed.compiled [--repeats 5] [--publish]

Rounds of 64 images on one thread, without a Trainer around them. What compilation costs is the time of the first rounds
less that of later ones, with empty caches, the C++ compiler's included. About two minutes.
"""

import math
import os
import resource
import statistics
import time

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # compile everything anew,
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # and where it can be seen

import torch

from forger.compilation import compile_networks
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, publish, ratios
from scripts.benchmarks.speed.playing import DCGAN_32, MLP_8, Match

#: Networks, and rounds of a measurement.
CASES = {"MLP 8×8": (MLP_8, 200), "DCGAN 32×32×3": (DCGAN_32, 5)}
#: Rounds until every variant of every network has been seen.
FIRST = 3


def with_children() -> Cost:
    """Time so far, of this process and of the compilers that it has started."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Cost(sum(usage.ru_utime + usage.ru_stime for usage in spent), time.perf_counter())


def row(name: str, repeats: int) -> Row:
    """One case: the ratio, and when compilation has paid."""
    overrides, rounds = CASES[name]
    plain, compiled = Match(overrides), Match(overrides)
    before = with_children()
    compile_networks(compiled.game, "default", torch.device("cpu"))
    compiled.play(FIRST)
    after = with_children()
    costs = interleaved({"eager": lambda: plain.play(rounds), "compiled": lambda: compiled.play(rounds)}, repeats)
    eager, fast = (statistics.median(cost.cpu for cost in costs[side]) for side in ("eager", "compiled"))
    spent = after.cpu - before.cpu - FIRST * fast
    paid = math.ceil(spent / (eager - fast)) if fast < eager else None
    when = f"paid back after {paid:,} rounds ({64 * paid:,} images)" if paid else "never paid back"
    note = f"compiling took {spent:.1f} s ({after.wall - before.wall:.1f}), {when}"
    return Row(
        f"{name}: a round, compiled",
        "as it is written",
        "",
        ratios(costs["compiled"], costs["eager"]),
        costs,
        note=note,
    )


def main() -> None:
    given = options(__doc__, repeats=5).parse_args()
    torch.set_num_threads(1)
    publish("compiled", [row(name, given.repeats) for name in CASES], given)


if __name__ == "__main__":
    main()
