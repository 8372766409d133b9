"""The panel: what the rows of training add up to between two checks."""

import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from forger.watch.signals import relative_gap, spectral_peak

#: Rows of training in the window that oscillation is looked for in, and the least that it takes.
WINDOW, LEAST = 64, 32


class Panel:
    """Keeps a window of losses and gradients, and the history that a gradient or a score is compared with.

    Its state is plain numbers, and a function of the rows alone: replaying ``metrics.jsonl`` gives the same.
    """

    def __init__(self) -> None:
        self.losses: dict[str, deque[float]] = {}
        self.recent: dict[str, list[float]] = {}
        self.gradients: dict[str, list[float]] = {}
        self.best_score: float | None = None

    def observe(self, row: Mapping[str, float]) -> None:
        """Take in a row of training: ``train/<player>/<term>``, ``watch/<player>_gradient``, ``watch/d_fake``."""
        losses: dict[str, float] = {}
        for name, value in row.items():
            kind, _, rest = name.partition("/")
            if kind == "train":
                player = rest.partition("/")[0]
                losses[player] = losses.get(player, 0.0) + value
            elif kind == "watch" and (rest.endswith("_gradient") or rest in ("d_fake", "d_real")):
                self.recent.setdefault(rest, []).append(value)
        for player, value in losses.items():
            self.losses.setdefault(player, deque(maxlen=WINDOW)).append(value)

    def derived(self, score: float | None = None, higher_is_better: bool = False) -> dict[str, float]:
        """Signals of this check, and the start of the next interval.

        - ``gradient_ratio``: ‖∇G‖ / ‖∇D‖, of medians since the last check;
        - ``gradient_growth``: the largest of the players' gradients over its own median at earlier checks;
        - ``gradient_left``: the generator's gradient over the largest of its own medians so far;
        - ``fooled``: median of D(G(z));
        - ``spectral_peak``: of the players' losses, the strongest (`forger.watch.signals.spectral_peak`);
        - ``score_gap``: how far the latest score is from the best so far.

        Args:
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
        if history := self.gradients.get("generator"):
            values["watch/gradient_left"] = gradients.get("generator", 0.0) / max(history)
        if "d_fake" in medians:
            values["watch/fooled"] = medians["d_fake"]
        series = [losses for losses in self.losses.values() if len(losses) >= LEAST]
        if series:
            values["watch/spectral_peak"] = max(spectral_peak(list(losses)) for losses in series)
        if score is not None and math.isfinite(score):
            sign = 1 if higher_is_better else -1
            if self.best_score is None or sign * score > sign * self.best_score:
                self.best_score = score
            values["watch/score_gap"] = relative_gap(score, self.best_score, higher_is_better)
        return values

    def state_dict(self) -> dict[str, Any]:
        return {
            "losses": {player: list(values) for player, values in self.losses.items()},
            "recent": {name: list(values) for name, values in self.recent.items()},
            "gradients": {player: list(values) for player, values in self.gradients.items()},
            "best_score": self.best_score,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.losses = {player: deque(values, maxlen=WINDOW) for player, values in state["losses"].items()}
        self.recent = {name: list(values) for name, values in state["recent"].items()}
        self.gradients = {player: list(values) for player, values in state["gradients"].items()}
        self.best_score = state["best_score"]
