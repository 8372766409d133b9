"""The pictures of training as one that moves."""

from pytorch_lightning import Callback, Trainer

from forger.callbacks.samples import Samples
from forger.games.base import Game
from forger.pictures.files import save_picture, training_frames


class Animation(Callback):
    """Puts the pictures that `Samples` drew together as ``samples/training.gif`` when training ends."""

    def on_train_end(self, trainer: Trainer, pl_module: Game) -> None:
        if not trainer.is_global_zero:
            return
        for drawn in (each for each in trainer.callbacks if isinstance(each, Samples)):  # type: ignore[attr-defined]
            if len(frames := training_frames(drawn.folder)) > 1:
                save_picture(frames, drawn.folder / "training.gif")
