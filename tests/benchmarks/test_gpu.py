"""`scripts/benchmarks/gpu.sh`: its parts end in time, and its page says which card. Nothing is measured here."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.benchmarks.speed import gpu
from scripts.benchmarks.speed.gpu_steps import STEPS, peak

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmarks" / "gpu.sh"


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("print('fine')", None),
        ("print('so far'); raise ValueError('no such card')", "failed (1): ValueError: no such card"),
        ("import os; os.kill(os.getpid(), 9)", "failed (-9): nothing was said"),
        ("import subprocess, sys; subprocess.run(['sleep', '60'])", "stopped after 1 s"),
    ],
)
def test_a_part_that_fails_or_hangs_is_one_line(program, line, tmp_path):
    began = time.monotonic()
    assert gpu.ended([sys.executable, "-c", program], tmp_path / "part.log", limit=30 if line is None else 1) == line
    assert time.monotonic() - began < 30


def test_the_limits_leave_time_for_the_last_part_and_end_within_eight_minutes():
    assert gpu.WHOLE + 10 <= 8 * 60
    assert set(gpu.LIMITS) == set(gpu.PARTS) - {list(gpu.PARTS)[-1]}


def test_the_page_names_the_card_and_has_what_a_stopped_part_had(tmp_path):
    file = tmp_path / "steps.jsonl"
    file.write_text('{"network": "DCGAN 64", "images/s": 12345.6, "GiB": null}\n{"network": "R3G')
    results = {
        "hardware": "16 cores", "device": "cuda", "smallest": False, "date": "2026-11-28", "seconds": 111.0,
        "versions": {"torch": "2.11.0"},
        "parts": {
            "card": {"seconds": 9.0, "problem": None, "rows": [{"card": "NVIDIA H100 PCIe", "cards": 2}]},
            "steps": {"seconds": 90.0, "problem": "stopped after 90 s", "rows": gpu.rows_of(file)},
        },
    }  # fmt: skip
    lines = gpu.page(results).splitlines()
    assert lines[0] == "# forger on 2 × NVIDIA H100 PCIe"
    assert {"| DCGAN 64 | 12,346 |  |", "**stopped after 90 s**"} <= set(lines)
    assert gpu.skipped([{"skipped": "no weights"}]) == "skipped: no weights"
    assert gpu.rows_of(tmp_path / "none.jsonl") == []


def test_the_peak_is_the_cards_in_the_arithmetic_of_a_step_and_unknown_for_a_part_of_it():
    full, tf32, half = STEPS[:3]
    assert [peak("NVIDIA H100 80GB HBM3", step) for step in (full, tf32, half)] == pytest.approx(
        [66.9e12, 494.7e12, 989.4e12]
    )
    assert peak("NVIDIA H100 PCIe", half) == pytest.approx(756e12)
    assert peak("NVIDIA H100 80GB HBM3 MIG 1g.10gb", half) is None
    assert peak("NVIDIA GeForce GTX 1080", half) is None


def test_the_script_is_a_command():
    assert SCRIPT.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", SCRIPT]).returncode == 0
