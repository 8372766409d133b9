"""What the watch costs: processor time of the default run with it and without it, in turn, and of its checks alone."""

import statistics
import time
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from forger.callbacks.watching import Feed, Watching
from forger.cli import conf_folder
from forger.run import train

#: Images of a measured run, and between two checks, as in the whole one.
IMAGES, EVERY = 40_000, 5_000
#: What else looks at the game is left out, so that the share is that of training alone.
COMMON = ("logger=none", "trainer.threads=1", "samples.every_images=null", "metrics.every_images=null")


def measure(root: Path, repeats: int = 3) -> dict[str, Any]:
    """Seconds of processor time per run, and the share that the watch's own calls take."""
    spent = _timed()
    seconds: dict[str, list[float]] = {"warn": [], "none": []}
    shares, checks = [], 0
    for repeat in range(-1, repeats):
        for action in seconds:
            overrides = [*COMMON, f"budget.images={IMAGES}", f"watch.every_images={EVERY}"]
            overrides += [f"watch.action={action}", f"run.root={root}", "run.restart=true"]
            with initialize_config_dir(str(conf_folder()), version_base="1.3"):
                config = compose("train", overrides)
            spent.clear()
            start = time.process_time()
            train(config)
            total = time.process_time() - start
            if repeat < 0:
                continue  # the first pair warms up
            seconds[action].append(total)
            if action == "warn":
                checks = len(spent)
                shares.append(sum(spent) / total)
    return {
        "with": statistics.median(seconds["warn"]),
        "without": statistics.median(seconds["none"]),
        "share": statistics.median(shares),
        "shares": shares,
        "calls": checks,
        "images": IMAGES,
        "repeats": repeats,
    }


def _timed() -> list[float]:
    """Have every call of the watch during training add its processor time to the list."""
    spent: list[float] = []

    def timed(method: Any) -> Any:
        def call(*arguments: Any) -> None:
            start = time.process_time()
            method(*arguments)
            spent.append(time.process_time() - start)

        return call

    for kind in (Watching, Feed):
        kind.on_train_batch_end = timed(kind.on_train_batch_end)
    return spent
