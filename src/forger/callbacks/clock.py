"""When something is due, told from the images shown alone, so that resuming needs no counters."""

from forger.games.base import Game


def due(game: Game, every_images: int | None) -> bool:
    """Whether the round just played crossed a multiple of ``every_images`` (never, when None)."""
    if every_images is None:
        return False
    return game.shown // every_images > game.shown_before // every_images
