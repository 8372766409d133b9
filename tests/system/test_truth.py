"""What a number or a picture of a run is made of: the labels that were asked for, and the run's own data."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from PIL import Image

from data.pictures import write
from forger import cli
from forger.data.imagesets import ImageSet
from forger.errors import ConfigError
from forger.lifecycle import restore
from forger.metrics.passport import difference
from forger.run import train
from forger.run_folder import RunFolder
from forger.sources import source_at
from running import SMALL, composed, trained

#: A small unconditional game on grey pictures of 8×8, scored by the digits extractor.
PICTURES = ("model=gan", "data=image_folder", "data.size=8", "data.channels=1", "metrics=digits", "metrics.n=64")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "threes"
    for split, count in (("Train", 90), ("val", 30), ("testing", 20)):
        for index in range(count):
            write(root / split / f"{index}.png", size=(8, 8), mode="L", seed=index + 100 * count)
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), *PICTURES, f"data.root={pictures}")


def refused(capsys, *arguments) -> str:
    """The one line that a command ends with."""
    assert cli.main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.err.count("\n"), printed.out) == (1, "")
    return printed.err


def scores(capsys, *arguments) -> dict:
    assert cli.main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["scores"]


def test_a_conditional_run_is_asked_for_all_classes_of_a_sorted_reference(tmp_path):
    source = source_at(trained(tmp_path, "model=cgan", "data=digits").path)
    images, by_class = torch.zeros(100, 1, 8, 8, dtype=torch.uint8), torch.arange(10).repeat_interleave(10)
    labels = source.draw(20, 0, ImageSet("sorted", images, by_class)).labels
    assert labels is not None
    assert labels.bincount().tolist() == [2] * 10


# The run's own data -----------------------------------------------------------------------------------------


def test_the_first_lines_count_the_pictures_of_each_split(run, pictures):
    lines = [line.split(" ", 2)[2] for line in run.log_file.read_text().splitlines()]
    assert lines[:2] == [f"training {run}", "  pictures of threes: train 90, validation 30, test 20"]


def test_a_runs_record_compares_with_its_evaluation(run, pictures, capsys):
    found, recorded = scores(capsys, run, f"data.root={pictures}"), run.read().scores["final"]
    for name, score in found.items():
        assert score["value"] == pytest.approx(recorded[name]["value"], rel=1e-4)
        assert difference(score["passport"], recorded[name]["passport"]) is None


def test_equal_pictures_elsewhere_compare(run, pictures, tmp_path, capsys):
    shutil.copytree(pictures / "testing", tmp_path / "elsewhere")
    found = scores(capsys, run, "--reference", tmp_path / "elsewhere")
    assert found["fd_digits"]["passport"]["split"] == "elsewhere"
    assert difference(found["fd_digits"]["passport"], run.read().scores["final"]["fd_digits"]["passport"]) is None


def test_other_data_in_their_place_are_refused_where_data_are_needed(run, pictures, tmp_path, capsys):
    where, changed = f"data.root={pictures}", pictures / "testing" / "0.png"
    content = changed.read_bytes()
    Image.new("L", (8, 8), 7).save(changed)
    try:
        message = refused(capsys, "evaluate", run, where)
        assert f"{run}: the data at {pictures} are not those of the run (fingerprint " in message
        assert "--reference" in message
        assert "not those of the run" in refused(capsys, "sample", run, "--what", "neighbours", where)
        assert "not those of the run" in refused(capsys, "evaluate", pictures / "Train", "--reference", run, where)
        assert cli.main(["sample", str(run), "--what", "grid", "--out", str(tmp_path / "grid.png")]) == 0
        capsys.readouterr()
        assert scores(capsys, run, "--reference", pictures / "testing")["fd_digits"]["passport"]["n_real"] == 20
    finally:
        changed.write_bytes(content)
    assert scores(capsys, run, where)


def test_a_run_as_reference_stands_for_its_test_split(run, pictures, capsys):
    found = scores(capsys, pictures / "Train", "--reference", run, f"data.root={pictures}")
    assert found["fd_random"]["passport"]["split"] == "threes/test"
    assert found["fd_random"]["passport"]["n_real"] == 20
    assert "name the data's folder yourself" in refused(capsys, "evaluate", pictures / "Train", "--reference", run)


# Refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["cgan", "cdcgan"])
def test_a_conditional_model_on_data_without_classes_is_refused(model, tmp_path):
    with pytest.raises(ConfigError, match=r"data\.classes=0: the model is conditional"):
        train(composed(*SMALL, f"run.root={tmp_path}", f"model={model}", "data=digits", "data.classes=0"))
    assert not any(tmp_path.iterdir())
    trained(tmp_path, "model=gan", "data=digits", "data.classes=0")


def test_a_refused_run_leaves_no_folder(tmp_path, pictures):
    root = tmp_path / "runs"
    missing = "metrics.evaluations.quality.extractor=nowhere.Net"
    with pytest.raises(InstantiationException, match="nowhere"):
        train(composed(*SMALL, *PICTURES, f"data.root={pictures}", f"run.root={root}", missing))
    assert not root.exists()
    (root / "mine").mkdir(parents=True)
    with pytest.raises(InstantiationException, match="nowhere"):
        train(composed(*SMALL, *PICTURES, f"data.root={pictures}", f"run.root={root}", missing))
    assert [path.name for path in root.rglob("*")] == ["mine"]


# Pictures handed over ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def translating(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_cyclegan", "samples.n=2")


@pytest.fixture
def folder(tmp_path) -> Path:
    for index in range(5):
        write(tmp_path / "given" / ("more" if index > 2 else "") / f"{index}.png", size=(9, 9 + index), seed=index)
    return tmp_path / "given"


def test_every_picture_of_a_folder_is_translated_without_the_runs_data(
    translating, folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(restore, "load_data", lambda _: pytest.fail("the data are gone"))
    for what in ("translations", "cycles"):
        options = ["--what", what, "--input", str(folder), "--out", f"{tmp_path / what}/"]
        assert cli.main(["sample", str(translating), *options]) == 0
        made = sorted(path.relative_to(tmp_path / what).as_posix() for path in (tmp_path / what).rglob("*.png"))
        assert made == ["0.png", "1.png", "2.png", "more/3.png", "more/4.png"]
    assert cli.main(["sample", str(translating), "--input", str(folder / "1.png")]) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert path == translating.samples / "translations" / "1.png"
    with Image.open(path) as picture:
        assert picture.size == (8, 8)
    assert path.read_bytes() == (tmp_path / "translations" / "1.png").read_bytes()


def test_what_is_handed_over_is_never_replaced(translating, folder, capsys):
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    assert "itself would be replaced" in refused(capsys, "sample", translating, "--input", folder, "--out", folder)
    assert "5 pictures goes into a folder" in refused(
        capsys, "sample", translating, "--input", folder, "--out", folder.with_name("x.png")
    )
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before


def test_a_game_that_takes_no_pictures_says_so(run, folder, capsys):
    assert "--input" in (message := refused(capsys, "sample", run, "--input", folder))
    assert "'grid' takes no pictures" in message
