"""`forger export`: what is in the files, what `forger evaluate` makes of them, and what is refused."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import onnxruntime
import pytest
import torch
from safetensors import safe_open

from forger import cli
from forger.export import writing
from forger.hashing import weights_sha256
from forger.lifecycle.restore import restored
from forger.run_folder import RunFolder
from running import trained

#: A network that torch can't follow: its path depends on what it computes.
WAYWARD = """
import torch
from torch import nn

class Generator(nn.Linear):
    def __init__(self, latent: int, shape: list[int], width: int):
        super().__init__(latent, 64)

    def forward(self, z, labels=None):
        made = super().forward(z)
        return (made if made.sum() > 0 else made.tanh()).reshape(-1, 1, 8, 8)
"""


@pytest.fixture(scope="module")
def cgan(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_cgan", "metrics=digits")


@pytest.fixture(scope="module")
def vae(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_vae", "metrics=none")


@pytest.fixture(scope="module")
def files(cgan, tmp_path_factory) -> Path:
    """A folder with the generator in every format."""
    folder = tmp_path_factory.mktemp("exported")
    for form in ("onnx", "pt2", "safetensors"):
        assert cli.main(["export", str(cgan), "-o", str(folder / f"generator.{form}")]) == 0
    return folder


def scores(capsys, *arguments) -> dict:
    capsys.readouterr()
    assert cli.main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["scores"]


def refused(capsys, *arguments, code: int = 2) -> str:
    """The one line that a command ends with."""
    capsys.readouterr()
    assert cli.main([*map(str, arguments)]) == code
    printed = capsys.readouterr()
    assert (printed.err.count("\n"), printed.out) == (1, ""), printed.err
    return printed.err


def about(file: Path) -> dict:
    """What a file says of itself."""
    if file.suffix == ".onnx":
        text = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map["forger"]
    elif file.suffix == ".pt2":
        torch.export.load(file, extra_files=(texts := {"forger": ""}))
        text = texts["forger"]
    else:
        with safe_open(file, "pt") as opened:
            text = opened.metadata()["forger"]
    return json.loads(text)


# What is in the files -----------------------------------------------------------------------------------------


def test_every_file_says_where_it_is_from_and_how_it_is_used(cgan, files):
    record = cgan.read()
    for form in ("onnx", "pt2", "safetensors"):
        found = about(files / f"generator.{form}")
        where = {"name": record.name, "id": record.id, "checkpoint": "final"}
        assert found["run"] == where | {"images": 640, "weights": "ema"}
        assert found["scores"] == record.scores
        assert found["scores"]["final"]["fd_digits"]["passport"]["split"] == "digits/test"
        assert found["network"]["config"]["_target_"] == "forger.networks.mlp.Generator"
        part = found if form != "safetensors" else found["parts"][0]
        assert part["inputs"] == [
            {"name": "z", "dtype": "float32", "shape": ["batch", 32], "prior": "normal"},
            {"name": "labels", "dtype": "int64", "shape": ["batch"], "classes": 10},
        ]
        assert part["outputs"] == [
            {"name": "images", "dtype": "float32", "shape": ["batch", 1, 8, 8], "range": [-1, 1],
             "pixels": {"dtype": "uint8", "low": 0.0, "high": 255.0}}
        ]  # fmt: skip
    with safe_open(files / "generator.safetensors", "pt") as opened:
        weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    assert weights_sha256(weights) == found["weights_sha256"]
    assert weights_sha256(weights) == weights_sha256(restored(cgan.path).game.answering("generator").state_dict())
    for file in files.iterdir():
        content = file.read_bytes()
        assert not any(
            str(place).encode() in content for place in (Path(cli.__file__).parents[2], cgan.path.parents[1])
        )


def test_live_weights_are_others_than_the_average(cgan, tmp_path):
    assert cli.main(["export", str(cgan), "--raw-weights", "-o", str(tmp_path / "raw.safetensors")]) == 0
    found = about(tmp_path / "raw.safetensors")
    assert found["run"]["weights"] == "raw"
    assert found["weights_sha256"] == weights_sha256(restored(cgan.path).game.get_submodule("generator").state_dict())


def test_several_parts_are_a_folder_in_the_run_by_default(vae, capsys):
    capsys.readouterr()
    assert cli.main(["export", str(vae), "--format", "pt2"]) == 0
    folder = vae.path / "export" / "pt2"
    assert capsys.readouterr().out == f"{folder}\n"
    assert sorted(file.name for file in folder.iterdir()) == ["decoder.pt2", "encoder.pt2"]
    outputs = about(folder / "encoder.pt2")["outputs"]
    assert [(each["name"], each["shape"]) for each in outputs] == [
        (name, ["batch", about(folder / "decoder.pt2")["inputs"][0]["shape"][1]]) for name in ("mean", "log_variance")
    ]
    kept = torch.export.load(folder / "decoder.pt2").state_dict
    assert kept
    assert not any("encoder" in name for name in kept)  # without the weights of the other part
    assert "a folder with other files" in refused(capsys, "export", vae, "--format", "pt2")
    assert "encoder.onnx and decoder.onnx go into a folder" in refused(capsys, "export", vae, "-o", "one.onnx")
    assert "it is a run's encoder" in refused(capsys, "evaluate", folder / "encoder.pt2", "--reference", "digits")
    assert scores(capsys, folder / "decoder.pt2", "--n", 50, "--scores", "fd")["fd_digits"]["value"] > 0


# forger evaluate ----------------------------------------------------------------------------------------------


def test_an_exported_generator_has_the_scores_of_its_run(cgan, files, tmp_path, capsys):
    recorded = cgan.read().scores["final"]
    plain = trained(tmp_path, "experiment=digits_gan", "metrics=digits", "budget.images=64", "+model.prior=uniform")
    assert cli.main(["export", str(plain), "-o", str(tmp_path / "gan.pt2")]) == 0
    for file, run in ((files / "generator.pt2", recorded), (tmp_path / "gan.pt2", plain.read().scores["final"])):
        found = scores(capsys, file)
        assert found.keys() == run.keys() == {"fd_digits", "is_digits"}
        for name, score in found.items():
            assert score["value"] == pytest.approx(run[name]["value"], abs=1e-6)
            assert score["passport"] == run[name]["passport"]
    by_reference = scores(capsys, files / "generator.pt2", "--reference", cgan.path, "--scores", "fd")
    assert by_reference["fd_digits"]["value"] == pytest.approx(recorded["fd_digits"]["value"], abs=1e-6)


def rewritten(source: Path, target: Path, change) -> Path:
    """The archive with each member's content as `change` gives it."""
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as write:
        for name in read.namelist():
            write.writestr(name, change(name, read.read(name)))
    return target


