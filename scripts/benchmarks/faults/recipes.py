"""What is killed, damaged and starved: experiments, and what no experiment has, in a few rounds."""

import copy
import functools
from pathlib import Path
from typing import Any

from forger.config.shipped import config_groups
from scripts.benchmarks.composing import composed

#: Batches between two of each thing that a run does, in no ratio to each other, and in all.
CHECKPOINTS, SCORES, WATCH, PICTURES, ROUNDS = 3, 7, 4, 10, 12
#: Published recipes need data and hours that are not here.
MEASURED = [name for name in config_groups()["experiment"] if not name.startswith(("cifar10", "celeba64", "ffhq64"))]
_SRGAN = [
    "data.batch_size=4",
    "data.source.turns=1",
    "data.source.stride=24",
    "model.generator.width=4",
    "model.generator.blocks=1",
    "model.discriminator.width=4",
]
#: What else is small in the experiments whose networks or scores would take most of the time.
SMALL = {
    "digits_cgan": ["metrics.evaluations.conditional.n=100"],
    "digits_cyclegan": [
        "data.batch_size=4",
        "model.generator_ab.width=4",
        "model.generator_ab.blocks=1",
        "model.discriminator_a.width=4",
    ],
    "digits_cyclegan_rotated": ["data.batch_size=4", "model.generator_ab.width=4"],
    "digits_dcgan": ["model.generator.width=4", "model.discriminator.width=4"],
    # What is left out digits_cgan and stacked_digits do too, on fewer images.
    "fashion_cgan": [
        "model.generator.width=4",
        "model.discriminator.width=4",
        "data.batch_size=4",
        "~metrics.evaluations.conditional",
        "metrics.evaluations.quality.scores=[fd,is]",
        "samples.closing=[]",
    ],
    "photos_srgan": _SRGAN,
    "photos_srgan_x4": _SRGAN,
    "stacked_digits": ["data.batch_size=32"],
}
#: Games and objectives that no experiment has, as a command line would have them.
OTHERS = {
    "reacgan": ["experiment=digits_acgan", "model/objectives=[reacgan]"],
    "stylegan2": [
        *("model=stylegan2", "data=digits", "model.latent=8", "model.generator.width=4", "model.discriminator.width=4"),
        *("model.objectives.path_length.every=2", "model.penalties.r1.every=4"),
    ],
    "aae": ["model=aae", "data=digits"],
    "vaegan": ["model=vaegan", "data=digits"],
    "vqvae": ["model=vqvae", "data=digits", "model.revive=5"],
}


@functools.cache
def small(experiment: str) -> Any:
    """The experiment, or one of the `OTHERS`, with everything that it does, in a few rounds."""
    chosen = [*OTHERS.get(experiment, [f"experiment={experiment}"]), *SMALL.get(experiment, [])]
    batch = composed(*chosen).data.batch_size
    every = {"checkpoint": CHECKPOINTS, "metrics": SCORES, "watch": WATCH, "samples": PICTURES}
    intervals = [f"{name}.every_images={batches * batch}" for name, batches in every.items()]
    length = [f"budget.images={ROUNDS * batch}", "metrics.n=64", "samples.n=9", "log.every=2"]
    return composed(*chosen, *intervals, *length, "trainer.threads=1", "logger=none")


def small_in(experiment: str, root: Path) -> Any:
    """The same in a folder of runs."""
    config = copy.deepcopy(small(experiment))
    config.run.root = str(root)
    return config
