"""Several callbacks as one, in an order from which a run can be taken up again."""

from collections.abc import Callable, Sequence
from typing import Any

from pytorch_lightning import Callback, Trainer

from forger.callbacks.checkpoints import Checkpoints
from forger.callbacks.interruption import Interruption
from forger.errors import Interrupted
from forger.games.base import Game


class Crew(Callback):
    """Calls its members' hooks in order, and only those that they define.

    After a round come the members, then the interruption, then the checkpoint, and only then the observers, which
    look at the game and change nothing in it. So a checkpoint holds the state before anybody observed it, and a
    run that goes on from there has them observe first. They may be broken off: nothing but their own work is lost.

    Lightning visits every callback on each of its eight hooks in a round, about 4 µs a visit; a run has eight
    callbacks that define one of those hooks.

    Args:
        members: callbacks whose state belongs to the round itself.
        interruption, checkpoints: of the run.
        observers: what scores and draws.
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

    def on_fit_start(self, trainer: Trainer, pl_module: Game) -> None:
        for hook in self._fit_start:
            hook(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: Game) -> None:
        for hook in self._train_start:
            hook(trainer, pl_module)
        if self.checkpoints.unobserved:
            self._observe(trainer, pl_module, None, None, 0)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Game, *rest: Any) -> None:
        for hook in self._round:
            hook(trainer, pl_module, *rest)
        if not self.interruption.signal_number:
            self._observe(trainer, pl_module, *rest)

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        for hook in self._end:
            hook(trainer, pl_module)
        if not self.interruption.signal_number:
            for hook in self._observing_end:
                hook(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: Game, exception: BaseException) -> None:
        for hook in self._exception:
            hook(trainer, pl_module, exception)

    def _observe(self, trainer: Trainer, game: Game, *rest: Any) -> None:
        if trainer.world_size > 1:  # observers may talk to those of other ranks, which heard no signal
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

    def state_dict(self) -> dict[str, Any]:
        everybody = [*self.members, *self.observers]
        return {type(member).__name__: state for member in everybody if (state := member.state_dict())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for member in [*self.members, *self.observers]:
            if type(member).__name__ in state_dict:
                member.load_state_dict(state_dict[type(member).__name__])


def _hooks(name: str, callbacks: Sequence[Callback]) -> list[Callable[..., None]]:
    return [getattr(c, name) for c in callbacks if getattr(type(c), name) is not getattr(Callback, name)]
