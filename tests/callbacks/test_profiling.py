"""A profile is one override away, and changes nothing."""

import json

import pytest

from running import trained


def test_profile_names_the_parts_of_a_round_and_leaves_the_weights_alone(tmp_path):
    small = ("model=gan", "data.batch_size=16", "budget.images=800", "metrics=none", "checkpoint.every_images=null")
    plain = trained(tmp_path / "plain", *small)
    profiled = trained(tmp_path / "profiled", *small, "trainer.profile=true")
    assert profiled.read().weights_sha256 == plain.read().weights_sha256
    assert profiled.read().id == plain.read().id
    table = (profiled.path / "profile" / "table.txt").read_text()
    for part in ("prepared", "discriminator's objective", "generator's move", "aten::addmm"):
        assert part in table
    times = [float(line.split()[0]) for line in table.split("\n\n")[0].splitlines()[1:]]
    assert sum(times[:-1]) == pytest.approx(times[-1], abs=0.01)
    assert all(time > 0 for time in times)
    events = json.loads((profiled.path / "profile" / "trace.json").read_text())["traceEvents"]
    assert sum(event["name"] == "forger: generator's objective" for event in events) == 20


def test_a_run_too_short_says_so(tmp_path, capsys):
    run = trained(tmp_path, "model=gan", "metrics=none", "trainer.profile=true")
    assert not (run.path / "profile").exists()
    assert "no profile: it needs 45 rounds, this run had 10" in run.log_file.read_text()
