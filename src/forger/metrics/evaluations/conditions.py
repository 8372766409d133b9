"""Evaluation of a generator that is told several labels: whether its samples have what was asked for."""

import re
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from forger.data.conditions import Attribute, Condition
from forger.data.dataset import Data, Split
from forger.games.abilities import Samples
from forger.metrics.evaluations.base import Evaluation, rows_drawn, weights_of
from forger.metrics.evaluations.conditional import COMPONENTS, JUDGED, TRAINED, some_rows, unit_pixels
from forger.metrics.evaluations.once import once_for
from forger.metrics.features.base import as_pixels
from forger.randomness import generator


class ConditionsMet(Evaluation[Samples]):
    """Scores of fakes that were asked for conditions of the split's real images, as these occur together.

    - `agreement_NAME`: share of the fakes in which a classifier of the real training images sees the attribute's value
      that was asked for;
    - `r2_NAME`: R² between the values that were asked for and those that a regressor of the real training images sees:
      1 where all agree, 0 for the mean of all;
    - `agreement_NAME_real`, `r2_NAME_real`: the same of the split's real images and their own labels (2,000 at most),
      which good fakes come near.

    Classifiers and regressors are support vector machines on the first 64 principal components, trained once on 5,000
    images at most.

    Args:
        n: number of fakes, whatever the other evaluations take.

    Raises:
        ValueError: data or a game without conditions.
    """

    def __init__(self, n: Annotated[int, Ge(2)] = 1000) -> None:
        self.n = n

    def evaluate(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        real = data.splits[split]
        asked = rows_drawn(real.arrays["label"], self.n, seed)
        fakes = as_pixels(game.sample(self.n, asked, generator(seed, "conditions")), data.values).cpu()
        judges = once_for(data.train, "conditions", lambda: _judges(data))
        found = _judged(judges, data, fakes, asked)
        of_real = once_for(real, ("conditions", data.train.fingerprint), lambda: _judged_real(judges, data, real))
        return {key: value for name in found for key, value in ((name, found[name]), (f"{name}_real", of_real[name]))}

    def names_of(self, game: object) -> list[str]:
        return [f"{score}{of}" for score in map(_named, getattr(game, "conditions", ())) for of in ("", "_real")]

    def higher_is_better(self, name: str) -> bool:
        return True

    def check(self, data: Data) -> None:
        if not data.conditions:
            raise ValueError(f"{data.name} has no conditions to ask for: name several labels, data.label=[NAME,NAME]")

    def fits(self, game: object) -> None:
        super().fits(game)
        if not getattr(game, "conditions", ()):
            raise ValueError("it needs a game that is told conditions, like model=cdcgan")

    def passport(self, game: Samples, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=self.n, seed=seed) | {
            "trained_on": data.train.fingerprint,
            "weights": weights_of(game),
        }


def _judges(data: Data) -> list[Any]:
    """For each condition what tells it from an image's principal components; before them what finds these."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import SVC, SVR

    chosen = some_rows(len(data.train), TRAINED)
    seen, rows = unit_pixels(data.train.arrays["image"][chosen], data.values), data.train.arrays["label"][chosen]
    axes = PCA(min(COMPONENTS, len(seen)), random_state=0) if seen.shape[1] > COMPONENTS else FunctionTransformer()
    components = axes.fit_transform(seen)
    judges = []
    for condition, column in zip(data.conditions, _scaled(data, rows).T, strict=True):
        several = len(column.unique()) > 1
        judge = (SVC() if isinstance(condition, Attribute) else SVR()) if several else _Constant(float(column[0]))
        judges.append(judge.fit(components, column.numpy()))
    return [axes, *judges]


class _Constant:
    """Where all training images are alike."""

    def __init__(self, value: float) -> None:
        self.value = value

    def fit(self, features: Any, target: Any) -> "_Constant":
        return self

    def predict(self, features: Any) -> Any:
        return torch.full((len(features),), self.value).numpy()


def _judged_real(judges: list[Any], data: Data, real: Split) -> dict[str, float]:
    chosen = some_rows(len(real), JUDGED)
    return _judged(judges, data, real.arrays["image"][chosen], real.arrays["label"][chosen])


def _judged(judges: list[Any], data: Data, images: Tensor, rows: Tensor) -> dict[str, float]:
    """Scores of images (n, c, h, w) whose conditions are said to be rows (n, k)."""
    axes, *each = judges
    components = axes.transform(unit_pixels(images, data.values))
    found = {}
    for condition, judge, column in zip(data.conditions, each, _scaled(data, rows).T, strict=True):
        seen = torch.from_numpy(judge.predict(components)).double()
        if isinstance(condition, Attribute):
            score = (seen == column).double().mean()
        else:
            score = 1 - (seen - column).square().sum() / (column - column.mean()).square().sum()
        found[_named(condition)] = float(score)
    return found


def _named(condition: Condition) -> str:
    """The name of the score of what was asked for."""
    kind = "agreement" if isinstance(condition, Attribute) else "r2"
    return f"{kind}_" + re.sub(r"\W+", "_", condition.name)


def _scaled(data: Data, rows: Tensor) -> Tensor:
    """Rows with numbers in standard deviations from the mean, float64: a regressor's margin is an absolute one."""
    scaled = rows.double()
    for column, condition in enumerate(data.conditions):
        if not isinstance(condition, Attribute):
            scaled[:, column] = (scaled[:, column] - condition.mean) / condition.deviation
    return scaled
