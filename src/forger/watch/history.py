"""Signals that are derived from the rows of training between two checks."""

import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from forger.watch.signals import relative_gap, spectral_peak

#: Rows of training in the window for oscillation, and the fewest that are enough.
WINDOW, LEAST = 64, 32
#: Checks that `vendi_rise` averages over, twice.
_FEW = 3


class SignalHistory:
    """Keeps a window of losses and gradients, and the history that a gradient or a score is compared with.

    Its state is plain numbers, and a function of the rows alone: replaying ``metrics.jsonl`` gives the same.
    """

    def __init__(self) -> None:
        self.losses: dict[str, deque[float]] = {}
        self.recent: dict[str, list[float]] = {}
        self.gradients: dict[str, list[float]] = {}
        self.diversity: list[float] = []
        self.best_score: float | None = None
        self.scores: list[float] = []

    def observe(self, row: Mapping[str, float]) -> None:
        """Take in a row of training: ``train/<player>/<term>``, ``watch/<player>_gradient``, ``watch/d_fake``.

        Where a player moves for the first time, another stage of the game begins (SRGAN's second), with other losses:
        its losses and gradients compare with none before it.
        """
        losses: dict[str, float] = {}
        for name, value in row.items():
            kind, _, rest = name.partition("/")
            if kind == "train":
                player = rest.partition("/")[0]
                losses[player] = losses.get(player, 0.0) + value
        if losses.keys() - self.losses.keys():
            self.losses, self.recent, self.gradients = {}, {}, {}
        for name, value in row.items():
            kind, _, rest = name.partition("/")
            if kind == "watch" and (rest.endswith("_gradient") or rest in ("d_fake", "d_real")):
                self.recent.setdefault(rest, []).append(value)
        for player, value in losses.items():
            self.losses.setdefault(player, deque(maxlen=WINDOW)).append(value)

    def derived(
        self, probed: Mapping[str, float], score: float | None = None, higher_is_better: bool = False
    ) -> dict[str, float]:
        """Signals of this check that need those before it; the next interval begins.

        - ``gradient_ratio``: ‖∇G‖ / ‖∇D‖, of medians since the last check;
        - ``gradient_growth``: the largest of the players' gradients over its own median at earlier checks;
        - ``gradient_left``: the generator's gradient over the largest of its own medians so far;
        - ``fooled``: median of D(G(z));
        - ``spectral_peak``: of the players' losses, the strongest (`forger.watch.signals.spectral_peak`);
        - ``vendi_rise``: mean ``vendi_ratio`` of the last three checks over that of the three before;
        - ``score_gap``: how far the better of the latest two scores is from the best so far.

        Args:
            probed: signals of this check by `forger.watch.game_signals.GameSignals`.
            score: the latest validation score that chooses the best checkpoint.
            higher_is_better: its direction.
        """
        medians = {name: statistics.median(values) for name, values in self.recent.items() if values}
        self.recent = {}
        values: dict[str, float] = {}
        gradients = {n.removesuffix("_gradient"): m for n, m in medians.items() if n.endswith("_gradient")}
        if gradients.get("discriminator") and "generator" in gradients:
            values["watch/gradient_ratio"] = gradients["generator"] / gradients["discriminator"]
        growth = [m / statistics.median(h) for p, m in gradients.items() if (h := self.gradients.get(p)) and any(h)]
        if growth:
            values["watch/gradient_growth"] = max(growth)
        for player, median in gradients.items():
            if median > 0:
                self.gradients.setdefault(player, []).append(median)
        # A generator that did not move between two checks (n_critic) has no gradient to judge.
        if (history := self.gradients.get("generator")) and "generator" in gradients:
            values["watch/gradient_left"] = gradients["generator"] / max(history)
        if "d_fake" in medians:
            values["watch/fooled"] = medians["d_fake"]
        series = [losses for losses in self.losses.values() if len(losses) >= LEAST]
        if series:
            values["watch/spectral_peak"] = max(spectral_peak(list(losses)) for losses in series)
        if "watch/vendi_ratio" in probed:
            self.diversity = [*self.diversity, probed["watch/vendi_ratio"]][-2 * _FEW :]
            if len(self.diversity) == 2 * _FEW:
                values["watch/vendi_rise"] = sum(self.diversity[_FEW:]) / max(sum(self.diversity[:_FEW]), 1e-12)
        if score is not None and math.isfinite(score):
            sign = 1 if higher_is_better else -1
            if self.best_score is None or sign * score > sign * self.best_score:
                self.best_score = score
            if self.scores[-1:] != [score]:
                self.scores = [*self.scores, score][-2:]
            values["watch/score_gap"] = min(relative_gap(s, self.best_score, higher_is_better) for s in self.scores)
        return values

    def state_dict(self) -> dict[str, Any]:
        return {
            "losses": {player: list(values) for player, values in self.losses.items()},
            "recent": {name: list(values) for name, values in self.recent.items()},
            "gradients": {player: list(values) for player, values in self.gradients.items()},
            "diversity": list(self.diversity),
            "best_score": self.best_score,
            "scores": list(self.scores),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.losses = {player: deque(values, maxlen=WINDOW) for player, values in state["losses"].items()}
        self.recent = {name: list(values) for name, values in state["recent"].items()}
        self.gradients = {player: list(values) for player, values in state["gradients"].items()}
        self.diversity = list(state["diversity"])
        self.best_score, self.scores = state["best_score"], list(state["scores"])
