"""Backward passes and steps of optimisers: by hand or, where callbacks of the user's look on, by Lightning's calls."""

from collections.abc import Iterable
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer


class Descent(LightningModule):
    """The part of a game that moves parameters along a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        #: Whether callbacks of the user's look on: moves then go through Lightning's own calls.
        self.hooked = False
        self._scaler: torch.amp.GradScaler | None = None
        self._clipped: tuple[Iterable[nn.Parameter], float | None] = ((), None)

    def on_fit_start(self) -> None:
        self._scaler = getattr(self.trainer.precision_plugin, "scaler", None)

    def _optimizers(self) -> list[Any]:
        # Lightning's wrappers add hooks and counting, which cost time.
        optimizers = self.optimizers(use_pl_optimizer=self.hooked)
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def _clear(self, optimizer: Any, parameters: Iterable[nn.Parameter]) -> None:
        """Leave the parameters without a gradient."""
        self.tell("on_before_zero_grad", optimizer)
        for parameter in parameters:
            parameter.grad = None

    def _backward(self, total: Tensor) -> None:
        """Add the gradient of ``total``, multiplied by the scaler's factor if there is one."""
        if self.hooked:
            self.manual_backward(total)
        else:
            (total if self._scaler is None else self._scaler.scale(total)).backward()

    def _step(self, optimizer: Any, parameters: Iterable[nn.Parameter], clip: float | None) -> None:
        """One step, by a gradient of the Euclidean norm ``clip`` at most."""
        if self.hooked:
            self._clipped = parameters, clip
            optimizer.step()  # Lightning's: it counts, scales, and calls `on_before_optimizer_step`
            return
        self._clip(optimizer, parameters, clip)
        if self._scaler is None:
            optimizer.step()
        else:
            self._scaler.step(optimizer)
            self._scaler.update()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradient where Lightning's own calls make the step."""
        self._clip(optimizer, *self._clipped)

    def _clip(self, optimizer: Optimizer, parameters: Iterable[nn.Parameter], clip: float | None) -> None:
        if clip is None:
            return
        # Lightning has done it before its hook, except for an optimiser that would do it in its step.
        scaled = not self.hooked or getattr(optimizer, "_step_supports_amp_scaling", False)
        if self._scaler is not None and scaled:
            self._scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(parameters, clip)

    def tell(self, hook: str, *arguments: Any) -> None:
        """Call one of Lightning's hooks of the trainer's callbacks, if some of them are the user's."""
        if self.hooked:
            for callback in self.trainer.callbacks:  # pyright: ignore[reportAttributeAccessIssue]
                getattr(callback, hook)(self.trainer, self, *arguments)


def prepare_optimizer(optimizer: Optimizer, device: torch.device) -> None:
    """Keep the learning rates that schedules multiply, and skip torch's check for a CUDA graph on the CPU.

    With Lightning, each step of Adam asks the driver's library whether there is a GPU: a tenth of a small game's time.
    """
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    if device.type == "cpu":
        for check in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
            setattr(optimizer, check, _nothing)


def _nothing() -> None:
    pass
