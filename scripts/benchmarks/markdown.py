"""Tables and figures as Markdown."""

import statistics
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; each row has as many cells as the head."""
    lines = [head, ["---"] * len(head), *rows]
    assert {len(cells) for cells in lines} == {len(head)}, lines
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def median_and_spread(values: Sequence[float]) -> str:
    """Median ± standard deviation over seeds; the value of a single one; nothing without values."""
    if len(values) < 2:
        return "".join(f"{value:.4g}" for value in values)
    return f"{statistics.median(values):.4g} ± {statistics.stdev(values):.2g}"
