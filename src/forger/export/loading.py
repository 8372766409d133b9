"""The few lines of Python that use exported files without forger."""

from collections.abc import Mapping, Sequence
from typing import Any

from forger.export.writing import Format

Document = Mapping[str, Any]

_N = 16


def loading(files: Mapping[str, Document], form: Format) -> str:
    """A block of code that loads the files and asks them something."""
    if form == "safetensors":
        lines = _of_weights(next(iter(files)))
    elif {f"encoder.{form}", f"decoder.{form}"} <= {*files} and not _latents(files[f"decoder.{form}"])["prior"]:
        lines = _asked(form, [(name, files[f"{name}.{form}"]) for name in ("encoder", "decoder")])
    else:
        name = next((name for name in files if not name.startswith("encoder")), next(iter(files)))
        lines = _asked(form, [(name.removesuffix(f".{form}"), files[name])])
    return "\n".join(["```python", *lines, "```"])


def _latents(decoder: Document) -> Document:
    return next(each for each in decoder["inputs"] if each["name"] == "z")


def _of_weights(name: str) -> list[str]:
    return [
        "import json",
        "from safetensors import safe_open",
        "",
        f'with safe_open("{name}", "pt") as file:',
        '    about = json.loads(file.metadata()["forger"])  # the network, its inputs and outputs',
        "    weights = {name: file.get_tensor(name) for name in file.keys()}",
    ]


def _asked(form: Format, parts: Sequence[tuple[str, Document]]) -> list[str]:
    """The first part is given examples, each other one what the one before has made."""
    lines = ["import numpy as np", "import onnxruntime", ""] if form == "onnx" else ["import torch", ""]
    given = {each["name"]: _example(form, each) for each in parts[0][1]["inputs"]}
    for name, document in parts:
        made = ", ".join(each["name"] for each in document["outputs"])
        if form == "onnx":
            lines.append(f'{name} = onnxruntime.InferenceSession("{name}.onnx")')
            inputs = ", ".join(f'"{key}": {value}' for key, value in given.items())
            lines.append(f"inputs = {{{inputs}}}")
            lines.append(f"{made if ', ' in made else f'({made},)'} = {name}.run(None, inputs)")
        else:
            lines.append(f'{name} = torch.export.load("{name}.pt2").module()')
            lines.append(f"{made} = {name}({', '.join(given.values())})")
        given = {each["name"]: each["name"] for each in document["outputs"]}
    last = parts[-1][1]["outputs"][0]
    if "range" in last:
        lines.append(_as_pixels(form, last))
    return lines


def _example(form: Format, tensor: Document) -> str:
    sides = {"batch": _N, "height": 24, "width": 32}
    shape = ", ".join(str(sides.get(side, side)) for side in tensor["shape"])
    comma = "," if len(tensor["shape"]) == 1 else ""
    onnx = form == "onnx"
    if tensor["name"] == "labels":
        return f"np.arange({_N}) % {tensor['classes']}" if onnx else f"torch.arange({_N}) % {tensor['classes']}"
    if "columns" in tensor:
        row = [_usual(column) for column in tensor["columns"]]
        return f"np.array([{row}] * {_N}, np.float32)" if onnx else f"torch.tensor([{row}] * {_N})"
    if tensor.get("prior") == "normal":
        return f"np.random.randn({shape}).astype(np.float32)" if onnx else f"torch.randn({shape})"
    if onnx:
        return f"np.random.uniform(-1, 1, ({shape}{comma})).astype(np.float32)"
    return f"torch.rand({shape}) * 2 - 1"


def _usual(column: Document) -> float:
    """A number that a condition may be."""
    return round(column["mean"], 4) if "mean" in column else 0.0


def _as_pixels(form: Format, tensor: Document) -> str:
    name, pixels = tensor["name"], tensor["pixels"]
    half, middle = (pixels["high"] - pixels["low"]) / 2, (pixels["high"] + pixels["low"]) / 2
    line = f"pixels = ({name} * {half:g} + {middle:g})"
    if pixels["dtype"] == "float32":
        return line
    clipped = f"{line}.round().clip({pixels['low']:g}, {pixels['high']:g})"
    return f'{clipped}.astype("{pixels["dtype"]}")' if form == "onnx" else f"{clipped}.to(torch.{pixels['dtype']})"
