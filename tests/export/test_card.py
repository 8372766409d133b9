"""Model cards: what Hugging Face's own library reads in them, and what must not stand there."""

import json
import re

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

from forger.export.about import as_text
from forger.export.card import model_card
from forger.export.publishing import publishable, reproducing
from forger.run_folder import RunFolder
from forger.watch.alarms import MEANINGS, PATTERNS
from recorded import begun

PIXELS = {"range": [-1, 1], "pixels": {"dtype": "uint8", "low": 0.0, "high": 255.0}}
Z = {"name": "z", "dtype": "float32", "shape": ["batch", 8], "prior": "normal"}
IMAGES = {"name": "images", "dtype": "float32", "shape": ["batch", 1, 8, 8], **PIXELS}
PASSPORT = {"extractor": "digits", "weights_sha256": "7" * 64, "n_real": 497, "n_fake": 128, "split": "digits/test",
            "weights": "ema", "seed": 0, "versions": {"forger": "0.1.0", "torch": "2.15.0"}}  # fmt: skip


def score(value, **more):
    return {"value": value, "error": 0.25, "higher_is_better": False, "passport": PASSPORT | more}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "a" / "0123456789ab")
    found = {"final": {"fd_digits": score(1.23456789), "kd_digits": score(None)}, "best": {"fd_digits": score(0.5)}}
    begun(folder, status="finished", images=640, scores=found)
    return folder


def document(**more):
    """What a generator's file says of itself."""
    run = {"name": "a", "id": "0123456789ab", "checkpoint": "final", "images": 640, "weights": "ema"} | more
    return {"game": "AdversarialGame", "run": run, "weights_sha256": "a" * 64, "part": "generator",
            "inputs": [Z], "outputs": [IMAGES]}  # fmt: skip


def card_of(folder, tmp_path, *documents, **options):
    """A card as Hugging Face's library reads it, which must find the same again in what it would write."""
    files = {f"{each['part']}.onnx": each for each in documents or [document()]}
    (tmp_path / "README.md").write_text(model_card(folder.read(), files, "onnx", **options), encoding="utf-8")
    card = ModelCard.load(tmp_path / "README.md")
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()
    assert metadata_load(tmp_path / "README.md") == card.data.to_dict()
    return card


def test_hugging_faces_library_reads_it(folder, tmp_path):
    card = card_of(folder, tmp_path, picture="samples.png")
    data = card.data.to_dict()
    assert (data["library_name"], data["pipeline_tag"]) == ("onnx", "unconditional-image-generation")
    assert data["tags"] == ["forger", "onnx", "gan", "digits"]
    assert "license" not in data
    name, (found,) = model_index_to_eval_results(data["model-index"])  # NaN is no result
    assert (name, found.task_type, found.dataset_type) == ("a", "unconditional-image-generation", "digits")
    assert (found.dataset_name, found.dataset_split, found.dataset_revision) == ("digits/test", "test", "0" * 64)
    assert (found.metric_type, found.metric_value) == ("fd_digits", 1.23457)
    for told in (
        "| `fd_digits` | 1.235 | 0.25 | lower | 1 |",
        "| `kd_digits` | nan |",
        "n_real `497`, n_fake `128`, split `digits/test`",
        "1,100 samples for training",
        f"sha256 `{'0' * 64}`",
        "forger train seed=1",
        "(samples.png)",
        "**Licence:** none has been chosen",
        "None fired",
    ):
        assert told in card.text, told


@pytest.mark.parametrize(
    ("run", "scores"),
    [
        ({}, {"fd_digits": 1.23457}),
        ({"checkpoint": "best"}, {"fd_digits": 0.5}),
        ({"weights": "raw"}, {}),
        ({"checkpoint": "last"}, {"fd_digits": 1.23457}),
    ],
)
def test_scores_are_of_the_exported_weights(folder, tmp_path, run, scores):
    index = card_of(folder, tmp_path, document(**run)).data.to_dict().get("model-index")
    found = (
        {} if index is None else {each.metric_type: each.metric_value for each in model_index_to_eval_results(index)[1]}
    )
    assert found == scores


