"""Objectives that a config adds to any adversarial game: auxiliary classifiers, mutual information, orthogonality."""

import math
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from forger.annealing import Schedule
from forger.losses.objective import Classifier, Objective, Setting, Turn, width
from forger.losses.penalty import Every, Weight


class AuxiliaryClassifier(Classifier):
    """Odena et al. 2017 (AC-GAN), eq. 3: −log P(C = c | x), of reals and fakes for D, of fakes for G; in nats.

    A linear layer on the discriminator's features tells the classes; it moves with the discriminator, which need not be
    told them.
    """

    teaches_labels: ClassVar[bool] = True

    def __init__(self, weight: Weight | Schedule = 1.0, every: Every = 1) -> None:
        super().__init__(weight, every)

    def prepare(self, setting: Setting) -> None:
        super().prepare(setting)
        self.head = nn.Linear(width(setting.discriminator), _classes_of(setting))

    def term(self, turn: Turn) -> Tensor:
        on_fakes = self._cross_entropy(turn.fake_features, turn.fake_labels)
        if turn.player == "generator":
            return on_fakes
        return self._cross_entropy(turn.real_features, turn.labels) + on_fakes

    def classify(self, features: Tensor) -> Tensor:
        """Logits of the classes (N, classes) for features of the discriminator."""
        return self.head(features)

    def _cross_entropy(self, features: Tensor | None, labels: Tensor | None) -> Tensor:
        assert features is not None, "it reads features"
        assert labels is not None, "`prepare` refuses a game without labels"
        return F.cross_entropy(self.head(features).float(), labels)


class ContrastiveClassifier(Classifier):
    """Kang et al. 2021 (ReACGAN), eq. 7: data-to-data cross-entropy, of reals for D, of fakes for G.

    On the unit sphere, an embedding of each sample's features is drawn to the proxy of its class, up to a cosine of the
    margin, and pushed from samples of other classes in the batch, down to one of 1 − margin. Embeddings and proxies
    move with the discriminator.

    Args:
        weight: the authors' is 0.5 on CIFAR-10.
        every: called in one move of so many.
        temperature: τ.
        margin: m_p; as in the authors' code m_n is 1 − m_p.
        embedding: dimensions of the sphere.
    """

    teaches_labels: ClassVar[bool] = True
    #: Samples of a batch push each other.
    takes_whole_batches: ClassVar[bool] = True

    def __init__(
        self,
        weight: Weight | Schedule = 0.5,
        every: Every = 1,
        temperature: Annotated[float, Gt(0)] = 0.5,
        margin: Annotated[float, Gt(0), Le(1)] = 0.98,
        embedding: Annotated[int, Ge(2)] = 128,
    ) -> None:
        super().__init__(weight, every)
        self.temperature = temperature
        self.margin = margin
        self.embedding = embedding

    def prepare(self, setting: Setting) -> None:
        super().prepare(setting)
        self.head = nn.Linear(width(setting.discriminator), self.embedding)
        self.proxies = nn.Parameter(torch.randn(_classes_of(setting), self.embedding))

    def term(self, turn: Turn) -> Tensor:
        of_reals = turn.player == "discriminator"
        features = turn.real_features if of_reals else turn.fake_features
        labels = turn.labels if of_reals else turn.fake_labels
        assert features is not None, "it reads features"
        assert labels is not None, "`prepare` refuses a game without labels"
        embedded = F.normalize(self.head(features).float(), dim=1)
        proxies = F.normalize(F.embedding(labels, self.proxies).float(), dim=1)
        all_embedded, all_labels = turn.gathered(embedded), turn.gathered(labels)
        same = labels[:, None] == all_labels
        cosines = (embedded * proxies).sum(1), embedded @ all_embedded.T
        return data_to_data_cross_entropy(*cosines, same, self.temperature, self.margin)

    def classify(self, features: Tensor) -> Tensor:
        """Cosines to the proxies, over the temperature, (N, classes) for features of the discriminator."""
        cosines = F.normalize(self.head(features), dim=1) @ F.normalize(self.proxies, dim=1).T
        return cosines / self.temperature


