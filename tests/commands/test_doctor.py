"""What the machine has, and what to do about the rest."""

import json
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from forger import cli
from forger.commands import doctor
from forger.metrics.features import extractors

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}


def test_this_machine_can_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    found = findings(capsys)
    assert not [name for name, finding in found.items() if finding["state"] == "missing"]
    assert found["torch"]["value"] == metadata.version("torch")
    assert found["digits weights"]["state"] == "ok"
    assert {"python", "forger", "configs", "cpu", "wandb", "wandb login", "disk"} <= found.keys()
    inception = found["inception weights"]
    assert inception["state"] == "note"
    assert "https://" in inception["advice"]
    # Whatever is not in order comes with what to do about it.
    assert all(finding["advice"] for finding in found.values() if finding["state"] != "ok")


def test_the_table_keeps_addresses_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "torch" in text
    assert "weights-inception-2015-12-05-6726825d.pth" in text


def test_a_login_is_seen_and_its_key_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789secret")
    assert doctor.examine(as_json=True) == 0
    text = capsys.readouterr().out
    assert "by WANDB_API_KEY" in text
    assert "secret" not in text
    monkeypatch.setenv("WANDB_MODE", "offline")
    [finding] = doctor.tracking()
    assert finding.value == "WANDB_MODE=offline decides"


def test_what_is_missing_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    needs = ["torch>=2.8", "no-such-package>=3", "numpy>=999", "ruff==0; extra == 'dev'"]
    monkeypatch.setattr(metadata, "requires", lambda _: needs)
    assert doctor.examine(as_json=True) == 1
    found = findings(capsys)
    assert found["no-such-package"] == {
        "name": "no-such-package",
        "state": "missing",
        "value": "not installed",
        "advice": "pip install 'no-such-package>=3'",
    }
    assert (found["numpy"]["state"], found["numpy"]["advice"]) == ("note", "pip install 'numpy>=999'")
    assert "ruff" not in found


def test_damaged_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    file = tmp_path / "hub/checkpoints/weights-inception-2015-12-05-6726825d.pth"
    file.write_bytes(b"half")
    monkeypatch.setitem(extractors.SHIPPED, "fashion", (file, "0" * 64))
    digits, fashion, inception = doctor.weights()
    assert (digits.state, fashion.state) == ("ok", "missing")
    assert "install forger again" in fashion.advice
    assert (inception.state, inception.advice) == ("note", "delete it")


def test_a_look_that_needs_a_missing_package_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[doctor.Finding]:
        raise ImportError("No module named 'torch'")

    monkeypatch.setattr(doctor, "_LOOKS", (broken,))
    assert doctor.examine(as_json=True) == 1
    assert "No module named 'torch'" in capsys.readouterr().out


def test_versions_with_known_holes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    true = metadata.version
    installed = {"pytorch-lightning": "2.6.3", "hydra-core": "1.3.2"}
    monkeypatch.setattr(doctor.metadata, "version", lambda name: installed.get(name) or true(name))
    found = [finding for name in installed for finding in doctor.packages() if finding.name == name]
    assert [(finding.state, finding.value, finding.advice) for finding in found] == [
        (
            "note",
            "2.6.3: a compromised upload (Lightning issue 21691)",
            "pip install 'pytorch-lightning>=2.6.6'",
        ),
        (
            "note",
            "2.6.3: a checkpoint can run code in spite of weights_only (CVE-2026-58659, Lightning issue 21913)",
            "pip install 'pytorch-lightning>=2.6.6'",
        ),
        (
            "note",
            "1.3.2: a config can run code, by targets of instantiate (CVE-2026-68508)",
            "pip install 'hydra-core>=1.3.4'",
        ),
    ]
    installed |= {"pytorch-lightning": "2.6.6", "hydra-core": "1.3.4"}
    assert {f.value for f in doctor.packages() if f.name in installed and f.state == "ok"} <= {"2.6.6", "1.3.4"}
    assert not [hole for hole in doctor.HOLES for f in doctor.packages() if hole.what in f.value]


def test_the_floors_leave_out_what_has_known_holes() -> None:
    listed = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    allowed = {requirement.name: requirement.specifier for requirement in map(Requirement, listed)}
    for hole in doctor.HOLES:
        assert hole.mended in str(allowed[hole.package]).split(",")
    for name, version in (("pytorch-lightning", "2.6.5"), ("pytorch-lightning", "2.6.3"), ("hydra-core", "1.3.3")):
        assert version not in allowed[name]
