"""Killed, damaged and starved runs end as undisturbed ones: `scripts/benchmarks/faults/runs.py`, small."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from forger.config.shipped import conf_folder, config_groups
from forger.data.downloads import DEBIAN_FASHION_MNIST
from running import Begun, without
from scripts.benchmarks.faults.recipes import OTHERS, small

REPOSITORY = Path(__file__).parents[2]
#: The cheapest come first: what is damaged and starved.
CHEAP = ["digits_sparse_ae", "digits_denoising_ae", "digits_gan_saturation", "digits_gan"]
#: Fashion-MNIST and emoji are played by the games of the digits, and their scores would take most of the time.
#: Published recipes need data and hours that are not here.
LONG = [
    name for name in config_groups()["experiment"]
    if name.startswith(("fashion", "emoji", "cifar10", "celeba64", "ffhq64")) and name != "fashion_cgan"
]  # fmt: skip
EXPERIMENTS = CHEAP + [name for name in config_groups()["experiment"] if name not in CHEAP + LONG] + list(OTHERS)


def lacking(experiment: str) -> bool:
    return experiment.startswith("fashion") and not DEBIAN_FASHION_MNIST.is_dir()


@pytest.fixture(scope="module")
def findings() -> dict[str, Any]:
    """One SIGKILL for every experiment, four damaged checkpoints, two full disks."""
    options = ["--json", "--kills", "1", "--damages", "4", "--no-ranks"]
    options += ["--only", ",".join(name for name in EXPERIMENTS if not lacking(name))]
    done = Begun(*options, cwd=REPOSITORY, module="scripts.benchmarks.faults.runs").ended(timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_every_game_and_objective_is_among_them():
    shipped = re.findall(
        r"_target_: forger\.(?:games\.\w+\.\w+Game|games\.processes\.\w+|losses\.(?:objectives|path_length)\.\w+)",
        "".join(file.read_text() for file in conf_folder().glob("model/**/*.yaml")),
    )
    played = str([small(name).model for name in EXPERIMENTS])
    assert not [target for target in shipped if f"'{target.removeprefix('_target_: ')}'" not in played]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.long
def test_a_killed_run_ends_like_an_undisturbed_one(findings, experiment):
    """Weights, averages, optimisers, pools, watch, scores, rows, alerts and pictures, bit by bit."""
    if lacking(experiment):
        without("Fashion-MNIST", "dataset-fashion-mnist")
    runs = [run for run in findings["kills"] if run["experiment"] == experiment]
    assert sum(run["kills"] for run in runs) >= 1
    assert all(run["different"] == [] for run in runs)


@pytest.mark.long
def test_some_were_killed_while_a_checkpoint_was_being_written(findings):
    assert sum(run["in_a_save"] for run in findings["kills"]) >= 3


@pytest.mark.long
def test_damaged_checkpoints_are_recovered_from_or_refused_by_name(findings):
    outcomes = [damage["outcome"] for damage in findings["damages"]]
    assert len(outcomes) == 4
    assert set(outcomes) == {"recovered, identical", "refused by name"}


@pytest.mark.long
def test_a_full_disk_is_one_line_and_loses_nothing(findings):
    disks = [disk for disk in findings["disk"] if disk]
    assert disks
    for disk in disks:
        assert disk["kept"], disk
        assert "No space left on device" in disk["line"] or "File too large" in disk["line"]
