"""What saving checkpoints costs of the time that training takes, at the default intervals: one line per experiment.

python scripts/benchmarks/saving.py digits_cgan photos_srgan
"""

import sys
import tempfile
import time
from typing import Any

from hydra import compose, initialize_config_dir

from forger.callbacks.checkpoints import Checkpoints
from forger.cli import conf_folder
from forger.run import train


def main(experiments: list[str]) -> None:
    """Train each of them whole, with a stop watch on the saving."""
    save = Checkpoints._save
    spent: list[float] = []

    def timed(self: Checkpoints, *arguments: Any) -> None:
        began = time.perf_counter()
        save(self, *arguments)
        spent.append(time.perf_counter() - began)

    Checkpoints._save = timed  # type: ignore[method-assign]
    print("| experiment | saves | ms a save (median) | seconds of training | share |\n|---|---|---|---|---|")
    for experiment in experiments:
        spent.clear()
        with tempfile.TemporaryDirectory() as root, initialize_config_dir(str(conf_folder()), version_base="1.3"):
            config = compose(
                "train", [f"experiment={experiment}", f"run.root={root}", "logger=none", "trainer.threads=1"]
            )
            began = time.perf_counter()
            train(config)
            seconds = time.perf_counter() - began
        median, share = sorted(spent)[len(spent) // 2], sum(spent) / seconds
        print(f"| `{experiment}` | {len(spent)} | {1000 * median:.1f} | {seconds:.0f} | {share:.2%} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["digits_cgan"])
