"""Two games whose oscillation is known in closed form: what the watch's spectral peak makes of them.

    python -m scripts.benchmarks.watch.oscillation

- Bilinear, min_x max_y x·y: simultaneous gradient steps of rate η multiply (x, y) by 1 ± iη, so they spiral out
  with angle atan η a step; alternating steps stay on an ellipse with angle 2 asin(η/2). Consensus optimisation
  (Mescheder et al., 2017) of weight γ damps: 1 - γη ± iη.
- Dirac-GAN (Mescheder et al., 2018, section 2): data at 0, G a point θ, D(x) = ψx, logistic loss. Around the
  equilibrium it turns by η/2 a step; R1 of weight γ damps with rate γη/2 (lemma 3.1, 3.2).

Losses are made of products of the two coordinates, so they swing with twice these angles.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from forger.watch.alarms import PATTERNS, Alarms
from forger.watch.history import WINDOW, SignalHistory

#: Rows of training that a run gives, and rows between two checks.
ROWS, ROWS_PER_CHECK = 240, 6
State = tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """One run of a game.

    Args:
        game: ``bilinear`` or ``dirac``.
        rate: η.
        damping: γ; none oscillates for ever.
        alternating: whether the second player sees the first one's new move.
        cycles: of the loss in the watch's window; tells how many steps there are between two rows.
        noise: standard deviation of the gradients' noise.
        seed: of that noise and the start.
    """

    game: str
    rate: float
    damping: float
    alternating: bool
    cycles: float
    noise: float
    seed: int

    @property
    def angle(self) -> float:
        """Of one step around the equilibrium, in closed form, without damping."""
        if self.game == "dirac":
            return self.rate / 2
        return 2 * math.asin(self.rate / 2) if self.alternating else math.atan(self.rate)

    @property
    def every(self) -> int:
        """Steps between two rows."""
        return max(1, round(self.cycles * math.pi / self.angle / WINDOW))


def settings(seeds: range) -> list[Setting]:
    """Healthy (damped) and oscillating (undamped) runs alike."""
    found = []
    for game in ("bilinear", "dirac"):
        for rate in (0.05, 0.1, 0.2):
            for alternating in (False, True):
                for cycles in (4, 8, 16):
                    for noise in (0.0, 0.05):
                        for damping in (0.0, 0.3, 1.0):
                            one = Setting(game, rate, damping, alternating, cycles, noise, 0)
                            found += [replace(one, seed=seed) for seed in seeds]
    return found


def play(setting: Setting, steps: int) -> list[dict[str, float]]:
    """Rows of training of one run, as a game's journal has them, one for each step."""
    stream = torch.Generator().manual_seed(setting.seed)
    x, y = (float(value) for value in torch.rand(2, generator=stream) * 0.5 + 0.25)
    noise = setting.noise * torch.randn(steps, 2, generator=stream)
    step = _bilinear if setting.game == "bilinear" else _dirac
    rows = []
    for i in range(steps):
        x, y, row = step(setting, x, y, noise[i].tolist())
        rows.append(row)
    return rows


def _bilinear(setting: Setting, x: float, y: float, noise: list[float]) -> tuple[float, float, dict[str, float]]:
    eta, gamma = setting.rate, setting.damping
    row = {"train/generator/value": x * y, "train/discriminator/value": -x * y}
    new_x = x - eta * (y + gamma * x + noise[0])
    seen = new_x if setting.alternating else x
    return _bounded(new_x), _bounded(y + eta * (seen - gamma * y + noise[1])), row


def _dirac(setting: Setting, theta: float, psi: float, noise: list[float]) -> tuple[float, float, dict[str, float]]:
    eta, gamma = setting.rate, setting.damping
    row = {
        "train/discriminator/value": math.log(2) + _softplus(psi * theta) + gamma / 2 * psi**2,
        "train/generator/value": _softplus(-psi * theta),
    }
    slope = 1 / (1 + math.exp(-psi * theta))
    new_psi = psi - eta * (theta * slope + gamma * psi + noise[0])
    seen = new_psi if setting.alternating else psi
    new_theta = theta + eta * (seen / (1 + math.exp(seen * theta)) + noise[1])
    return _bounded(new_theta), _bounded(new_psi), row


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _bounded(x: float) -> float:
    """What spirals out ends at a wall, as weights end at the precision of numbers."""
    return max(-20.0, min(20.0, x))


def measured_angle(setting: Setting, value: Callable[[dict[str, float]], float], steps: int = 4096) -> float:
    """Angle of one step, from the strongest frequency of the loss (half of its), by parabolic interpolation."""
    series = torch.tensor([value(row) for row in play(setting, steps)], dtype=torch.float64)
    power = torch.fft.rfft((series - series.mean()) * torch.hann_window(steps, dtype=torch.float64)).abs().log()
    k = 1 + int(power[1:-1].argmax())
    a, b, c = (float(power[k + i]) for i in (-1, 0, 1))
    return 2 * math.pi * (k + (a - c) / (2 * (a - 2 * b + c))) / steps / 2


def first_alarm(setting: Setting) -> tuple[int | None, float]:
    """Rows until the oscillation alarm of the watch, None without one; and the largest of its signal."""
    rows = play(setting, ROWS * setting.every)[:: setting.every]
    history, alarms = SignalHistory(), Alarms(patterns={"oscillation": PATTERNS["oscillation"]})
    largest = 0.0
    first = None
    for i, row in enumerate(rows, start=1):
        history.observe(row)
        if i % ROWS_PER_CHECK == 0:
            signals = history.derived({})
            largest = max(largest, signals.get("watch/spectral_peak", 0.0))
            if alarms.check(signals) and first is None:
                first = i
    return first, largest


def report() -> dict[str, Any]:
    """Rates over all settings, and closed form against measurement."""
    found = [(setting, *first_alarm(setting)) for setting in settings(range(3))]
    groups = {}
    for name, chosen in (("undamped", lambda s: s.damping == 0), ("damped", lambda s: s.damping > 0)):
        for game in ("bilinear", "dirac"):
            runs = [run for run in found if chosen(run[0]) and run[0].game == game]
            alarmed = sorted(run[1] for run in runs if run[1] is not None)
            groups[f"{game}, {name}"] = {
                "runs": len(runs),
                "alarmed": len(alarmed),
                "rows": alarmed[len(alarmed) // 2] if alarmed else None,
                "peaks": sorted(run[2] for run in runs),
            }
    angles = {}
    for game, alternating in (("bilinear", True), ("bilinear", False), ("dirac", True)):
        one = Setting(game, 0.1 if alternating else 0.001, 0.0, alternating, 8, 0.0, 0)
        measured = measured_angle(one, lambda row: row["train/generator/value"])
        angles[f"{game}, {'alternating' if alternating else 'simultaneous'}"] = (one.angle, measured)
    return {"groups": groups, "angles": angles}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    result = report()
    for name, group in result["groups"].items():
        peaks = group.pop("peaks")
        quantiles = [round(peaks[int(q * (len(peaks) - 1))], 3) for q in (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)]
        print(name, group, quantiles)
    print(result["angles"])


if __name__ == "__main__":
    main()
