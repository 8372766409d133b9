"""Scores of a run by the evaluations of its own config that are not of its samples in an extractor's features."""

from collections.abc import Sequence
from typing import Any

from hydra.utils import instantiate

from forger.errors import ConfigError, closest
from forger.metrics.evaluations.base import Evaluation, scores_of
from forger.metrics.evaluations.conditions import ConditionsMet
from forger.metrics.scores.names import is_of_features
from forger.scoring.asked import Asked
from forger.sources import Source


def others(source: Source, asked: Asked) -> list[Evaluation[Any]]:
    """The evaluations of a run's config beside the one of its samples, and that of conditions if the game has some.

    None of anything else, and none where only features of samples are to be compared.
    """
    by_name = asked.chosen
    if source.read is None or (asked.compared and not by_name):
        return []
    if by_name and all(map(is_of_features, by_name)):
        return []
    nodes = [node for node in source.read.config.metrics.evaluations.values() if node is not source.defaults]
    n = {} if asked.n is None else {"n": asked.n}
    found = [instantiate(node | n if "n" in node else node) for node in nodes]
    if source.sampling:
        found = [each for each in found if _fits(each, source.read.game)]
    if by_name and source.read.game.conditions and not any(isinstance(each, ConditionsMet) for each in found):
        found.append(ConditionsMet(**n))
    return found


def _fits(evaluation: Evaluation[Any], game: object) -> bool:
    try:
        evaluation.fits(game)
    except ValueError:
        return False
    return True


def named(names: Sequence[str], source: Source, evaluations: Sequence[Evaluation[Any]]) -> list[str]:
    """Those of the names of scores that are of these evaluations.

    Raises:
        ConfigError: one resembles theirs and is none.
    """
    known = [name for each in evaluations for name in each.names_of(source.read and source.read.game)]
    kinds = {name.partition("_")[0] for name in known}
    for name in names:
        if name not in known and "_" in name and name.partition("_")[0] in kinds:
            raise ConfigError(f"--scores {name}: no such score of this run; {closest(name, known)}")
    return [name for name in names if name in known]


def own_scores(
    source: Source, evaluations: Sequence[Evaluation[Any]], names: Sequence[str], n: int | None, seed: int
) -> dict[str, Any]:
    """Scores on the test split of the run's data, as they stand in its record; those of all names if none are given."""
    assert source.read is not None
    assert n is not None
    game, data = source.read.game, source.read.data
    asked = [each for each in evaluations if not names or {*names} & {*each.names_of(game)}]
    for evaluation in asked:
        evaluation.check(data)
    found = scores_of(asked, game, data, "test", n=n, seed=seed, errors=True)
    return {name: score for name, score in found.items() if not names or name in names}
