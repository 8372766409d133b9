"""What `forger evaluate` is asked, and its answer on the screen."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from forger.console import console, show_lines
from forger.errors import ConfigError, closest
from forger.metrics.features.base import Extractor
from forger.metrics.passport import Passport
from forger.scoring import scored
from forger.scoring.asked import Asked
from forger.sources import Source, source_at
from forger.standard_streams import printable


def evaluate(path: str, options: Mapping[str, Any], places: Mapping[str, str]) -> int:
    """Print the scores of ``path``, with their errors and passport.

    Args:
        path: a run folder, a checkpoint in one, a folder or file of images, an exported generator (`.pt2`).
        options: those of the command that were given.
        places: the reader's, by key: ``data.root``.

    Raises:
        ConfigError: an option makes no sense, or scores of these images would be wrong.
    """
    show_lines()
    trust = "trust" in options
    asked = Asked(
        options.get("reference"),
        options.get("extractor"),
        options.get("weights"),
        _preprocessing(options["preprocess"]) if "preprocess" in options else None,
        [name.strip() for name in options["scores"].split(",") if name.strip()] if "scores" in options else None,
        options.get("n"),
        options.get("seed"),
    )
    source = source_at(Path(path), trust=trust, places=places, mixture=options.get("mixture"))
    scores, notes = scored(source, asked, trust=trust, places=places, watched=_bar)
    if "json" in options:
        print(json.dumps({"source": source.name, "scores": scores, "notes": notes}, indent=2, allow_nan=False))
    else:
        _print_table(source, scores, notes)
    return 0


# What is asked for ------------------------------------------------------------------------------------------


def _preprocessing(text: str) -> dict[str, Any]:
    """The arguments of `ModuleExtractor` in ``size=224,antialias=false,channels=3,range=-1:1``."""
    result: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in _PREPROCESSING:
            raise ConfigError(f"--preprocess {part}: no such step; {closest(name, _PREPROCESSING)}")
        try:
            result[name] = _PREPROCESSING[name](value)
        except (KeyError, ValueError):
            raise ConfigError(f"--preprocess {part}: write it as {_EXAMPLE}") from None
    return result


def _floats(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(":"))


_EXAMPLE = "size=224,antialias=true,channels=3,mean=0.485:0.456:0.406,std=0.229:0.224:0.225 (or range=-1:1)"
_PREPROCESSING: dict[str, Callable[[str], Any]] = {
    "size": int,
    "resize": str,
    "precision": str,
    "antialias": {"true": True, "false": False}.__getitem__,
    "channels": int,
    "range": _floats,
    "mean": _floats,
    "std": _floats,
}


# On the screen ----------------------------------------------------------------------------------------------


@contextmanager
def _bar(extractor: Extractor, total: int) -> Iterator[None]:
    """A bar, on a terminal, that moves with every image that the extractor has seen."""
    columns = [TextColumn("{task.description}"), BarColumn(30), TaskProgressColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(f"{extractor.name} features", total=total)
        hook = extractor.register_forward_hook(lambda module, given, made: progress.advance(task, len(given[0])))
        try:
            yield
        finally:
            hook.remove()


def _print_table(source: Source, scores: Mapping[str, Any], notes: list[str]) -> None:
    table = Table(
        box=None, header_style="bold", pad_edge=False, title=Text(printable(source.name)), title_justify="left"
    )
    for column in ("score", "value", "± (1 s.e.)", "better"):
        table.add_column(column, justify="left" if column in ("score", "better") else "right")
    for name, score in scores.items():
        value, error = ("" if score[key] is None else f"{score[key]:.4g}" for key in ("value", "error"))
        table.add_row(Text(printable(name)), value or "nan", error, "higher" if score["higher_is_better"] else "lower")
    screen = Console(soft_wrap=True, highlight=False)
    screen.print(table)
    for passport in {json.dumps(score["passport"], sort_keys=True) for score in scores.values()}:
        screen.print(Text(printable(_summary(json.loads(passport)))))
    for note in notes:
        screen.print(Text(printable(f"note: {note}")))


def _summary(passport: Mapping[str, Any]) -> str:
    """A passport in one line; the whole of it is in the JSON."""
    if "preprocessing" not in passport:
        return f"on {passport['split']}, seed {passport['seed']}"
    known = {field.name for field in fields(Passport)}
    read = Passport.from_dict({name: value for name, value in passport.items() if name in known})
    kind = "" if read.weights == "none" else f", {read.weights} weights"
    kind += "" if read.nfe is None else f", {read.nfe} evaluations of the network for each"
    kind += f", codes of {passport['mixture']} Gaussians" if "mixture" in passport else ""
    return (
        f"{read.n_fake} images (seed {read.seed}{kind}) against {read.n_real} of {read.split} "
        f"({read.fingerprint[:8]}); "
        f"extractor {read.extractor} ({read.weights_sha256[:8]}), {read.preprocessing}"
    )
