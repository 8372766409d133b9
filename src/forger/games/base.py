"""The game: players that take turns in optimising their own objective over shared batches."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import torch
import torch.distributed
from annotated_types import Ge, Gt
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from forger.data.ranges import to_float
from forger.games.inference import Inference
from forger.games.numbers import copied, fault, relative_change
from forger.partials import plain
from forger.randomness import Noise, derived_seed, generator

Batch = dict[str, Tensor]
Terms = dict[str, Tensor]


class Player:
    """One side of a game: which networks it moves, with which optimiser, and when.

    Args:
        optimizer: called with the player's parameters, gives its optimiser.
        networks: names of the game's networks it trains; the player's own name when empty.
        every: the player moves in each ``every``-th round (``n_critic = 5`` is ``every: 5`` for the generator).
        clip: largest Euclidean norm of the player's gradient; None leaves it alone.
        schedule: learning-rate factor as a function of the images shown so far (`forger.games.schedules`).
        constraint: called with the player's parameters after each of its steps (`forger.losses.constraints`).
    """

    def __init__(
        self,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        networks: Sequence[str] = (),
        every: Annotated[int, Ge(1)] = 1,
        clip: Annotated[float, Gt(0)] | None = None,
        schedule: Callable[[int], float] | None = None,
        constraint: Callable[[Iterable[nn.Parameter]], None] | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.networks = list(networks)
        self.every = every
        self.clip = clip
        self.schedule = plain(schedule)
        self.constraint = plain(constraint)


class Game(Inference):
    """Rounds of alternating moves with manual optimisation: the only training step there is.

    In each round every player whose turn it is moves once, in the order of ``players``: the others' networks
    are frozen, its objective's terms are summed and minimised by one step of its optimiser.

    A game says who plays (`round`) and for what (`objective`); what it offers besides are `forger.games.abilities`. Its
    clock is ``iteration`` (rounds) and ``shown`` (real images); all randomness is a function of the seed and the clock.

    Args:
        players: name to `Player`, in the order of play.
        seed: seed of every random stream.
    """

    def __init__(self, players: Mapping[str, Player], seed: int = 0) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.players = dict(players)
        self.seed = seed
        self.iteration = 0
        self.shown = self.shown_before = 0
        self.rank, self.world = 0, 1
        self.observe_every = 1
        #: Whether callbacks have something to do after the round just played.
        self.pausing: Callable[[], bool] = _always
        #: Entered where networks run as they are written although they are compiled (`forger.compilation`).
        self.uncompiled: Callable[[], AbstractContextManager[Any]] = nullcontext
        #: Whether callbacks of the user's look on: moves then go through Lightning's own calls.
        self.hooked = False
        self._mover = ""
        #: Whether the values of the move that is being made are kept.
        self.observing = False
        #: Terms and signals of each player's last move in the latest ``observe_every`` rounds, as detached scalars.
        self.observed: dict[str, Tensor] = {}
        self._window = -1
        self._scaler: torch.amp.GradScaler | None = None
        self._parameters_of: dict[str, list[nn.Parameter]] = {}

    # What a game is ---------------------------------------------------------------------------------------

    def round(self) -> list[str]:
        """Names of the players that move in this round, in order."""
        return [name for name, player in self.players.items() if self.iteration % player.every == 0]

    def objective(self, player: str, batch: Batch) -> Terms:
        """Named scalar terms whose sum the player minimises on this batch (images in [-1, 1])."""
        raise NotImplementedError

    # How it is played -------------------------------------------------------------------------------------

    def training_step(self, batch: Batch | Iterator[Batch], batch_idx: int) -> None:
        """A round on a batch or, given a stream of them, rounds until a callback has something to do.

        Lightning's loop costs as much as half of a small game does, so `forger.data.loader.Stream` gives it the stream.
        """
        if not isinstance(batch, Iterator):
            self.play(batch)
            return
        for following in batch:
            self.play(following)
            if self.pausing():
                break

    def play(self, batch: Batch) -> None:
        """One round on this rank's share of a batch."""
        self._seed_layers()
        self._silence_reducer()
        self._freeze_all_but(*self.players)
        batch = self.prepared(batch)
        optimizers = dict(zip(self.players, self._optimizers(), strict=True))
        for name in self.round():
            self._freeze_all_but(name)
            self._look_at(self.players[name])
            self._move(name, optimizers[name], self.objective(name, batch))
        if self.world > 1:
            # On a player's turn its images pass the others' networks, too: a round ends with one state on all ranks,
            # which is what a checkpoint holds.
            self._average(_statistics(network for player in self.players for network in self.networks_of(player)))
        self.iteration += 1
        self.shown_before, self.shown = self.shown, self.shown + len(batch["image"]) * self.world

    def _move(self, name: str, optimizer: Any, terms: Terms) -> None:
        player = self.players[name]
        total = torch.stack(list(terms.values())).sum()
        if self.observing or total.device.type == "cpu":
            self._refuse_divergence(name, terms)
        if player.schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * player.schedule(self.shown)
        self._backward(name, optimizer, total)
        self._average_over_ranks(name)
        if self.observing:
            self._observe_gradient(name)
        before = copied(self.trained_by(name)) if self.observing else []
        self._step(name, optimizer)
        if player.constraint is not None:
            player.constraint(self.trained_by(name))
        self.after_move(name)
        if self.observing:
            self.observe(f"watch/{name}_update", relative_change(before, self.trained_by(name)))
            self.observed |= {f"train/{name}/{term}": value.detach() for term, value in terms.items()}

    def _backward(self, name: str, optimizer: Any, total: Tensor) -> None:
        self.tell("on_before_zero_grad", optimizer)
        for parameter in self.trained_by(name):
            parameter.grad = None
        if self.hooked:
            self.manual_backward(total)
        else:
            (total if self._scaler is None else self._scaler.scale(total)).backward()

    def _step(self, name: str, optimizer: Any) -> None:
        if self.hooked:
            self._mover = name
            optimizer.step()  # Lightning's: it counts, scales, and calls `on_before_optimizer_step`
            return
        self._clip(name, optimizer)
        if self._scaler is None:
            optimizer.step()
        else:
            self._scaler.step(optimizer)
            self._scaler.update()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the mover's gradient where Lightning's own calls make the step."""
        self._clip(self._mover, optimizer)

    def _clip(self, name: str, optimizer: Optimizer) -> None:
        clip = self.players[name].clip
        if clip is None:
            return
        # Lightning has done it before its hook, except for an optimiser that would do it in its step.
        scaled = not self.hooked or getattr(optimizer, "_step_supports_amp_scaling", False)
        if self._scaler is not None and scaled:
            self._scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(self.trained_by(name), clip)

    def tell(self, hook: str, *arguments: Any) -> None:
        """Call one of Lightning's hooks of the trainer's callbacks, if some of them are the user's."""
        if self.hooked:
            for callback in self.trainer.callbacks:  # pyright: ignore[reportAttributeAccessIssue]
                getattr(callback, hook)(self.trainer, self, *arguments)

    def after_move(self, name: str) -> None:
        """Called when a player has stepped: moving averages follow its networks."""
        self._update_averages(self.players[name].networks or [name], self.iteration // self.players[name].every)

    def _look_at(self, player: Player) -> None:
        """Observe the player's last move before each ``observe_every``-th round ends, known before it is made."""
        window, place = divmod(self.iteration, self.observe_every)
        self.observing = place + player.every >= self.observe_every
        if self.observing and window != self._window:
            self.observed, self._window = {}, window

    def observe(self, name: str, value: Tensor) -> None:
        """Keep a scalar that is no part of an objective; call it only while ``observing``."""
        self.observed[name] = value.detach()

    def prepared(self, batch: Batch) -> Batch:
        """The round's batch with uint8 images as floats in [-1, 1], channels last.

        A game adds what its players share, such as fakes: here no network is frozen yet.
        """
        return {name: to_float(value) if value.dtype == torch.uint8 else value for name, value in batch.items()}

    def stream(self, purpose: str) -> torch.Generator:
        """This round's random stream for a purpose, the same on every rank."""
        return generator(self.seed, purpose, self.iteration, device=self.device)

    def noise(self, purpose: str) -> Noise:
        """This round's random numbers for a purpose, of which every rank draws its own samples' share."""
        return Noise(lambda: self.stream(purpose), self.rank, self.world)

    def mine(self, shared: Tensor) -> Tensor:
        """This rank's share of a tensor drawn for the global batch, laid out as the loader deals batches."""
        return shared[self.rank :: self.world]

    # Freezing, averaging, clipping ------------------------------------------------------------------------

    def trained_by(self, name: str) -> list[nn.Parameter]:
        """Parameters of a player's networks."""
        if name not in self._parameters_of:
            self._parameters_of[name] = [p for network in self.networks_of(name) for p in network.parameters()]
        return self._parameters_of[name]

    def networks_of(self, name: str) -> list[nn.Module]:
        """The networks that a player moves."""
        return [self.get_submodule(network) for network in self.players[name].networks or [name]]

    def remembering(self, name: str) -> list[nn.Module]:
        """Modules whose running statistics change on a player's turn, and are averaged over the ranks."""
        return self.networks_of(name)

    def _freeze_all_but(self, *names: str) -> None:
        for player in self.players:
            for parameter in self.trained_by(player):
                parameter.requires_grad_(False)
        for player in names:
            for parameter in self.trained_by(player):
                parameter.requires_grad_(True)

    def _seed_layers(self) -> None:
        """Make dropout and its like functions of the clock, too."""
        seed = derived_seed(self.seed, "layers", self.iteration, self.rank)
        # torch.manual_seed would also record a traceback for each backend that is not initialised.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _silence_reducer(self) -> None:
        """Keep DistributedDataParallel from averaging: it expects every parameter in each backward pass.

        No game with several players can give that; `_average_over_ranks` does it per player instead.
        """
        if self.world > 1:
            wrapper = self.trainer.strategy.model
            assert isinstance(wrapper, DistributedDataParallel)
            wrapper.require_backward_grad_sync = False

    def _average_over_ranks(self, name: str) -> None:
        """Average the player's gradients, and its running statistics, over ranks in one flat message."""
        if self.world == 1:
            return
        tensors = [parameter.grad for parameter in self.trained_by(name) if parameter.grad is not None]
        self._average([*tensors, *_statistics(self.remembering(name))])

    def _average(self, tensors: Sequence[Tensor]) -> None:
        if not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.world
        for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def _observe_gradient(self, name: str) -> None:
        gradients = {n: p.grad for n, p in self.named_parameters() if p.grad is not None and p.requires_grad}
        norm = nn.utils.get_total_norm(list(gradients.values()))
        # A scaler expects to overflow now and then, and skips that step.
        overflown = self._scaler is None and not math.isfinite(norm.item())
        if overflown and (error := fault(gradients, name, self.iteration, "gradient")):
            raise error
        self.observe(f"watch/{name}_gradient", norm / (1.0 if self._scaler is None else self._scaler.get_scale()))

    def _refuse_divergence(self, name: str, terms: Terms) -> None:
        for value in terms.values():
            if not math.isfinite(value.item()):
                weights = dict(self.named_parameters())
                error = fault(weights, name, self.iteration, "weight") or fault(terms, name, self.iteration, "term")
                assert error is not None
                raise error

    # Lightning --------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizers = [player.optimizer(self.trained_by(name)) for name, player in self.players.items()]
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
            if self.device.type == "cpu":
                _look_for_no_gpu(optimizer)
        return optimizers

    def _optimizers(self) -> list[Any]:
        # Lightning's wrappers add hooks and counting, which cost time.
        optimizers = self.optimizers(use_pl_optimizer=self.hooked)
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def on_fit_start(self) -> None:
        self.rank, self.world = self.trainer.global_rank, self.trainer.world_size
        self._scaler = getattr(self.trainer.precision_plugin, "scaler", None)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["clock"] = {"iteration": self.iteration, "images": self.shown}
        checkpoint["observed"] = {"window": self._window, "values": self.observed}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.iteration, self.shown = checkpoint["clock"]["iteration"], checkpoint["clock"]["images"]
        if "observed" in checkpoint:  # not in what the first versions saved
            self._window, self.observed = checkpoint["observed"]["window"], checkpoint["observed"]["values"]


def _always() -> bool:
    return True


def _look_for_no_gpu(optimizer: Optimizer) -> None:
    """Skip torch's check for a CUDA graph in an optimiser on the CPU.

    With Lightning, each step of Adam asks the driver's library whether there is a GPU: a tenth of a small game's time.
    Does nothing for an optimiser without that check.
    """
    for check in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
        setattr(optimizer, check, _nothing)


def _nothing() -> None:
    pass


def _statistics(modules: Iterable[nn.Module]) -> list[Tensor]:
    """Running statistics and their like: the modules' floating-point buffers, each once."""
    buffers = {id(buffer): buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point()}
    return list(buffers.values())
