"""A row of docs/results/systems.md and docs/results/modes.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A row of the table: a run by its overrides, and the scores that are shown with what they must reach."""

    name: str
    title: str
    overrides: tuple[str, ...]
    scores: dict[str, str]
    #: Options of `forger sample` for its picture, where the last one of training does not show what it is about.
    sample: str = ""


def experiment(
    name: str, title: str, *more: str, as_name: str | None = None, sample: str = "", **scores: str
) -> System:
    """The row of an experiment, of its name or another one."""
    name, experiment = as_name or name, f"experiment={name}"
    return System(name, title, (experiment, *more, f"run.name={name}"), scores, sample)
