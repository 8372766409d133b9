"""Two processes against one with the double batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

WORKER = Path(__file__).with_name("ddp_worker.py")


def play(tmp_path, world, loss, rounds):
    path = tmp_path / f"{loss}-{world}.pt"
    environment = os.environ | {"PYTHONPATH": str(WORKER.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, WORKER, path, str(world), loss, str(rounds)]
    subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)
    return torch.load(path)


@pytest.mark.parametrize(("loss", "rounds"), [("non_saturating", 1), ("relativistic", 12)])
def test_two_processes_equal_one_with_the_double_batch(tmp_path, loss, rounds):
    one, two = play(tmp_path, 1, loss, rounds), play(tmp_path, 2, loss, rounds)
    assert one["shown"] == two["shown"] == 64 * rounds
    kind = "gradients" if rounds == 1 else "weights"
    for name, value in one[kind].items():
        difference = (two[kind][name] - value).norm() / value.norm()
        assert difference <= 1e-5, (name, difference)
