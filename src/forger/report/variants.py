"""Which runs are seeds of the same variant, what to call it, and in what its config differs from the others'."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from forger.report.reading import Run

#: Overrides that do not name a variant, since every run of a comparison may have them.
_NOT_TELLING = ("seed", "run.", "trainer.", "logger", "hydra", "metrics", "samples", "log.", "checkpoint")
_NOT_PARAMETERS = ("seed", "run.", "logger")
#: Parts of a key that say nothing to a reader.
_FILLING = {"model", "players", "optimizer", "penalties", "evaluations", "_target_"}
_LONGEST_NAME = 80
_LONGEST_NUMBER = 8
_MISSING = object()


@dataclass(frozen=True)
class Variant:
    """Runs whose configs differ in nothing but the seed.

    Args:
        name: of the run, and what sets it apart where several variants share that name.
        runs: one run a seed, by seed.
        repeated: runs of a seed that is there already; the newest counts.
        config: dotted keys; all of it.
        settings: dotted keys of what makes the variant.
    """

    name: str
    runs: list[Run]
    repeated: list[Run]
    config: dict[str, Any]
    settings: dict[str, Any]

    @property
    def healthy(self) -> tuple[int, int]:
        """How many runs finished without an alarm, of how many that came to an end."""
        ended = [run for run in self.runs if run.ended]
        return sum(run.healthy for run in ended), len(ended)

    @property
    def images_per_second(self) -> float | None:
        """Median over runs, scoring and pictures included."""
        rates = [run.record.images / run.record.seconds for run in self.runs if run.record.seconds > 0]
        return median(rates) if rates else None

    @property
    def minutes(self) -> float | None:
        """Median over finished runs."""
        minutes = [run.record.seconds / 60 for run in self.runs if run.status == "finished"]
        return median(minutes) if minutes else None


def variants(runs: Iterable[Run]) -> list[Variant]:
    """The variants among some runs, by name."""
    members: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        members[run.determined_by].append(run)
    groups = [sorted(group, key=lambda run: (run.seed, -run.written)) for group in members.values()]
    found = []
    for name, group in zip(_names(groups), groups, strict=True):
        first: dict[int, Run] = {}
        for run in group:
            first.setdefault(run.seed, run)
        repeated = [run for run in group if run is not first[run.seed]]
        found.append(Variant(name, list(first.values()), repeated, flat(group[0].config), flat(group[0].settings)))
    return sorted(found, key=lambda variant: variant.name)


def _names(groups: Sequence[Sequence[Run]]) -> list[str]:
    """A name for each group of runs: no two the same."""
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        by_name[group[0].family].append(index)
    names = [""] * len(groups)
    for name, indices in by_name.items():
        differences = _differences([groups[index][0] for index in indices])
        for index, difference in zip(indices, differences, strict=True):
            # A name that all variants share is left out.
            names[index] = difference if difference and len(by_name) == 1 else f"{name} {difference}".strip()
    seen = Counter(names)
    return [f"{n} {groups[i][0].record.id[:6]}" if seen[n] > 1 else n for i, n in enumerate(names)]


def _differences(runs: Sequence[Run]) -> list[str]:
    """What sets runs of one name apart: their overrides where these suffice, else their configs."""
    if len(runs) == 1:
        return [""]
    typed = [dict(_override(text) for text in run.record.overrides if isinstance(text, str)) for run in runs]
    telling = [{k: v for k, v in each.items() if not k.startswith(_NOT_TELLING)} for each in typed]
    if len({each.get("experiment", _MISSING) for each in telling} - {_MISSING}) == len(runs):
        return _shown([{"experiment": each["experiment"]} for each in telling])  # it says what belongs to it
    by_override = _shown(telling)
    if len(set(by_override)) == len(runs):
        return by_override
    return _shown([flat(run.settings) for run in runs])


def _override(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.lstrip("+~"), value


def _shown(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = varying(settings)
    labels = short_labels(keys)
    texts = [", ".join(f"{labels[key]}={_brief(each[key])}" for key in keys if key in each) for each in settings]
    return [text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…" for text in texts]


def _brief(value: Any) -> str:
    """A value in a name: of a number that a sampler drew, four digits."""
    try:
        return f"{float(value):.4g}" if len(str(value)) > _LONGEST_NUMBER else str(value)
    except (TypeError, ValueError):
        return str(value)


def varying(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys on which some settings differ, a missing key being a difference, in their order."""
    keys = dict.fromkeys(key for each in settings for key in each)
    return [key for key in keys if len({repr(each.get(key, _MISSING)) for each in settings}) > 1]


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config as one level of dotted keys, less what says nothing about a variant; lists stay whole."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        dotted = f"{prefix}{key}"
        if dotted.startswith(_NOT_PARAMETERS):
            continue
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{dotted}.")
        else:
            found[dotted] = value
    return found


def short_labels(keys: Sequence[str], least: int = 1) -> dict[str, str]:
    """Readable endings that still tell dotted keys apart, of at least so many parts: ``generator.lr``, ``loss``."""
    telling = {key: [part for part in key.replace("/", ".").split(".") if part not in _FILLING] for key in keys}
    labels = {}
    for key, parts in telling.items():
        endings = (parts[-length:] for length in range(min(least, len(parts)), len(parts) + 1))
        alone = (own for own in endings if [other[-len(own) :] for other in telling.values()].count(own) == 1)
        labels[key] = ".".join(next(alone, [])) or key
    return labels
