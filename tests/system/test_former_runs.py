"""Runs that a former version made are listed, sampled, evaluated, continued and reported by this one.

`tests/system/former` holds a finished conditional GAN and an interrupted VAE, each with its config, rows and
checkpoints, and the last checkpoint of the same VAE run that was not interrupted.
"""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from forger import cli
from forger.config.former_names import former_name, present_name
from forger.config.targets import Node, checked
from forger.config.trust import trusted_target
from forger.lifecycle.identity import run_id
from forger.run_folder import RunFolder

FORMER = Path(__file__).parent / "former"
CGAN, VAE = "former_cgan/7b1893bce849", "former_vae/f8d2ee7f930e"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `runs` of a working directory, with both of them."""
    for run in (CGAN, VAE):
        shutil.copytree(FORMER / run, tmp_path / "runs" / run)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def test_they_are_listed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs", "--json"]) == 0
    states = {Path(entry["path"]).name: entry["status"] for entry in json.loads(capsys.readouterr().out)}
    assert states == {"7b1893bce849": "finished", "f8d2ee7f930e": "interrupted"}


@pytest.mark.parametrize("run", [CGAN, VAE])
def test_they_are_sampled(runs: Path, run: str) -> None:
    assert cli.main(["sample", f"runs/{run}", "--n", "4", "--out", "samples.npz"]) == 0
    assert Path("samples.npz").stat().st_size > 4 * 8 * 8


def test_their_scores_are_the_recorded_ones(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the asked labels alone the draw has changed since: what does not depend on them has not."""
    record = RunFolder(runs / CGAN).read()
    assert cli.main(["evaluate", f"runs/{CGAN}", "--scores", "fd", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)["scores"]["fd_digits"]["value"]
    assert value == pytest.approx(record.scores["final"]["fd_digits"]["value"], rel=0.05)


def test_they_are_reported(runs: Path) -> None:
    assert cli.main(["report", "runs", "-o", "report.html"]) == 0
    page = Path("report.html").read_text(encoding="utf-8")
    assert "former_cgan" in page
    assert "former_vae" in page


@pytest.mark.parametrize("run", [CGAN, VAE])
def test_the_same_command_is_the_same_run(runs: Path, run: str) -> None:
    """The finished one is told of; the interrupted one continues to the weights of the undisturbed one."""
    record = RunFolder(runs / run).read()
    assert cli.main(shlex.split(record.command)[1:]) == 0
    assert [folder.name for folder in (runs / run).parent.iterdir()] == [record.id]
    assert RunFolder(runs / run).read().status == "finished"
    if run == VAE:
        wanted = torch.load(FORMER / "former_vae_undisturbed.ckpt", weights_only=True)["state_dict"]
        weights = torch.load(runs / run / "checkpoints/final.ckpt", weights_only=True)["state_dict"]
        assert weights.keys() == wanted.keys()
        for name, value in wanted.items():
            # Another processor rounds differently than the one that made them.
            torch.testing.assert_close(weights[name], value, rtol=0.0, atol=2e-3)


#: What configs of 0.1 and runs of it may build, by modules of `forger.metrics`.
NAMES = {
    "autoencoding": "Denoising Reconstruction Sparsity Variational",
    "classes": "ClassCoverage",
    "classifier": "ClassifierExtractor",
    "conditional": "ConditionalAccuracy",
    "dinov2": "DINOv2Extractor",
    "enlargement": "Enlargement",
    "evaluation": "SampleQuality",
    "extractors": "DigitsExtractor FashionExtractor",
    "factors": "LatentFactors",
    "inception": "InceptionExtractor",
    "perceptual": "LPIPS FeatureDistance Perceptual",
    "points": "DensityMatch ModeCoverage",
    "translation": "ClassPreserved Cycle HiddenTruth",
    "untrained": "RandomExtractor",
}


@pytest.mark.parametrize(
    "target",
    [
        "forger.games.autoencoder.VariationalGame",
        *(f"forger.metrics.{m}.{name}" for m in NAMES for name in NAMES[m].split()),
    ],
)
def test_former_names_lead_to_what_they_named(target: str) -> None:
    present = present_name(target)
    assert present != target
    assert trusted_target(present)
    assert former_name(present) == former_name(target) == target


def test_a_config_with_former_names_is_built_and_is_the_same_run() -> None:
    def config(target: str) -> dict[str, Any]:
        return {"metrics": {"evaluations": [{"_target_": target, "pca": False}]}}

    former, present = (
        f"forger.metrics.{place}.Reconstruction" for place in ("autoencoding", "evaluations.autoencoding")
    )
    node = checked(config(former)["metrics"]["evaluations"][0], Node, "x", untrusted=True)
    assert node == {"_target_": present, "pca": False}
    ids = {run_id(config(target), "0.1.0", "f") for target in (former, present)}
    # As the version that knew the former name alone computed it.
    assert ids == {"7c83fb2c444c"}
