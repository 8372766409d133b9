"""Of a stranger's config model, the data's name and numbers count; places, loggers and callbacks are the reader's."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import servers
from forger import cli
from forger.config.shipped import conf_folder
from forger.config.targets import checked
from forger.errors import ConfigError
from forger.lifecycle.finding import config_of
from forger.lifecycle.forking import fork
from forger.lifecycle.ownership import check_data, placed
from forger.run_folder import RunFolder
from running import trained

DIGITS = ("--extractor=digits", "--scores=fd", "--n=10")
CSV = {"_target_": "forger.tracking.loggers.csv_logger", "_partial_": True}
SHORT = ("budget.images=64", "metrics=none")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("original"), "metrics=none")


@pytest.fixture
def run(original: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run as a stranger might hand it over, and the reader in another folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["forger"])
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.delenv("FORGER_DATA", raising=False)
    return RunFolder(shutil.copytree(original.path, tmp_path / "foreign"))


def change(folder: RunFolder, /, **groups: Any) -> None:
    config = yaml.safe_load(folder.config_file.read_text())
    for group, values in groups.items():
        config[group] |= values
    folder.config_file.write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture
def calls() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what was asked of it."""
    asked: list[str] = []

    class Handler(servers.Handler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    with servers.serving(Handler) as address:
        yield f"{address}/", asked


@pytest.mark.parametrize("command", ["train", "reproduce"])
def test_where_a_run_lies_and_who_is_told_is_the_readers(
    command: str, run: RunFolder, tmp_path: Path, calls: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    change(
        run,
        run={"root": str(theirs / "runs")},
        logger={"csv": {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": str(theirs)}},
        callbacks={"ask": {"_target_": "forger.tracking.wandb_account.answers", "url": calls[0]}},
    )
    arguments = ["train", "--from", str(run), *SHORT] if command == "train" else ["reproduce", str(run)]
    assert cli.main(arguments) == 0
    assert not theirs.exists()
    assert calls[1] == []
    assert "its callbacks are left out (ask)" in capsys.readouterr().err
    made = list(tmp_path.glob("runs/*/*/record.json"))
    assert len(made) == (command == "train")
    if made:
        config = yaml.safe_load((made[0].parent / "config.yaml").read_text())
        assert list(config["logger"]) == ["wandb"]  # as of any run of the reader's
        assert config["logger"]["wandb"]["project"] == "forger"
        assert (config["run"]["root"], config["callbacks"]) == ("runs", {})


def test_whoever_trusts_a_config_gets_it_whole(run: RunFolder) -> None:
    change(run, run={"root": "/theirs"}, logger={"csv": CSV})
    trusted, other = config_of(run, trust=True), config_of(run)
    assert (trusted.run.root, list(trusted.logger)) == ("/theirs", ["csv"])
    assert (other.run.root, other.logger) == ("runs", {})
    with fork(str(run), ["logger=csv"], [conf_folder()], trust=False) as (place, overrides):
        document = yaml.safe_load((place / "train.yaml").read_text())
        assert "logger" not in document
        assert overrides == ["+logger=csv"]
        assert not any("logger" in entry for entry in document["defaults"])


DATA: dict[str, dict[str, Any]] = {
    "a download": {"_target_": "forger.data.downloads.mnist", "root": "theirs/mnist", "size": 8},
    "no end": {"_target_": "forger.data.folders.image_folder", "root": "/proc/self", "size": 8, "channels": 1},
    "another's": {"_target_": "forger.data.folders.image_folder", "root": "data/image_folder/../../private", "size": 8},
    "two of them": {
        "_target_": "forger.data.pairs.unpaired_folders", "root_a": "data/unpaired_folders/A", "root_b": "/b",
        "size": 8,
    },
    "by a list": {"_target_": "forger.data.folders.huggingface", "path": "someone/faces", "size": 8},
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("command", [["train", *SHORT, "--from"], ["reproduce"], ["evaluate", *DIGITS], ["sample"]])
def test_a_folder_of_data_is_asked_for(
    command: list[str], name: str, run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only by those who read it: samples need no data."""
    change(run, data={"source": DATA[name], "root": "/"})
    (tmp_path / "private").mkdir()
    if command == ["sample"]:
        assert cli.main([*command, str(run), "--what", "grid", "--out", "grid.png"]) == 0
        return
    assert cli.main([*command, str(run)]) == 2
    said = capsys.readouterr().err
    assert "name the data's folder yourself, data.root=FOLDER" in said
    assert sum(line.startswith("forger: ") for line in said.splitlines()) == 1
    assert not Path("theirs").exists()


def test_the_readers_folder_stands_for_theirs(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    for index in range(40):
        pixels = np.full((8, 8), index * 6, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "mine" / f"{index:02d}.png")
    source = {"_target_": "forger.data.folders.image_folder", "root": "/theirs", "size": 8, "channels": 1, "classes": 0}
    change(run, data={"source": source, "root": "/theirs", "classes": 0, "batch_size": 8})
    mine = f"data.root={tmp_path / 'mine'}"
    assert cli.main(["evaluate", str(run), *DIGITS, mine]) == 2  # read, and seen to be others than those of the run
    assert f"the data at {tmp_path / 'mine'} are not those of the run" in capsys.readouterr().err
    with fork(str(run), [mine], [conf_folder()], trust=False) as (place, _):
        assert yaml.safe_load((place / "train.yaml").read_text())["data"]["source"]["root"] == "${data.root}"
    config = config_of(run, places={"data.root": str(tmp_path / "mine")})
    assert config.data.source["root"] == str(tmp_path / "mine")
    check_data(config.data, run, {"data.root": str(tmp_path / "mine")})


def test_what_is_not_below_the_root_does_not_move_with_it(run: RunFolder) -> None:
    node = {"_target_": "forger.data.pairs.unpaired_folders", "root_a": "/t/A", "root_b": "/t/../etc", "size": 8}
    change(run, data={"source": node, "root": "/t"})
    given = {"data.root": "/mine"}
    config = placed(config_of(run), given)
    assert config.data.source["root_a"] == "/mine/A"
    with pytest.raises(ConfigError, match=r"root_b=/mine/\.\./etc: a place in a config that is not your own"):
        check_data(config.data, run, given)


def test_data_by_name_lie_where_they_lie_here(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_DATA", "/data")
    for root, fine in (("/data/mnist", True), ("/data/cifar10", False), ("data/mnist", False)):
        change(run, data={"source": {"_target_": "forger.data.downloads.mnist", "root": root}, "root": root})
        if fine:
            check_data(config_of(run).data, run, {})
        else:
            with pytest.raises(ConfigError, match=r"data\.source\.root="):
                check_data(config_of(run).data, run, {})


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "forger.networks.super_resolution.VGG19Features", "weights": "/etc/passwd"},
        {"_target_": "forger.metrics.features.perceptual.LPIPS", "weights": "theirs.pth"},
        {"_target_": "forger.data.folders.image_folder", "root": "/proc/self", "size": 8},
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "forger.data.downloads.mnist", "root": "x"}]},
    ],
)
def test_no_other_place_is_taken_from_a_stranger(node: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a file's name is not allowed in a config that is not your own"):
        checked(node, Any, "model.part", untrusted=True)
