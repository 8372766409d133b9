"""Several callbacks as one, in an order that lets a run be continued."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from pytorch_lightning import Callback, Trainer

from forger.callbacks.checkpoint_files import CALLBACKS
from forger.callbacks.checkpoints import Checkpoints
from forger.callbacks.clock import ScheduledCallback
from forger.callbacks.interruption import Interruption
from forger.errors import Interrupted
from forger.games.base import Game

#: Seconds at most between two checks of the clock, the bar and the signals.
SECONDS = 0.5


class CallbackChain(Callback):
    """Calls its members' hooks in order, and only those that they define.

    After a round come the members, then the interruption, then the checkpoint, and only then the observers, which
    change nothing in the game. So a checkpoint holds the state before it was observed, and a run that continues from
    it has the observers called first. Observers may be interrupted: only their own work is lost.

    Lightning calls every callback on each of its eight hooks in a round, and its own loop costs as much as half a
    small game. So, unless another callback needs every round, the game plays on until a callback has something to
    do, a signal has come, or `SECONDS` are over.

    Args:
        members: callbacks whose state belongs to the round itself.
        interruption, checkpoints: of the run.
        observers: callbacks that score and draw.
    """

    def __init__(
        self,
        members: Sequence[Callback],
        interruption: Interruption,
        checkpoints: Checkpoints,
        observers: Sequence[Callback] = (),
    ) -> None:
        self.interruption = interruption
        self.checkpoints = checkpoints
        self.members = [*members, interruption, checkpoints]
        self.observers = list(observers)
        everybody = [*self.members, *self.observers]
        self._fit_start = _hooks("on_fit_start", everybody)
        self._train_start = _hooks("on_train_start", everybody)
        self._exception = _hooks("on_exception", everybody)
        self._round = _hooks("on_train_batch_end", self.members)
        self._observing = _hooks("on_train_batch_end", self.observers)
        self._end = _hooks("on_train_end", self.members)
        self._observing_end = _hooks("on_train_end", self.observers)
        self._scheduled = [callback for callback in everybody if isinstance(callback, ScheduledCallback)]
        self._patient = len(self._scheduled) == len(everybody)

    def on_fit_start(self, trainer: Trainer, pl_module: Game) -> None:
        for hook in self._fit_start:
            hook(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        for hook in self._train_start:
            hook(trainer, pl_module)
        if self.checkpoints.unobserved:
            self._observe(trainer, pl_module, None, None, 0)
        # Ranks must agree on when to stop, which their own clocks would not.
        if self._patient and trainer.world_size == 1 and not pl_module.hooked:
            self._plan(pl_module)
            pl_module.pausing = lambda: self._pausing(pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *rest: Any) -> None:
        for hook in self._round:
            hook(trainer, pl_module, *rest)
        if not self.interruption.signal_number:
            self._observe(trainer, pl_module, *rest)
        self._plan(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        for hook in self._end:
            hook(trainer, pl_module)
        if not self.interruption.signal_number:
            for hook in self._observing_end:
                hook(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: Game, exception: BaseException) -> None:
        for hook in self._exception:
            hook(trainer, pl_module, exception)

    def _plan(self, game: Game) -> None:
        self._next = min(callback.due_at(game) for callback in self._scheduled)
        self._latest = time.monotonic() + SECONDS

    def _pausing(self, game: Game) -> bool:
        return game.shown >= self._next or self.interruption.signal_number != 0 or time.monotonic() >= self._latest

    def _observe(self, trainer: Trainer, game: Game, *rest: Any) -> None:
        # Observers may be waiting for other ranks, which got no signal, and the user's callbacks may count their calls.
        if trainer.world_size > 1 or game.hooked:
            for hook in self._observing:
                hook(trainer, game, *rest)
            return
        try:
            with self.interruption.breakable():
                for hook in self._observing:
                    hook(trainer, game, *rest)
        except Interrupted:
            self.checkpoints.save_last(trainer)
            trainer.should_stop = True

    @property
    def state_key(self) -> str:
        return CALLBACKS

    def state_dict(self) -> dict[str, Any]:
        everybody = [*self.members, *self.observers]
        return {member.state_key: state for member in everybody if (state := member.state_dict())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for member in [*self.members, *self.observers]:
            if member.state_key in state_dict:
                member.load_state_dict(state_dict[member.state_key])


def _hooks(name: str, callbacks: Sequence[Callback]) -> list[Callable[..., None]]:
    return [getattr(c, name) for c in callbacks if getattr(type(c), name) is not getattr(Callback, name)]
