"""Which checkpoint is the best, by any score in its direction, and which scores are published."""

import math
from types import SimpleNamespace

import pytest

from forger.callbacks.budget import Budget
from forger.callbacks.scoring import Scoring
from forger.data.images import digits
from forger.errors import ConfigError
from forger.metrics.evaluations.base import DRAWS, Evaluation

DATA = digits()


class Scripted(Evaluation):
    """Scores that a list tells, one after the other; `up` is better when higher, `down` when lower."""

    def __init__(self, values):
        self.values = iter(values)
        self.asked = []

    def evaluate(self, game, data, split, *, n, seed):
        self.asked.append((split, n, seed))
        value = next(self.values)
        return {"up": value, "down": value}

    def higher_is_better(self, name):
        return name == "up"


def scoring(values, best="down", **options):
    saved = []
    journal = SimpleNamespace(write=lambda *_: None)
    checkpoints = SimpleNamespace(save=lambda trainer, name: saved.append(name))
    evaluation = Scripted(values)
    parts = ({"scripted": evaluation}, DATA, journal, checkpoints, Budget(None))
    callback = Scoring(*parts, every_images=64, n=50, best=best, **options)
    return callback, evaluation, saved


def played(callback, rounds):
    """Scores rounds of 64 images each; after which of them the best was saved."""
    for i in range(1, rounds + 1):
        callback.on_train_batch_end(None, SimpleNamespace(shown=64 * i, shown_before=64 * (i - 1), tell=lambda _: None))


@pytest.mark.parametrize(
    ("best", "values", "value", "at"),
    [
        ("down", [3.0, 1.0, 2.0, 1.0], 1.0, 128),  # of equal ones the first
        ("up", [3.0, 1.0, 4.0, 2.0], 4.0, 192),
        ("down", [math.nan, 3.0, -math.inf, 2.0], 2.0, 256),
        ("up", [math.nan, math.inf, 1.0, math.nan], 1.0, 192),
    ],
)
def test_the_best_is_chosen_by_any_score_in_its_direction(best, values, value, at):
    callback, evaluation, saved = scoring(values, best)
    played(callback, 4)
    assert {split for split, *_ in evaluation.asked} == {"validation"}
    assert callback.best_value == value
    assert {name: (score["value"], score["images"]) for name, score in callback.best_scores.items()} == {
        "up": (value, at),
        "down": (value, at),
    }
    assert [name for name, score in callback.best_scores.items() if score["chosen"]] == [best]
    assert saved[-1:] == ["best"]
    resumed, *_ = scoring([value, value], best)
    resumed.load_state_dict(callback.state_dict())
    played(resumed, 2)
    assert resumed.best_scores == callback.best_scores


def test_without_a_best_score_nothing_is_chosen():
    callback, _, saved = scoring([1.0, 2.0], None)
    played(callback, 2)
    assert (callback.best_scores, saved) == ({}, [])


def test_a_score_that_there_is_not_is_one_line():
    callback, *_ = scoring([1.0], "dwn")
    with pytest.raises(ConfigError, match=r"metrics.best=dwn: no such score; did you mean 'down'"):
        played(callback, 1)


def test_published_scores_are_of_the_test_split_at_the_stated_n_with_errors():
    callback, evaluation, saved = scoring([5.0, *range(1, DRAWS)], seed=7)
    final = callback.published(SimpleNamespace())
    assert evaluation.asked == [("test", 50, 7 + i) for i in range(DRAWS)]
    assert final["up"]["value"] == final["down"]["value"] == 5
    assert final["up"]["error"] > 0
    assert (final["up"]["higher_is_better"], final["down"]["higher_is_better"]) == (True, False)
    passport = final["up"]["passport"]
    assert (passport["split"], passport["n_fake"], passport["seed"]) == ("digits/test", 50, 7)
    assert passport["fingerprint"] == DATA.test.fingerprint
    assert saved == []