def test_the_task_is_what_the_files_do(folder, tmp_path):
    labels = {"name": "labels", "dtype": "int64", "shape": ["batch"], "classes": 10}
    code = {"name": "z", "dtype": "float32", "shape": ["batch", 8], "prior": None}
    for task, parts in {
        None: [document() | {"inputs": [Z, labels]}],
        "image-to-image": [document() | {"game": "CycleGame", "part": "translator_ab", "inputs": [IMAGES]}],
        "image-feature-extraction": [
            document() | {"game": "AutoencoderGame", "part": "encoder", "inputs": [IMAGES], "outputs": [code]},
            document() | {"game": "AutoencoderGame", "part": "decoder", "inputs": [code]},
        ],
    }.items():
        card = card_of(folder, tmp_path, *parts)
        assert card.data.to_dict().get("pipeline_tag") == task
        assert card.text.count(".onnx` |") == len(parts)


def test_alarms_are_told_with_what_they_mean(folder, tmp_path):
    signs = {"vendi_ratio": {"value": 0.31, "below": 0.5}}
    folder.update(alerts=[{"alarm": "mode_collapse", "images": 55040, "evidence": {"signals": signs}}])
    row = f"| `mode_collapse` | 55,040 | {MEANINGS['mode_collapse']} | `vendi_ratio` 0.31, alarm below 0.5 |"
    assert row in card_of(folder, tmp_path).text
    assert "Nobody watched" in card_of(folder, tmp_path, watched=False).text
    assert {*MEANINGS} == {*PATTERNS}


def test_neither_places_nor_secrets_leave_the_machine(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "hunter2hunter2")
    place = f"{tmp_path}/faces.npz"
    folder.update(
        command=f"forger train --config-dir={tmp_path}/own data=files data.root={place} run.root={tmp_path} "
        f"++model.x.token=sesame99 logger=csv +model.generator.weights=./w.pt seed=1",
        data={"name": place, "fingerprint": "0" * 64, "counts": {"train": 1100}},
        scores={"final": {"fd_digits": score(1.0, split=f"{place}/test", note="hunter2hunter2")}, "best": {}},
        parent={"id": "b" * 12, "path": str(tmp_path / "b"), "weights_sha256": "b" * 64},
    )
    text = str(card_of(folder, tmp_path))
    for private in (str(tmp_path), "hunter2", "sesame99", "run.root", "logger"):
        assert private not in text
    again = "forger train --config-dir=PATH data=files data.root=PATH '++model.x.token=[hidden]' "
    assert f"{again}+model.generator.weights=PATH seed=1" in text
    assert "where `PATH` stands for a place of yours" in text
    assert f"the weights of run `{'b' * 12}`" in text


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("/home/me/faces.npz/test", "test"),
        ("on ~/pictures, seed 0", "on pictures, seed 0"),
        (r"C:\Users\me\faces", "faces"),
        ("file:///srv/runs/a", "a"),
        ("digits/test", "digits/test"),
        ("uint8 (1, 8, 8) / 255", "uint8 (1, 8, 8) / 255"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("train/generator/adversarial", "train/generator/adversarial"),
    ],
)
def test_places_are_told_from_names(text, published):
    assert publishable({"x": [text]}) == {"x": [published]}


def test_what_a_file_says_of_itself_has_no_places_either():
    text = as_text({"network": {"config": {"weights": "/home/me/w.pt", "token": "sesame99"}}}, {"part": "generator"})
    assert json.loads(text) == {"network": {"config": {"weights": "w.pt", "token": "[hidden]"}}, "part": "generator"}


def test_commands_without_places_stay_as_they_are():
    command = "forger train experiment=digits_cgan model/loss=hinge 'data.size=[12,20]' --from=runs/a/b"
    assert reproducing(command) == (command.replace("runs/a/b", "PATH"), True)
    assert reproducing("forger train metrics.evaluations.quality.reference=train") == (
        "forger train metrics.evaluations.quality.reference=train",
        False,
    )


def test_names_are_no_markup(folder, tmp_path):
    name = "<script>\n---\n# [x](y) | `z`"
    folder.update(name=name, data={"name": name, "fingerprint": "0" * 64, "counts": {"train": 3}})
    card = card_of(folder, tmp_path, picture="samples.png")
    assert card.data.to_dict()["model-index"] is not None
    outside = re.sub(r"`[^`]*`", "", card.text)
    assert "<script>" not in outside.replace(r"\<script\>", "")
    assert not re.search(r"(?<!\\)\[x(?<!\\)\]", outside)
