"""The front matter of a model card: what Hugging Face searches and shows."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from forger.export.writing import Format

Document = Mapping[str, Any]

#: What a game is called.
_KINDS = {
    "AdversarialGame": "GAN",
    "VariationalGame": "VAE",
    "AutoencoderGame": "autoencoder",
    "MixtureGame": "autoencoder",
    "WassersteinGame": "WAE",
    "AdversarialAutoencoderGame": "AAE",
    "VariationalAdversarialGame": "VAE-GAN",
    "QuantisedGame": "VQ-VAE",
    "CycleGame": "CycleGAN",
    "PairedGame": "pix2pix",
    "SuperResolutionGame": "SRGAN",
}
#: With what files of each format are read.
_LIBRARIES: dict[Format, str] = {"onnx": "onnx", "pt2": "pytorch", "safetensors": "safetensors"}


def kind_of(document: Document) -> str:
    """What the game of an exported file is called."""
    told = {each["name"] for part in document.get("parts", [document]) for each in part["inputs"]}
    conditional = "conditional " if told & {"labels", "conditions"} else ""
    game = str(document["game"])
    return conditional + _KINDS.get(game, game)


def task_of(files: Mapping[str, Document]) -> str | None:
    """The task of Hugging Face's list that fits; None where none does."""
    parts = [part for document in files.values() for part in document.get("parts", [document])]
    inputs = {each["name"]: each for part in parts for each in part["inputs"]}
    if not any("range" in each for part in parts for each in (*part["inputs"], *part["outputs"])):
        return None  # points
    if any(part["part"].startswith(("translator", "enlarger")) for part in parts):
        return "image-to-image"
    if {"labels", "conditions"} & {*inputs}:
        return None
    return "unconditional-image-generation" if inputs["z"]["prior"] else "image-feature-extraction"


def front_matter(about: Document, files: Mapping[str, Document], form: Format, scores: Mapping[str, Any]) -> str:
    """The lines from ``---`` to ``---``.

    Args:
        about: the record.
        files: what each exported file says of itself, by its name.
        form: of the files.
        scores: of the exported weights, by name.
    """
    task, kind = task_of(files), kind_of(next(iter(files.values())))
    tags = ["forger", form, *kind.lower().split(), _slug(about["data"]["name"])]
    fields: dict[str, Any] = {"library_name": _LIBRARIES[form]}
    if task is not None:
        fields["pipeline_tag"] = task
    fields["tags"] = list(dict.fromkeys(tags))
    results = _results(about, task or "image-generation", scores)
    if results:
        fields["model-index"] = [{"name": about["name"], "results": results}]
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n# license: choose one, see https://huggingface.co/docs/hub/repositories-licenses\n{text}---"


def _results(about: Document, task: str, scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A result for each split that was scored."""
    by_split: dict[str, list[dict[str, Any]]] = {}
    for name, score in scores.items():
        if score["value"] is not None:
            split = str(score.get("passport", {}).get("split", about["data"]["name"]))
            by_split.setdefault(split, []).append({"type": name, "name": name, "value": float(f"{score['value']:.6g}")})
    data = about["data"]
    return [
        {
            "task": {"type": task},
            "dataset": {
                "type": _slug(data["name"]),
                "name": split,
                "split": split.rpartition("/")[2],
                "revision": data["fingerprint"],
            },
            "metrics": metrics,
        }
        for split, metrics in by_split.items()
    ]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-.") or "data"