class Code:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_a_strangers_program_runs_nothing(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    evil, pickle = tmp_path / "evil.pt2", io.BytesIO()
    torch.save(Code(), pickle)
    names = zipfile.ZipFile(files / "generator.pt2").namelist()
    members = [name for name in names if name.endswith(".pt") or "/data/" in name]
    assert len(members) > 2  # sample inputs, weights, and what says which is which
    for member in members:

        def change(name: str, content: bytes, member: str = member) -> bytes:
            pickled = content.replace(b'"use_pickle": false', b'"use_pickle": true')
            return pickle.getvalue() if name == member else pickled if "weights_config" in name else content

        assert "evil.pt2" in refused(capsys, "evaluate", rewritten(files / "generator.pt2", evil, change))
    # A constant of this name is unpickled whatever torch is told, and compiled code is loaded.
    listed = {"config": {"c": {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True}}}
    for added, content, held in (
        ("constants/custom_obj_0", pickle.getvalue(), {"model_constants_config.json": json.dumps(listed)}),
        ("aotinductor/model/a.so", b"", {}),
    ):
        rewritten(files / "generator.pt2", evil, lambda name, content, held=held: held.get(Path(name).name, content))
        with zipfile.ZipFile(evil, "a") as archive:
            archive.writestr(f"{names[0].partition('/')[0]}/data/{added}", content)
        assert "could run code" in refused(capsys, "evaluate", evil)
    assert not Path("ran").exists()


def said(files: Path, target: Path, **changed) -> Path:
    """The generator with other values in its document."""

    def change(name: str, content: bytes) -> bytes:
        return json.dumps(json.loads(content) | changed).encode() if name.endswith("extra/forger") else content

    return rewritten(files / "generator.pt2", target, change)


def test_what_a_file_says_of_itself_is_not_believed(files, tmp_path, capsys):
    evil = tmp_path / "evil.pt2"
    usual = about(files / "generator.pt2")
    evaluation = usual["evaluation"]
    for changed in ({"inputs": 3}, {"evaluation": evaluation | {"n": 10**12}}, {"outputs": []}, {"run": []}):
        assert "no document of forger export" in refused(capsys, "evaluate", said(files, evil, **changed))
    rewritten(files / "generator.pt2", evil, lambda name, content: b"[" if name.endswith("forger") else content)
    assert "no document of forger export" in refused(capsys, "evaluate", evil)
    other = {"name": "digits", "fingerprint": "0" * 64}
    assert "digits, others than here" in refused(capsys, "evaluate", said(files, evil, data=other))
    other = {"name": "../faces", "fingerprint": "0" * 64}
    assert "no data set of conf/data" in refused(capsys, "evaluate", said(files, evil, data=other))
    # A module that somebody else names is not imported: the extractor that suits the images is taken.
    named = said(files, evil, evaluation=evaluation | {"extractor": "evil.Network"})
    assert scores(capsys, named, "--scores", "fd").keys() == {"fd_digits"}
    alone = tmp_path / "alone.pt2"
    torch.export.save(torch.export.load(files / "generator.pt2"), alone)
    assert "takes latents (n, size) and no more" in refused(capsys, "evaluate", alone, "--reference", "digits")


# What is refused ----------------------------------------------------------------------------------------------


def test_nothing_is_overwritten(cgan, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep")
    (tmp_path / "mine.onnx").write_text("keep")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("mine", "mine.onnx", "link"):
        assert "nothing is overwritten" in refused(capsys, "export", cgan, "-o", tmp_path / name)
    assert (tmp_path / "mine.onnx").read_text() == "keep"
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["note.txt"]
    assert "of another format" in refused(capsys, "export", cgan, "--format", "pt2", "-o", tmp_path / "new.onnx")


def test_what_is_missing_is_said_before_anything_is_written(cgan, tmp_path, capsys, monkeypatch):
    out = tmp_path / "new"
    assert "no such folder" in refused(capsys, "export", tmp_path / "nowhere", "-o", out)
    assert "did you mean 'onnx'" in refused(capsys, "export", cgan, "--format", "onx", "-o", out)
    shutil.copytree(cgan.path, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "checkpoints")
    assert "no checkpoint yet" in refused(capsys, "export", tmp_path / "copy", "-o", out)
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    line = refused(capsys, "export", cgan, "-o", out)
    assert "needs onnx, onnxscript, onnxruntime: pip install 'forger[export]'" in line
    assert not out.exists()


def test_a_strangers_run_needs_trust_and_a_network_that_torch_cant_follow_is_named(tmp_path, capsys, monkeypatch):
    (tmp_path / "wayward.py").write_text(WAYWARD)
    monkeypatch.syspath_prepend(tmp_path)
    run = trained(tmp_path / "runs", "experiment=digits_gan", "metrics=none", "budget.images=64",
                  "model.generator={_target_: wayward.Generator, latent: 32, shape: [1, 8, 8]}")  # fmt: skip
    assert "add --trust" in refused(capsys, "export", run, "-o", tmp_path / "out")
    line = refused(capsys, "export", run, "--trust", "-o", tmp_path / "out")
    assert "model.generator (the generator) can't be exported" in line
    assert not [*tmp_path.glob("*out*"), *tmp_path.glob(".*")]


def test_a_failure_leaves_no_part_of_a_folder(tmp_path, monkeypatch):
    class Full(dict):
        def items(self):
            yield "a.onnx", b"a"
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        writing.write_folder(tmp_path / "out", Full())
    assert not [*tmp_path.iterdir()]
    writing.write_folder(tmp_path / "out", {"a.onnx": b"a", "README.md": b"b"})
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["README.md", "a.onnx"]
