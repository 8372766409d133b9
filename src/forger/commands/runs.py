"""`forger runs`: the runs in a folder as a table or as JSON, and which of their scores compare."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Literal, NamedTuple

from forger.commands.declaring import Arguments, Command, Option
from forger.errors import ConfigError
from forger.lifecycle.listing import Entry, list_runs
from forger.metrics.passport import difference
from forger.standard_streams import printable

Moment = Literal["best", "final"]

#: A run's score of a moment: the run's place in the list, the moment, the score's name.
Key = tuple[int, Moment, str]


class Incomparable(NamedTuple):
    """Why a score stands apart from the largest group of those that compare.

    `turn` tells groups with equal reasons, which don't compare with each other either, from each other.
    """

    reason: str
    turn: int


def _run(given: Arguments) -> int:
    folder = given.positionals[0] if given.positionals else None
    if folder is not None and not Path(folder).is_dir():
        raise ConfigError(f"{folder}: no such folder")
    entries = list_runs(folder or "runs") if folder or Path("runs").is_dir() else []
    apart = not_comparable(entries)
    if "json" in given.options:
        rows = [
            {
                "path": str(entry.path),
                "status": entry.status,
                "alive": entry.alive,
                "problem": entry.problem,
                "not_comparable": {
                    moment: {name: found.reason for (i, m, name), found in apart.items() if (i, m) == (index, moment)}
                    for moment in ("best", "final")
                },
                "record": entry.record and entry.record.document(),
            }
            for index, entry in enumerate(entries)
        ]
        print(json.dumps(rows, indent=2))
    elif not entries:
        print(f"no runs in {folder or 'runs'}; `forger train` makes one")
    else:
        _print_table(entries, apart)
    return 0


def not_comparable(entries: Sequence[Entry]) -> dict[Key, Incomparable]:
    """The scores whose passports differ from those of the largest group of the same score, and why."""
    groups: dict[tuple[Moment, str], list[tuple[Mapping[str, Any], list[int]]]] = {}
    for index, entry in enumerate(entries):
        for moment in ("best", "final"):
            for name, score in (entry.record.scores[moment] if entry.record else {}).items():
                passport = score.get("passport") or {}
                known = groups.setdefault((moment, name), [])
                alike = next((members for other, members in known if difference(other, passport) is None), None)
                if alike is None:
                    known.append((passport, [index]))
                else:
                    alike.append(index)
    apart = {}
    for (moment, name), found in groups.items():
        # Of equally many, the first one listed.
        (standard, _), *others = sorted(found, key=lambda group: -len(group[1]))
        seen: list[str] = []
        for passport, members in others:
            reason = difference(standard, passport) or ""
            apart |= {(index, moment, name): Incomparable(reason, seen.count(reason)) for index in members}
            seen.append(reason)
    return apart


# The table --------------------------------------------------------------------------------------------------

_STYLES = {"finished": "green", "running": "bold", "broken": "dim red", "diverged": "red", "failed": "red"}


def _print_table(entries: list[Entry], apart: Mapping[Key, Incomparable]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    marks = {found: f"[{_letter(place)}]" for place, found in enumerate(dict.fromkeys(apart.values()))}
    marked = {key: marks[found] for key, found in apart.items()}
    table = Table(box=None, header_style="bold", pad_edge=False)
    titles = ("name", "id", "status", "seed", "images", "best (validation)", "final (test)", "minutes", "device")
    for title in titles:
        right = title in ("seed", "images", "minutes")
        table.add_column(title, justify="right" if right else "left", no_wrap="(" not in title)
    for index, entry in enumerate(entries):
        # Text, since a name could hold Rich's own markup.
        style = _STYLES.get(entry.status, "")
        table.add_row(*(Text(printable(cell), style=style) for cell in _cells(index, entry, marked)))
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has room
    console.print(table)
    if marks:
        console.print("\nMarked scores don't compare with those of the same name that are marked otherwise or not:")
    for found, mark in marks.items():
        console.print(Text(printable(f"  {mark} {found.reason}")))


def _cells(index: int, entry: Entry, marked: Mapping[Key, str]) -> list[str]:
    record = entry.record
    if record is None:
        return [entry.path.parent.name, entry.path.name, "broken", "", "", "", str(entry.problem), "", ""]

    def score_cell(moment: Moment, name: str) -> str:
        mark = marked.get((index, moment, name))
        score = record.scores[moment][name]
        error = f" ± {found:.2g}" if (found := score.get("error")) is not None else ""
        return f"{name} {_number(score['value'])}{error}{f' {mark}' if mark else ''}"

    best = record.scores["best"]
    # Records of older runs don't say which score chose.
    chosen = next((name for name, score in best.items() if score.get("chosen")), next(iter(best), None))
    device = record.device
    several = f" x{device['devices']}" if device.get("devices", 1) != 1 else ""
    return [
        record.name,
        record.id,
        entry.status,
        str(record.seed),
        f"{record.images:,}",
        "" if chosen is None else f"{score_cell('best', chosen)} at {best[chosen].get('images', 0):,}",
        ", ".join(score_cell("final", name) for name in record.scores["final"]),
        f"{record.seconds / 60:.1f}",
        f"{device.get('accelerator', '')}{several}",
    ]


def _letter(place: int) -> str:
    """a, b, …, z, a2, …"""
    number, place = divmod(place, len(ascii_lowercase))
    return f"{ascii_lowercase[place]}{number + 1 if number else ''}"


def _number(value: float | None) -> str:
    return "nan" if value is None else f"{value:.4g}"


COMMAND = Command(
    name="runs",
    arguments="[FOLDER]",
    summary="a table of runs and their state",
    about="""\
A table of the runs in FOLDER (default: runs) and their state. `killed` is a run whose process is gone
without a word, `broken` a folder whose record can't be read. Scores of which the passports differ (extractor,
reference, number of images, …) are marked: they don't compare, and a line below says why.
""",
    options=(Option("--json", "path, status, alive, problem, not_comparable (score to reason), record"),),
    run=_run,
)