def data_to_data_cross_entropy(
    to_proxy: Tensor, to_others: Tensor, same: Tensor, temperature: float, margin: float
) -> Tensor:
    """Kang et al. 2021, eq. 7, a scalar.

    Args:
        to_proxy: cosine of each embedding to the proxy of its class (N,).
        to_others: to the embeddings of samples (N, M).
        same: whether these are of the same class (N, M), and so leave each other alone.
        temperature: τ.
        margin: m_p; m_n is 1 − margin.
    """
    drawn = (to_proxy - margin).clamp(max=0) / temperature
    pushed = (to_others - (1 - margin)).clamp(min=0) / temperature
    every = torch.cat([drawn[:, None], pushed.masked_fill(same, -math.inf)], dim=1)
    return (torch.logsumexp(every, dim=1) - drawn).mean()


class MutualInformation(Classifier):
    """Chen et al. 2016 (InfoGAN), eq. 5: −L_I, the negated bound on the mutual information of codes and fakes, in nats.

    Q reads the codes from the discriminator's features, and moves with it; both players minimise the term, as in the
    authors' code. Codes are the game's own labels (``codes``) and the first coordinates of z, for which Q gives
    the means of Gaussians with variance 1.

    Args:
        weight: λ.
        every: called in one move of so many.
        coordinates: of z that are codes.
        hidden: units of Q's hidden layer; 0 for none.
    """

    def __init__(
        self,
        weight: Weight | Schedule = 1.0,
        every: Every = 1,
        coordinates: Annotated[int, Ge(0)] = 0,
        hidden: Annotated[int, Ge(0)] = 0,
    ) -> None:
        super().__init__(weight, every)
        self.coordinates = coordinates
        self.hidden = hidden
        self.codes = 0

    def prepare(self, setting: Setting) -> None:
        super().prepare(setting)
        self.codes = setting.codes
        if not (self.codes or self.coordinates):
            raise ValueError("needs codes: set model.codes and model.generator.classes, or coordinates of z")
        if self.coordinates > setting.latent:
            raise ValueError(f"coordinates={self.coordinates}: z has {setting.latent}")
        features, outputs = width(setting.discriminator), self.codes + self.coordinates
        hidden = self.hidden
        below = [nn.Linear(features, hidden), nn.LeakyReLU(0.2)] if hidden else []
        self.head = nn.Sequential(*below, nn.Linear(hidden or features, outputs))

    def term(self, turn: Turn) -> Tensor:
        assert turn.fake_features is not None, "it reads features"
        found = self.head(turn.fake_features).float()
        total = found.new_zeros(())
        if self.codes:
            assert turn.fake_labels is not None, "a game with codes tells them"
            total = total + F.cross_entropy(found[:, : self.codes], turn.fake_labels) - math.log(self.codes)
        if self.coordinates:
            off = (turn.z[:, : self.coordinates] - found[:, self.codes :]).square().sum(1).mean()
            # Less the entropy of N(0, 1), which has log 2π / 2 as the surprise has; a uniform prior's only shifts it.
            total = total + (off - self.coordinates) / 2
        return total

    def classify(self, features: Tensor) -> Tensor:
        """Logits of the codes (N, codes) for features of the discriminator."""
        return self.head(features)[:, : self.codes]


class Orthogonality(Objective):
    """Brock et al. 2019 (BigGAN), eq. 3: ‖W Wᵀ ⊙ (1 − I)‖², summed over the generator's weights; `weight` is β.

    The rows of W are a layer's filters. As in the authors' code embeddings are left out, and under spectral
    normalisation W is the weight before it.
    """

    players: ClassVar[tuple[str, ...]] = ("generator",)

    def __init__(self, weight: Weight | Schedule = 1e-4, every: Every = 1) -> None:
        super().__init__(weight, every)

    def term(self, turn: Turn) -> Tensor:
        embeddings = [module for module in turn.generator.modules() if isinstance(module, nn.Embedding)]
        left_out = {id(weight) for module in embeddings for weight in module.parameters()}
        terms = [
            _off_diagonal(weight.flatten(1))
            for weight in turn.generator.parameters()
            if weight.ndim > 1 and id(weight) not in left_out
        ]
        return torch.stack(terms).sum()


def _off_diagonal(rows: Tensor) -> Tensor:
    """Σ of the squared inner products of different rows."""
    products = rows.float() @ rows.float().T
    return products.square().sum() - products.diagonal().square().sum()


def _classes_of(setting: Setting) -> int:
    """The data's classes.

    Raises:
        ValueError: the generator is not told them.
    """
    if not setting.classes:
        raise ValueError("needs labels of one class each: set model.classes and model.generator.classes")
    return setting.classes
