"""`forger data`: what is there, told before anybody trains on it, and packed to travel."""

import json
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from commands.surveying import surveyed
from data.forms import N, folder, named, npy, pixels, zipped
from data.pictures import deep_png, write
from forger import cli
from forger.building import load_data
from forger.commands.data.presets import quoted
from forger.config.schema import validate
from forger.data.survey import json_schema
from running import SMALL, command, composed, trained


def test_what_is_there_is_told_and_every_damaged_picture_named(quick, messy, capsys):
    assert cli.main(["data", str(messy)]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == f"{messy}: folder, 67 pictures"
    assert lines[1] == "  sizes     8x8 62, 20x10 1"
    assert lines[2] == "  channels  L (1 x uint8) 61, RGB (3 x uint8) 1, RGBA (4 x uint8) 1"
    assert lines[3] == "  classes   3: a 20, b 21, c 22"
    assert lines[4].startswith("  splits    train ")
    assert lines[5] == "  copies    1: a/000.png = c/copy.png"
    assert lines[6] == "  damaged   4"
    assert [line.strip().removeprefix(f"{messy}/")[:25] for line in lines[7:11]] == [
        "a/cut.png: can't be read ", "b/empty.png: can't be rea", "b/text.jpg: can't be read", "c/gone.png is missing",
    ]  # fmt: skip
    assert lines[11] == "  trains as data.size=8, data.channels=3, data.depth=uint8, data.classes=3"
    assert all("data.skip_damaged=true" in line for line in lines[14:])


def test_json_has_it_all_by_stable_names(quick, messy, capsys):
    document = surveyed(capsys, messy, code=1)
    assert [document[key] for key in ("schema", "form", "pictures", "repeated")] == [1, "folder", 67, 1]
    assert document["sizes"][1] == {"width": 20, "height": 10, "pictures": 1}
    assert document["kinds"][0] == {"mode": "L", "channels": 1, "depth": "uint8", "pictures": 61}
    assert document["classes"][2] == {"label": 2, "name": "c", "pictures": 22}
    assert document["copies"] == [["a/000.png", "c/copy.png"]]
    assert list(document["damaged"]) == ["a/cut.png", "b/empty.png", "b/text.jpg", "c/gone.png"]
    assert sum(document["splits"].values()) == 63
    assert document["training"] == {"size": 8, "channels": 3, "depth": "uint8", "classes": 3}
    assert surveyed(capsys, messy, "data.skip_damaged=true")["damaged"] == document["damaged"]
    typed = surveyed(capsys, messy, "data.skip_damaged=true", "data.size=16", "data.splits={train: a, test: b}")
    assert typed["training"]["size"] == 16
    assert typed["own_splits"] == ["train", "test"]
    assert typed["left_out"] == 23
    assert "data.splits={train: a, test: b}" in shlex.split(typed["commands"][0])


def test_the_schema_is_that_of_the_code():
    """`python -m forger.data.survey > docs/data.schema.json` brings it up to date."""
    from pathlib import Path

    shipped = Path(__file__).parents[2] / "docs/data.schema.json"
    assert json.loads(shipped.read_text()) == json_schema()


def test_the_places_own_splits_and_what_they_share(quick, tmp_path, capsys):
    of = ["train"] * 40 + ["val"] * 10 + ["test"] * 10
    members = {f"{split}/{i}.png": png for i, (split, png) in enumerate(zip(of, named().values(), strict=True))}
    members["test/again.png"] = members["train/7.png"]
    document = surveyed(capsys, zipped(tmp_path, members))
    assert document["own_splits"] == ["train", "validation", "test"]
    assert document["shared"] == [{"test": "test/again.png", "train": "train/7.png"}]
    assert document["classes"] == []


@pytest.mark.parametrize("form", [folder, npy])
def test_presets_that_fit_are_command_lines_that_can_be_typed(form, tmp_path, capsys, monkeypatch):
    awkward = tmp_path / "it's 5 $pictures, (gut) é=1"
    awkward.mkdir()
    place = form(awkward)
    lines = surveyed(capsys, place)["commands"]
    models = [shlex.split(line)[2] for line in lines]
    usual = ["model=dcgan_r1", "model=r3gan", "model=vae"]
    assert models == (["model=cdcgan", *usual] if form is folder else [*usual, "model=gan_r1"])
    for line in lines:
        program, name, *overrides = shlex.split(line)
        assert (program, name) == ("forger", "train")
        config = validate(composed(*overrides))
        assert config.data.root == str(place)
        assert len(load_data(config.data).train) >= config.data.batch_size


def test_presets_that_fit_several_labels(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", images=pixels(), even=np.arange(N) % 2, age=np.arange(N) / 7)
    lines = surveyed(capsys, tmp_path / "x.npz", "data.label=[even,age]")["commands"]
    models = [shlex.split(line)[2:4] for line in lines]
    assert [model for model, _ in models] == ["model=cdcgan", "model=cgan", "model=r3gan"]
    assert models[2][1] == "+model/conditional=projection"
    for line in lines:
        assert len(validate(composed(*shlex.split(line)[2:])).data.classes) == 2


def test_a_printed_line_trains_as_it_is_and_the_record_names_what_was_left_out(messy, tmp_path, capsys):
    line = surveyed(capsys, messy, code=1)["commands"][0]
    ended = command(*shlex.split(line)[1:], *SMALL, f"run.root={tmp_path}/runs", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "4 of 67 pictures can't be read and are left out" in ended.stderr
    record = json.loads(next((tmp_path / "runs").glob("*/*/record.json")).read_text())
    assert list(record["data"]["damaged"]) == ["a/cut.png", "b/empty.png", "b/text.jpg", "c/gone.png"]
    assert sum(record["data"]["counts"].values()) == 63


def test_a_contact_sheet_shows_each_class(quick, messy, tmp_path, capsys):
    assert cli.main(["data", str(messy), "--sheet", str(tmp_path / "sheet.png")]) == 1
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 10 * 50
        assert sheet.height == 3 * 50 + 2
    (tmp_path / "flat").mkdir()
    assert cli.main(["data", str(npy(tmp_path / "flat")), "--sheet", str(tmp_path / "flat.png")]) == 0
    with Image.open(tmp_path / "flat.png") as sheet:
        assert sheet.width == 10 * 50 + 2


def test_what_cannot_be_is_one_line_and_exit_code_2(messy, tmp_path, capsys):
    deep = tmp_path / "deep"
    deep.mkdir()
    deep_png(deep / "a.png")
    for arguments, line in {
        (): "data: which path? forger data PATH [OVERRIDES...]",
        ("nowhere",): "there is no nowhere",
        (messy, "model=gan"): "data model=gan: only data.KEY=VALUE counts here",
        (messy, "data.sizes=3"): "data.sizes",
        (messy, "data.splits={tset: .1}"): "data.splits.tset: no such split; did you mean 'test'",
        (messy, "--pack", "x.tar"): "--pack x.tar: its name must end with .zip",
        (messy, "--pack", messy / "x.zip"): "would become part of",
        (messy, "--sheet", tmp_path / "none" / "x.png"): f"there is no folder {tmp_path}/none",
        ("https://example.org/x.zip",): "a URL, and only local files are read",
    }.items():
        assert cli.main(["data", *map(str, arguments)]) == 2
        told = capsys.readouterr().err.strip()
        assert line in told
        assert "\n" not in told


@pytest.mark.parametrize(
    "text",
    ["a", "a b", "it's", 'a"b', "a\\", "a\\'b\\\"", "null", "5", "1e3", "${seed}", "$x", "한, [x]", "-1", "true", "a=b",
     "{a: b}", "~x", "#1"],
)  # fmt: skip
def test_every_path_is_read_back_by_hydra(text):
    assert composed("data=digits", f"run.name={quoted(text)}").run.name == text


def translated(tmp_path, capsys, place, *typed):
    """What is told of a folder, and the record of the first line that is printed, typed."""
    document = surveyed(capsys, place, *typed)
    line = shlex.split(document["commands"][0])
    networks = ("generator_ab", "discriminator_a") if line[2] == "model=cyclegan" else ("generator", "discriminator")
    small = (*(f"++model.{name}.width=4" for name in networks), "budget.images=8", "logger=none", "metrics=none")
    record = trained(tmp_path / "runs", *line[2:], *small).read()
    return document, line, record


def test_two_domains_are_told_and_the_line_trains_on_them(tmp_path, capsys):
    """CycleGAN's folders, with a third that nobody reads, and a copy of a picture among its tests."""
    root = tmp_path / "it's horse2zebra"
    for seed, (name, n) in enumerate({"trainA": 20, "trainB": 22, "testA": 4, "testB": 5, "valA": 2}.items()):
        for i in range(n):
            write(root / name / f"{i}.png", size=(32, 24), seed=100 * seed + i)
    shutil.copy(root / "trainA" / "7.png", root / "testA" / "0.png")
    document, line, record = translated(tmp_path, capsys, root)
    assert (document["translation"], document["classes"], document["left_out"]) == ("unpaired_folders", [], 2)
    assert [each["folders"] for each in document["domains"]] == [["trainA", "testA"], ["trainB", "testB"]]
    assert [each["splits"]["test"] for each in document["domains"]] == [4, 5]
    assert document["own_splits"] == ["train", "test"]
    assert document["shared"] == [{"test": "testA/0.png", "train": "trainA/7.png"}]
    assert document["training"]["classes"] == 0
    assert line[2:4] == ["model=cyclegan", "data=unpaired_folders"]
    assert record.data["counts"] == document["domains"][0]["splits"]
    assert cli.main(["data", str(root), "--pack", str(tmp_path / "x.zip"), "--sheet", str(tmp_path / "x.png")]) == 2
    told = capsys.readouterr()
    assert f"domain B  trainB and testB: train {document['domains'][1]['splits']['train']}, validation" in told.out
    assert "two domains for translation, without pairs: model=cyclegan data=unpaired_folders" in told.out
    assert f"{root} is two domains; pack each alone, like {root}/trainA" in told.err
    assert not (tmp_path / "x.zip").exists()
    assert surveyed(capsys, root, "data.splits={train: trainA, test: testA}")["translation"] is None


def test_folders_a_and_b_may_be_pairs_or_classes(tmp_path, capsys):
    for i in range(60):
        write(tmp_path / "x" / "AB"[i % 2] / f"{i // 2}.png", size=(24, 24), mode="L", seed=i)
    document, line, record = translated(tmp_path, capsys, tmp_path / "x", "data.size=28")
    assert line[2:4] == ["model=pix2pix", "data=paired_folder"]
    assert "model=cyclegan data=paired_folder" in document["commands"][1]
    assert "data.channels=1" in line
    assert "data.size=28" in line
    hidden = document["domains"][0]["splits"]["train"] + document["domains"][1]["splits"]["train"]
    assert record.data["counts"] == document["domains"][0]["splits"] | {"train": hidden}
    assert [each["name"] for each in document["classes"]] == ["A", "B"]
    assert "model=cdcgan" in shlex.split(document["commands"][2])
    (tmp_path / "x" / "B" / "0.png").unlink()
    document, line, record = translated(tmp_path, capsys, tmp_path / "x")
    assert line[3] == "data=unpaired_folders"
    assert record.data["counts"] == document["domains"][0]["splits"]
