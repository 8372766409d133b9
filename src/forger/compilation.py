"""`torch.compile` for the players' networks, in rounds of training only.

Compiled code should see few kinds of input. So scoring, pictures and the watch, whose batches have other sizes, run the
networks uncompiled, and so do penalties: a compiled graph can't be differentiated twice, and older versions of torch
then lose part of the gradient without an error.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch

from forger.console import say
from forger.errors import ConfigError, ForgerError
from forger.games.base import Batch, Game

Mode = Literal["default", "reduce-overhead", "max-autotune"]

#: Variants of one piece of code that may be compiled: networks times players that call them, with and without
#: gradients. torch's own limit, 8, counts all networks together, and what is beyond it runs uncompiled.
_VARIANTS = 64


def compile_networks(game: Game, mode: Mode, device: torch.device) -> None:
    """Compile the players' networks, when first played; in place, so that names and weights stay as they are.

    With CUDA graphs (``reduce-overhead`` and ``max-autotune`` on a GPU) a network's outputs lie in memory of the graphs
    and are kept until the next round begins.

    Args:
        game: outside of `Game.play` its networks stay uncompiled (as does whatever else this process compiles).
        mode: torch's.
        device: where it will be trained.

    Raises:
        ConfigError: nothing can be compiled here.
    """
    inductor: Any = torch._inductor  # pyright: ignore[reportAttributeAccessIssue]
    dynamo: Any = torch._dynamo  # pyright: ignore[reportAttributeAccessIssue]
    # Random numbers as without compilation; one size of batch, whose kernels do not change during a run.
    how = {"options": {**inductor.list_mode_options(mode), "fallback_random": True}, "dynamic": False}
    try:
        with torch.compiler.set_stance("default"):
            torch.compile(_trivial, **how)(torch.ones(8, device=device))
    except Exception as error:  # a broken compiler can raise anything
        raise ConfigError(
            f"trainer.compile={mode}: torch can't compile on this machine: {_reason(error)}; on the CPU it needs a C++ "
            "compiler (g++), on a GPU Triton; trainer.compile=null goes without"
        ) from error
    # torch's own doing, with the fakes that the generator learns from.
    warnings.filterwarnings("ignore", message=r"The \.grad attribute of a Tensor that is not a leaf")
    dynamo.config.recompile_limit = _VARIANTS
    # Otherwise it would go on uncompiled.
    dynamo.config.fail_on_recompile_limit_hit = True
    for name in game.players:
        for network in game.networks_of(name):
            if any("SpectralNorm" in type(module).__name__ for module in network.modules()):
                why = "torch can't compile spectral normalisation that is called twice a round"
                say(f"trainer.compile={mode}: the {name} stays uncompiled, since {why}")
            else:
                network.compile(**how)
    graphs = device.type == "cuda" and bool(how["options"].get("triton.cudagraphs"))
    game.uncompiled = partial(torch.compiler.set_stance, "force_eager")
    game.play = _played(game, game.play, graphs)  # pyright: ignore[reportAttributeAccessIssue]
    torch.compiler.set_stance("force_eager")


def _played(game: Game, play: Callable[[Batch], None], graphs: bool) -> Callable[[Batch], None]:
    def compiled(batch: Batch) -> None:
        if graphs:
            # The last round's gradients, in memory that is about to be used again.
            for parameter in game.parameters():
                parameter.grad = None
            torch.compiler.cudagraph_mark_step_begin()
        try:
            with torch.compiler.set_stance("default"):
                play(batch)
        except Exception as error:
            if not _of_compiler(error):
                raise
            raise ForgerError(
                f"torch could not compile the networks: {_reason(error)}; trainer.compile=null goes without"
            ) from error

    return compiled


def _trivial(x: torch.Tensor) -> torch.Tensor:
    return x.sin() + 1


def _of_compiler(error: Exception) -> bool:
    if any(kind.__module__.startswith(("torch._dynamo", "torch._inductor")) for kind in type(error).__mro__):
        return True
    # What a network changes in each call, such as spectral normalisation its vectors, compiled graphs don't copy.
    return "modified by an inplace operation" in str(error)


def _reason(error: Exception) -> str:
    if type(error).__name__ == "FailOnRecompileLimitHit":
        return f"they change from call to call, in more than {_VARIANTS} ways"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
