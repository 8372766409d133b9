"""Conditions that are attributes: celebrities who smile, in files of CelebA's own format."""

import re

import numpy as np
import pytest

from data.pictures import write
from forger import cli
from forger.building import load_data
from forger.config.schema import validate
from forger.data.conditions import conditions_of
from running import composed, trained


@pytest.fixture
def faces(tmp_path):
    names = [f"{i:06}.jpg" for i in range(1, 41)]
    for i, name in enumerate(names):
        write(tmp_path / "celeba" / "img_align_celeba" / name, size=(178, 218), seed=i)
    parts = "\n".join(f"{name} {min(i // 16, 2)}" for i, name in enumerate(names))
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text(parts + "\n")
    rows = [f"{name} {' 1' if i % 2 else '-1'} {' 1' if i % 3 else '-1'}" for i, name in enumerate(names)]
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text("\n".join(["40", "Smiling Young ", *rows]) + "\n")
    return tmp_path / "celeba"


SMALL = ("data.size=16", "data.batch_size=8", "budget.images=16", "samples.every_images=null",
         "metrics.every_images=null", "model.generator.width=8", "model.discriminator.width=8")  # fmt: skip


@pytest.mark.parametrize("model", ["cgan", "cdcgan"])
def test_the_conditional_gan_takes_an_attribute(model, faces, tmp_path, capsys):
    conditions = ("experiment=digits_cgan", f"model={model}", "data=celeba", "data.label=Smiling")
    run = trained(tmp_path / "runs", *conditions, f"data.root={faces}", "metrics=none", *SMALL)
    assert run.read().status == "finished"
    capsys.readouterr()
    assert cli.main(["sample", str(run), "--labels", "1", "--n", "3", "--out", str(tmp_path / "x.npz")]) == 0
    with np.load(tmp_path / "x.npz") as smiling:
        assert smiling["samples"].shape == (3, 16, 16, 3)
        assert smiling["labels"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("kaggle", [False, True])
def test_several_attributes_are_conditions(kaggle, faces, tmp_path, capsys):
    if kaggle:
        for table, header in {"attr_celeba": "image_id,Smiling,Young", "eval_partition": "image_id,partition"}.items():
            file = faces / f"list_{table}.txt"
            rows = [",".join(line.split()) for line in file.read_text().splitlines() if ".jpg" in line]
            file.with_suffix(".csv").write_text("\n".join([header, *rows]))
            file.unlink()
    chosen = (f"data.root={faces}", "data.label=[Young,Smiling]", "data.size=16", "data.batch_size=8")
    config = validate(composed("model=cdcgan", "data=celeba", *chosen))
    data = load_data(config.data)
    assert (data.classes, data.conditions) == (0, conditions_of(config.data.classes))
    held = [[float(i % 3 > 0), float(i % 2)] for i in range(40)]
    assert [split.arrays["label"].tolist() for split in data.splits.values()] == [held[:16], held[16:32], held[32:]]
    same = load_data(validate(composed("model=cdcgan", "data=files", *chosen)).data)
    assert data.fingerprint == same.fingerprint
    assert data.conditions == same.conditions
    run = trained(tmp_path / "runs", "model=cdcgan", "data=celeba", *chosen, *SMALL, "metrics.n=10")
    assert {f"agreement_{name}{of}" for name in ("Smiling", "Young") for of in ("", "_real")} < {
        *run.read().scores["final"]
    }
    asked = ("--condition", "Smiling=1,Young=0", "--n", "3", "--out", str(tmp_path / "x.npz"))
    assert cli.main(["sample", str(run), *asked]) == 0
    with np.load(tmp_path / "x.npz") as made:
        assert made["labels"].tolist() == [[0, 1]] * 3


def test_one_attribute_is_a_class_as_ever_and_none_is_none(faces):
    for label, classes in (("Smiling", 2), ("null", 0)):
        chosen = (f"data.root={faces}", f"data.label={label}", "data.batch_size=8")
        config = validate(composed("model=gan", "data=celeba", *chosen))
        assert config.data.classes == load_data(config.data).classes == classes


@pytest.mark.parametrize(
    ("label", "line"),
    [
        ("[Smiling,Yung]", r"data.label=Yung: .* has no such column.* did you mean 'Young'\?"),
        ("[Smiling,Smiling]", "name each once"),
        ("[]", "at least one"),
        ("{Smiling: value}", r"data.source.label=.*must be"),
        ("[1]", r"label=\[1\]: must be text"),
    ],
)
def test_attributes_that_are_none_are_one_line(label, line, faces, tmp_path, capsys):
    told = ("model=cgan", "data=celeba", f"data.root={faces}", f"data.label={label}", "data.size=16")
    assert cli.main(["train", *told, f"run.root={tmp_path}", "logger=none"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert re.search(line, said)
