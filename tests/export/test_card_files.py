"""`forger export RUN --card`: a folder that can be published as it is, and whose card's code runs."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from PIL import Image

from forger import cli
from forger.run_folder import RunFolder
from running import trained


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_cgan", "metrics=digits")


def exported(run: RunFolder, folder: Path, *options: str) -> Path:
    """A folder with the generator and its card."""
    assert cli.main(["export", str(run), "--card", "-o", str(folder), *options]) == 0
    return folder


def executed(folder: Path, monkeypatch) -> dict:
    """The names that are there after the code of a card, run in its folder."""
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(ModelCard.load(folder / "README.md").text.split("```python\n")[1].split("```")[0], names)
    return names


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_the_folder_can_be_published_and_its_code_runs(run, form, tmp_path, monkeypatch):
    folder = exported(run, tmp_path / "out", "--format", form)
    monkeypatch.setattr(HfApi, "_validate_yaml", lambda *_, **__: None)  # which asks a server
    uploaded = HfApi()._prepare_upload_folder_additions(folder, path_in_repo="")
    assert sorted(each.path_in_repo for each in uploaded) == ["README.md", f"generator.{form}", "samples.png"]
    for file in folder.iterdir():
        content = file.read_bytes()
        for place in (str(run.path.parents[1]), str(tmp_path), sys.prefix):
            assert place.encode() not in content, file
    assert (folder / "samples.png").read_bytes() == (run.samples / "000000640.png").read_bytes()
    text = (folder / "README.md").read_text(encoding="utf-8")
    for name, score in run.read().scores["final"].items():
        assert f"| `{name}` | {score['value']:.4g} |" in text
    pixels = np.asarray(executed(folder, monkeypatch)["pixels"])
    assert (pixels.dtype, pixels.shape) == (np.uint8, (16, 1, 8, 8))
    assert len(np.unique(pixels)) > 20


def test_the_picture_is_of_the_exported_weights(run, tmp_path, monkeypatch):
    shown = np.asarray(Image.open(run.samples / "000000640.png"))
    folder = exported(run, tmp_path / "raw", "--format", "safetensors", "--raw-weights")
    drawn = np.asarray(Image.open(folder / "samples.png"))
    assert drawn.shape == shown.shape
    assert (drawn != shown).any()
    assert "These weights were not scored" in (folder / "README.md").read_text(encoding="utf-8")
    weights = executed(folder, monkeypatch)["weights"]
    assert weights
    assert all(isinstance(tensor, torch.Tensor) for tensor in weights.values())


def test_nothing_is_published_through_a_link_out_of_the_run(run, tmp_path):
    (tmp_path / "diary.txt").write_text("not to be published")
    shutil.copytree(run.path, tmp_path / "copy")
    picture = tmp_path / "copy" / "samples" / "000000640.png"
    picture.unlink()
    picture.symlink_to(tmp_path / "diary.txt")
    folder = exported(RunFolder(tmp_path / "copy"), tmp_path / "out", "--format", "safetensors")
    assert (folder / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_a_card_needs_a_folder(run, tmp_path, capsys):
    assert cli.main(["export", str(run), "--card", "-o", str(tmp_path / "faces.onnx")]) == 2
    assert "a card goes into a folder" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
