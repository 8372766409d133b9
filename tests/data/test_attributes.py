"""A condition that is an attribute: celebrities who smile, in files of CelebA's own format."""

import numpy as np
import pytest

from data.pictures import write
from forger import cli
from running import trained


@pytest.fixture
def faces(tmp_path):
    names = [f"{i:06}.jpg" for i in range(1, 41)]
    for i, name in enumerate(names):
        write(tmp_path / "celeba" / "img_align_celeba" / name, size=(178, 218), seed=i)
    parts = "\n".join(f"{name} {min(i // 16, 2)}" for i, name in enumerate(names))
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text(parts + "\n")
    rows = [f"{name} {' 1' if i % 2 else '-1'}  1" for i, name in enumerate(names)]
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text("\n".join(["40", "Smiling Young ", *rows]) + "\n")
    return tmp_path / "celeba"


@pytest.mark.parametrize("model", ["cgan", "cdcgan"])
def test_the_conditional_gan_takes_an_attribute(model, faces, tmp_path, capsys):
    small = ("data.size=16", "data.batch_size=8", "budget.images=16", "samples.every_images=null")
    small += ("model.generator.width=8", "model.discriminator.width=8", "metrics=none", "metrics.every_images=null")
    conditions = ("experiment=digits_cgan", f"model={model}", "data=celeba", "data.label=Smiling")
    run = trained(tmp_path / "runs", *conditions, f"data.root={faces}", *small)
    assert run.read().status == "finished"
    capsys.readouterr()
    assert cli.main(["sample", str(run), "--labels", "1", "--n", "3", "--out", str(tmp_path / "x.npz")]) == 0
    with np.load(tmp_path / "x.npz") as smiling:
        assert smiling["samples"].shape == (3, 16, 16, 3)
        assert smiling["labels"].tolist() == [1, 1, 1]
