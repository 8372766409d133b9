"""Evaluation of discrete codes: how many of them images have."""

import torch

from forger.data.dataset import Data
from forger.games.abilities import Quantises
from forger.metrics.evaluations.autoencoding import chosen
from forger.metrics.evaluations.base import OfRealImages


class CodeUse(OfRealImages[Quantises]):
    """Of the codes of images: `codes_used`, the share of the codebook that any place of any of them has, and
    `code_perplexity`, the exponential of the entropy of how often each is there, at most their number."""

    def evaluate(self, game: Quantises, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        indices = game.indices(data.values.to_float(chosen(data, split, n, seed))).cpu()
        counts = torch.bincount(indices.flatten(), minlength=game.codes).double()
        entropy = torch.special.entr(counts / counts.sum()).sum()
        return {"codes_used": float((counts > 0).double().mean()), "code_perplexity": float(entropy.exp())}

    def higher_is_better(self, name: str) -> bool:
        return True
