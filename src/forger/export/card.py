"""A model card of what was exported, as Hugging Face reads it: where it is from, how well it does, how it is used."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from forger.export.card_metadata import front_matter, kind_of
from forger.export.loading import loading
from forger.export.publishing import publishable, reproducing
from forger.export.writing import Format
from forger.records import Record
from forger.watch.alarms import MEANINGS

Document = Mapping[str, Any]
_WEIGHTS = {"ema": "the moving average of the weights", "raw": "the live weights", "only": "the weights"}


def model_card(
    record: Record, files: Mapping[str, Document], form: Format, *, watched: bool = True, picture: str | None = None
) -> str:
    """The text of a ``README.md``, in which no place of this machine and no secret stands.

    Args:
        record: of the run.
        files: what each exported file says of itself (`forger.export.about`), by the file's name.
        form: of the files.
        watched: whether the watch looked for alarms.
        picture: the name of a picture beside the card.
    """
    about = publishable(record.document())
    files = {name: publishable(document) for name, document in files.items()}
    run = next(iter(files.values()))["run"]
    scores = scores_of(about, run)
    sections = [
        front_matter(about, files, form, scores),
        f"# {_plain(about['name'])}\n\n{_opening(about, files, run)}",
        "> **Licence:** none has been chosen. Choose one before you publish this, with that of the data in mind: add a "
        "line like `license: mit` between the lines `---` at the top of this file.",
        f"![{_picture_of(about)}]({picture})" if picture else "",
        f"## Use\n\n{loading(files, form)}\n\n{_table_of_files(files)}",
        f"## Training\n\n{_training(about, files)}",
        f"## Scores\n\n{_scores(about, run, scores)}",
        f"## Alarms\n\n{_alarms(about['alerts'], watched)}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def scores_of(about: Document, run: Document) -> dict[str, Any]:
    """The scores in a record that were measured with the exported weights."""
    found = about["scores"]["best" if run["checkpoint"] == "best" else "final"]
    alike = (run["weights"], "only", "none", None)
    return {name: score for name, score in found.items() if score.get("passport", {}).get("weights") in alike}


# Sections ---------------------------------------------------------------------------------------------------


def _opening(about: Document, files: Mapping[str, Document], run: Document) -> str:
    kind = kind_of(next(iter(files.values())))
    parts = [f"`{part['part']}`" for document in files.values() for part in document.get("parts", [document])]
    return (
        f"{kind[0].upper()}{kind[1:]}, trained on {_code(about['data']['name'])} with forger "
        f"{about['versions']['forger']}. These files hold its {' and '.join(parts)}: {_WEIGHTS[run['weights']]} after "
        f"{run['images']:,} images, from the {run['checkpoint']} checkpoint of run `{about['id']}`."
    )


def _picture_of(about: Document) -> str:
    return f"what it makes, trained on {_plain(about['data']['name'])}"


def _table_of_files(files: Mapping[str, Document]) -> str:
    rows = []
    for name, document in files.items():
        for part in document.get("parts", [document]):
            given, made = ("; ".join(map(_tensor, part[side])) for side in ("inputs", "outputs"))
            rows.append((f"`{name}`", given, made))
    table = _table(("file", "inputs", "outputs"), rows)
    return f"{table}\n\nEach file says the same of itself, as JSON under the key `forger` of its metadata."


def _tensor(tensor: Document) -> str:
    about = [f"{tensor['dtype']} ({', '.join(map(str, tensor['shape']))})"]
    if "range" in tensor:
        pixels = tensor["pixels"]
        about.append(f"in [-1, 1], which is {pixels['dtype']} from {pixels['low']:g} to {pixels['high']:g}")
    if tensor.get("prior"):
        about.append({"normal": "standard normal", "uniform": "uniform on [-1, 1]"}[tensor["prior"]])
    if "classes" in tensor:
        about.append(f"from 0 to {tensor['classes'] - 1}")
    if "columns" in tensor:
        about.append("the numbers of " + ", ".join(_code(column["name"]) for column in tensor["columns"]))
    return f"`{tensor['name']}`: {', '.join(about)}"


def _training(about: Document, files: Mapping[str, Document]) -> str:
    data, counts = about["data"], about["data"]["counts"]
    damaged = f"; {len(data['damaged'])} damaged pictures were left out" if data.get("damaged") else ""
    weights: dict[str, list[str]] = {}
    for name, document in files.items():
        weights.setdefault(document["weights_sha256"], []).append(f"`{name}`")
    seconds, device = about["seconds"], about["device"]
    many = f"{device['devices']} " if device["devices"] > 1 else "one "
    versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
    lines = [
        f"- Data: {_code(data['name'])}, {counts['train']:,} samples for training "
        f"({', '.join(f'{count:,} {split}' for split, count in counts.items() if split != 'train')}){damaged}; "
        f"sha256 `{data['fingerprint']}`",
        f"- Training: {about['images']:,} images shown in {about['iterations']:,} rounds, {seconds:,.0f} s on "
        f"{many}{device['accelerator']}, seed {about['seed']}; status {about['status']}",
        *(f"- Weights of {' and '.join(names)}: sha256 `{sha256}`" for sha256, names in weights.items()),
        f"- Versions: {versions}{_commit(about)}",
    ]
    if parent := about["parent"]:
        lines.append(f"- It started from the weights of {_parent(parent)}")
    command, missing = reproducing(about["command"])
    again = f"The same again, bit by bit on the same kind of machine:\n\n```bash\n{command}\n```"
    where = ", where `PATH` stands for a place of yours" if missing else ""
    return "\n".join(lines) + f"\n\n{again.replace(':', f'{where}:', 1) if where else again}"


def _commit(about: Document) -> str:
    git = about["git"]
    return "" if git is None else f"; commit `{git['commit'][:12]}`{' with local changes' if git['dirty'] else ''}"


def _parent(parent: Document) -> str:
    name = f"run `{parent['id']}`" if "id" in parent else "a file"
    return f"{name} (sha256 `{parent['weights_sha256']}`)" if "weights_sha256" in parent else name


def _scores(about: Document, run: Document, scores: Mapping[str, Any]) -> str:
    split = "validation" if run["checkpoint"] == "best" else "test"
    if not scores:
        has = any(about["scores"].values())
        return "These weights were not scored; the run's scores are of others." if has else "None."
    passports: list[str] = []
    rows = []
    for name, score in scores.items():
        passport = _passport(score.get("passport", {}))
        if passport not in passports:
            passports.append(passport)
        error, better = score.get("error"), "higher" if score.get("higher_is_better") else "lower"
        number = str(passports.index(passport) + 1)
        rows.append((_code(name), _number(score["value"]), "" if error is None else _number(error), better, number))
    table = _table(("score", "value", "± (1 s.e.)", "better", "passport"), rows)
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(passports, 1))
    return (
        f"On the {split} split. Two numbers compare only if their passports agree, which say what they were measured "
        f"with:\n\n{table}\n\n{listed}"
    )


def _passport(passport: Document) -> str:
    """All that is in it, hashes cut short."""
    texts = []
    for name, value in passport.items():
        if name == "versions":
            value = ", ".join(f"{package} {version}" for package, version in value.items())
        texts.append(f"{name} {_code(value[:12] if isinstance(value, str) and _is_hash(value) else value)}")
    return ", ".join(texts) or "none"


def _alarms(alerts: Sequence[Document], watched: bool) -> str:
    if not watched:
        return "Nobody watched: the run was trained with `watch.action=none`."
    if not alerts:
        return "None fired while it was trained."
    rows = [
        (
            _code(name := str(alert["alarm"])),
            f"{alert['images']:,}",
            MEANINGS.get(name, ""),
            "; ".join(_evidence(alert)),
        )
        for alert in alerts
    ]
    return _table(("alarm", "after images", "what it means", "evidence"), rows)


def _evidence(alert: Document) -> Iterator[str]:
    for name, sign in alert.get("evidence", {}).get("signals", {}).items():
        limit = " or ".join(f"{side} {sign[side]:g}" for side in ("below", "above") if side in sign)
        yield f"{_code(name)} {_number(sign['value'])}, alarm {limit}"


# Markdown ---------------------------------------------------------------------------------------------------

_FLAT = {ord(sign): " " for sign in "\r\n\t"} | {ord("`"): "'", ord("|"): "\\|"}


def _code(value: Any) -> str:
    """A text in which nothing is Markdown or HTML."""
    return f"`{str(value).translate(_FLAT)}`"


def _plain(text: str) -> str:
    """A text of a few words as Markdown that shows it as it is."""
    return re.sub(r"([\\`*<>\[\]#!|])", r"\\\1", " ".join(text.split()))


def _number(value: float | None) -> str:
    return "nan" if value is None else f"{value:.4g}"


def _is_hash(text: str) -> bool:
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
