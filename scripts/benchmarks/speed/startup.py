"""How long `forger --help` and `forger train --cfg job` take, against the same behind eager imports.

    python -m scripts.benchmarks.speed.startup [--repeats 5] [--publish]

The other side imports what a template's train.py has at its top (torch, Lightning, torchmetrics, wandb, Hydra) and
then does the same. Fresh processes with warm bytecode, in turn; two minutes.
"""

import sys

from scripts.benchmarks.speed.children import command
from scripts.benchmarks.speed.measuring import Row, interleaved, options, publish, ratios

EAGER = (
    "import hydra, pytorch_lightning, torch, torchmetrics, wandb\n"
    "import sys; from forger.cli import main; sys.exit(main(sys.argv[1:]))"
)


def main() -> None:
    given = options(__doc__, repeats=5).parse_args()
    rows = []
    for arguments, goal in ((["--help"], "≥ 12"), (["train", "--cfg", "job"], "≥ 6")):
        sides = {
            "eager": lambda arguments=arguments: command([sys.executable, "-c", EAGER, *arguments]),
            "forger": lambda arguments=arguments: command([sys.executable, "-m", "forger", *arguments]),
        }
        costs = interleaved(sides, given.repeats)
        what = f"`forger {' '.join(arguments)}`"
        value = ratios(costs["eager"], costs["forger"])
        rows.append(Row(what, "the same behind eager imports", goal, value, costs, unit="ms a process"))
    publish("startup", rows, given)


if __name__ == "__main__":
    main()
