"""The table of forms and kinds of pictures: each trains, resumes bit-identically, samples and evaluates."""

import json

import numpy as np
import pytest

from data import forms
from data.forms import N
from forger import cli
from running import interrupted, trained

#: Forms, and whether they say of which class a picture is.
FORMS = {
    forms.folder: True,
    forms.zipped: True,
    forms.stylegan: True,
    forms.tarred: True,
    forms.npy: False,
    forms.npz: True,
    forms.csv_table: True,
    forms.json_lines: True,
    forms.parquet: True,
    forms.saved_set: True,
    forms.database: False,
}
#: Height, width and channels of a picture, and a seed for which ten of them are test pictures, which a score needs.
KINDS = {
    "grey": ((8, 8), 15),
    "colour": ((8, 8, 3), 11),
    "12x20": ((12, 20), 13),
    "16 bits": ((8, 8), 21),
    "7 channels": ((8, 8, 7), 3),
}
#: Forms of each kind: all of the first, then half of them each, and arrays of what no picture file holds.
OF_KIND = {
    "grey": [*FORMS],
    "colour": [*FORMS][::2],
    "12x20": [*FORMS][1::2],
    "16 bits": [*FORMS][::2],
    "7 channels": [forms.npy, forms.npz],
}
SHORT = (
    *("data.batch_size=16", "budget.images=96", "metrics=none", "samples.every_images=null"),
    *("checkpoint.every_images=null", "watch.action=none"),
)


def pixels(kind):
    shape, seed = KINDS[kind]
    kept = np.uint16 if kind == "16 bits" else np.uint8
    return np.random.default_rng(seed).integers(np.iinfo(kept).max, size=(N, *shape), dtype=kept, endpoint=True)


def model(labelled):
    return ("model=cgan",) if labelled else ("model=gan", "data.classes=0")


@pytest.fixture(scope="module")
def kind(request, tmp_path_factory):
    """Its name, and the records of uninterrupted runs in another form, with labels and without."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "pixels", lambda: pixels(request.param))
        place = (forms.npz if request.param == "7 channels" else forms.folder)(root)
        whole = {
            labelled: trained(root / "runs", "data=files", f"data.root={place}", *SHORT, *model(labelled)).read()
            for labelled in (True, False)
        }
        yield request.param, whole


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        pytest.param(
            kind,
            form,
            id=f"{kind}-{form.__name__}",
            marks=() if kind == "grey" or number == place % len(some) else pytest.mark.long,  # each form, each kind
        )
        for place, (kind, some) in enumerate(OF_KIND.items())
        for number, form in enumerate(some)
    ],
    indirect=["kind"],
)
def test_a_form_of_a_kind(form, kind, tmp_path, capsys):
    name, whole = kind
    labelled = FORMS[form]
    overrides = ("data=files", f"data.root={form(tmp_path)}", *SHORT, *model(labelled))
    part = interrupted(tmp_path / "runs", *overrides, after=3)
    run = trained(tmp_path / "runs", *overrides)
    assert run.path == part.path
    found = run.read()
    assert (found.status, found.id, found.data["fingerprint"], found.weights_sha256) == (
        "finished", whole[labelled].id, whole[labelled].data["fingerprint"], whole[labelled].weights_sha256
    )  # fmt: skip
    assert "${" not in run.config_file.read_text()
    fakes = tmp_path / "fakes.npz"
    assert cli.main(["sample", str(run.path), "--what", "raw", "--out", str(fakes), "--n", "6", "--trust"]) == 0
    samples = np.load(fakes)["samples"]
    assert (samples.shape, samples.dtype) == ((6, *(*KINDS[name][0], 1)[:3]), pixels(name).dtype)
    capsys.readouterr()
    about = ("--extractor", "random", "--scores", "fd", "--trust", "--json")
    assert cli.main(["evaluate", str(run.path), *about]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]
