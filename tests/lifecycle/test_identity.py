"""What determines a result is what a run is named by."""

from typing import Any

import pytest

from forger.lifecycle.identity import run_id
from lifecycle.configs import CONFIG, changed


@pytest.mark.parametrize(
    "changes",
    [
        {"logger": {}},
        {"run__root": "/elsewhere"},
        {"run__name": "b"},
        {"run__restart": True},
        {"trainer__accelerator": "gpu"},
        {"trainer__devices": 2},
        {"trainer__strategy": "ddp"},
        {"trainer__threads": 1},
        {"data__source__root": "/elsewhere"},
        {"data__source__n": 4},
        {"data__root": "/elsewhere"},
        {"model__lr": 1},
    ],
)
def test_what_does_not_determine_the_result_is_no_part_of_the_identity(changes: dict[str, Any]) -> None:
    assert run_id(changed(**changes), "0.1.0", "f") == run_id(CONFIG, "0.1.0", "f")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"budget__images": 1001},
        {"data__batch_size": 32},
        {"model__lr": 1.5},
        {"model__betas": [0.999, 0.5]},
        {"model__width": "8"},
        {"trainer__precision": "bf16-mixed"},
    ],
)
def test_what_determines_the_result_is_part_of_the_identity(changes: dict[str, Any]) -> None:
    assert run_id(changed(**changes), "0.1.0", "f") != run_id(CONFIG, "0.1.0", "f")


def test_version_and_data_are_part_of_the_identity() -> None:
    ids = {run_id(CONFIG, "0.1.0", "f"), run_id(CONFIG, "0.1.1", "f"), run_id(CONFIG, "0.1.0", "g")}
    assert len(ids) == 3
    assert all(len(i) == 12 and int(i, 16) >= 0 for i in ids)


def test_the_order_of_keys_does_not_matter() -> None:
    assert run_id(dict(reversed(CONFIG.items())), "0.1.0", "f") == run_id(CONFIG, "0.1.0", "f")
