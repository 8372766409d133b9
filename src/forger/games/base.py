"""The game: players that take turns in optimising their own objective over shared batches."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from forger.annealing import Schedule, followed
from forger.data.conditions import Conditions
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.games.sampling.inference import Inference
from forger.games.training.accumulation import Parts
from forger.games.training.all_reduce import average_over_ranks, silence_reducer, statistics
from forger.games.training.descent import Descent, prepare_optimizer
from forger.games.training.moving import Moving
from forger.games.training.steering import numbers_of, rate_of, steer, steered
from forger.games.training.tensor_checks import copied, refuse_faults, relative_change
from forger.partials import plain
from forger.randomness import Noise, derived_seed, generator, seed_layers

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
        schedules: schedules of other numbers of the optimiser, by name: beta1, beta2, momentum, weight_decay, …
        constraint: called with the player's parameters after each of its steps (`forger.losses.constraints`).
        freeze: patterns (``fnmatch``) of names of its parameters, as ``discriminator.0.*``, that keep their values.
    """

    def __init__(
        self,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        networks: Sequence[str] = (),
        every: Annotated[int, Ge(1)] = 1,
        clip: Annotated[float, Gt(0)] | None = None,
        schedule: Schedule | None = None,
        constraint: Callable[[Iterable[nn.Parameter]], None] | None = None,
        freeze: Sequence[str] = (),
        schedules: Mapping[str, Schedule] | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.networks = list(networks)
        self.every = every
        self.clip = clip
        self.schedule, self.schedules = rate_of(schedule), numbers_of(optimizer, schedules)
        self.constraint = plain(constraint)
        self.freeze = list(freeze)


class Game(Moving, Descent, Inference):
    """Rounds of alternating moves with manual optimisation: the only training step there is.

    In each round every player whose turn it is moves once, in the order of ``players``: the others' networks
    are frozen, its objective's terms are summed and minimised by one step of its optimiser.

    A game says who plays (`round`) and for what (`objective`); what it offers besides are `forger.games.abilities`. Its
    clock is ``iteration`` (rounds) and ``shown`` (real images); all randomness is a function of the seed and the clock.

    Args:
        players: name to `Player`, in the order of play.
        seed: seed of every random stream.
    """

    #: What the columns of a label are, in a game that is told of several (`forger.data.conditions`).
    conditions: Conditions = ()

    def __init__(self, players: Mapping[str, Player], seed: int = 0) -> None:
        super().__init__()
        self.players: dict[str, Player] = dict(players)
        self.seed = seed
        #: What the pixels of its images are outside of it.
        self.values: ValueRange = BYTES
        self.iteration = 0
        self.shown = self.shown_before = 0
        #: Real images of the round that is being played, over all ranks.
        self.playing = 0
        self.rank, self.world = 0, 1
        #: Batches that a round takes, of which it counts the images of one.
        self.batches_a_round = 1
        #: Parts in which each player's share of a batch passes the networks, and the one whose turn it is.
        self.accumulate, self.part = 1, 0
        self.observe_every = 1
        #: Whether callbacks have something to do after the round just played.
        self.pausing: Callable[[], bool] = _always
        #: Entered where networks run as they are written although they are compiled (`forger.compilation`).
        self.uncompiled: Callable[[], AbstractContextManager[Any]] = nullcontext
        #: Whether the values of the move that is being made are kept.
        self.observing = False
        #: Terms and signals of each player's last move in the latest ``observe_every`` rounds, as detached scalars.
        self.observed: dict[str, Tensor] = {}
        self._window = -1

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
        seed_layers(derived_seed(self.seed, "layers", self.iteration, self.rank), self.device)
        self._freeze_all_but(*self.players)
        self.playing = len(batch["image"]) // self.batches_a_round * self.world
        turn = self._turns(batch)
        optimizers = dict(zip(self.players, self._optimizers(), strict=True))
        for name in self.round():
            self._freeze_all_but(name)
            self._look_at(self.players[name])
            terms: Terms = {}
            for mine in turn(name):
                terms = self._descend(name, optimizers[name], self.objective(name, mine), terms)
            self._move(name, optimizers[name], terms)
        if self.world > 1:
            # A player's images pass the others' networks, too; a checkpoint holds one state, that of all ranks.
            average_over_ranks(self._statistics(), self.world)
        self.iteration += 1
        self.shown_before, self.shown = self.shown, self.shown + self.playing

    def _turns(self, batch: Batch) -> Callable[[str], Iterable[Batch]]:
        """What each player meets on its turn: the batch prepared as a whole, once for all, or in parts."""
        if self.accumulate > 1:
            return Parts(self, batch, self._statistics()).turn
        whole = [self.prepared(batch)]
        return lambda player: whole

    def _statistics(self) -> list[Tensor]:
        return statistics(network for player in self.players for network in self.networks_of(player))

    def _descend(self, name: str, optimizer: Any, terms: Terms, before: Terms) -> Terms:
        """Give the player the gradient of its terms, or add that of a part; the values, with those of parts before."""
        if self.accumulate > 1:
            terms = {term: value / self.accumulate for term, value in terms.items()}
        total = torch.stack(list(terms.values())).sum()
        known = self.observing or total.device.type == "cpu"  # elsewhere asking for a value costs time
        if known and not all(math.isfinite(value.item()) for value in terms.values()):
            refuse_faults(dict(self.named_parameters()), name, self.iteration, "weight")
            refuse_faults(terms, name, self.iteration, "term")
        if not before:
            self._clear(optimizer, self.trained_by(name))
        self._backward(total)
        return {term: value.detach() + before[term] if before else value.detach() for term, value in terms.items()}

    def _move(self, name: str, optimizer: Any, terms: Terms) -> None:
        player, trained = self.players[name], self.trained_by(name)
        steer(optimizer, player.schedule, player.schedules, self.shown)
        if self.world > 1:
            gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
            average_over_ranks([*gradients, *statistics(self.remembering(name))], self.world)
        if self.observing:
            self._observe_gradient(name)
        before = copied(trained) if self.observing else []
        self._step(optimizer, trained, player.clip)
        if player.constraint is not None:
            player.constraint(trained)
        self.after_move(name)
        if self.observing:
            self.observe(f"watch/{name}_update", relative_change(before, trained))
            self.observed |= {f"train/{name}/{term}": value for term, value in terms.items()}

    def scheduled(self) -> dict[str, float]:
        """``schedule/…``: numbers that follow schedules, by their places in the config, in the round just played."""
        parts = [(place, part) for place, part in self.named_modules() if not place.startswith("average")]
        values = dict(followed([*parts, ("ema", self.ema)], self.shown_before))
        for (name, player), optimizer in zip(self.players.items(), self._optimizers(), strict=True):
            for number, value in steered(optimizer, player.schedule, player.schedules, self.shown_before):
                values[f"players.{name}.{number}"] = value
        return {"schedule/" + name.replace(".", "/"): value for name, value in values.items()}

    def after_move(self, name: str) -> None:
        """Called when a player has stepped: moving averages follow its networks."""
        player = self.players[name]
        updates, images = self.iteration // player.every, self.playing * player.every
        self._update_averages(player.networks or [name], updates, images, self.shown)

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
        """The round's batch with its images as floats in [-1, 1], channels last.

        A game adds what its players share, such as fakes: here no network is frozen yet.
        """
        return {
            name: self.values.to_float(value) if value.ndim == 4 and value.dtype == self.values.dtype else value
            for name, value in batch.items()
        }

    def stream(self, purpose: str) -> torch.Generator:
        """This round's random stream for a purpose, the same on every rank."""
        return generator(self.seed, purpose, self.iteration, device=self.device)

    def noise(self, purpose: str) -> Noise:
        """This round's random numbers for a purpose, of which every rank draws its own samples' share."""
        return Noise(lambda: self.stream(purpose), self.rank, self.world, self.part, self.accumulate)

    def rank_share(self, shared: Tensor) -> Tensor:
        """This rank's share, or a part of it, of what was drawn for the global batch, as the loader deals batches."""
        return shared[self.rank :: self.world].chunk(self.accumulate)[self.part]

    def _observe_gradient(self, name: str) -> None:
        gradients = {n: p.grad for n, p in self.named_parameters() if p.grad is not None and p.requires_grad}
        norm = nn.utils.get_total_norm(list(gradients.values()))
        # A scaler expects to overflow now and then, and skips that step.
        if self._scaler is None and not math.isfinite(norm.item()):
            refuse_faults(gradients, name, self.iteration, "gradient")
        self.observe(f"watch/{name}_gradient", norm / (1.0 if self._scaler is None else self._scaler.get_scale()))

    # Lightning --------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizers = [player.optimizer(self.trained_by(name)) for name, player in self.players.items()]
        for optimizer in optimizers:
            prepare_optimizer(optimizer, self.device)
        return optimizers

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self.rank, self.world = self.trainer.global_rank, self.trainer.world_size

    def on_train_start(self) -> None:
        if self.world > 1:
            silence_reducer(self.trainer.strategy.model)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["clock"] = {"iteration": self.iteration, "images": self.shown}
        checkpoint["observed"] = {"window": self._window, "values": self.observed}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.iteration, self.shown = checkpoint["clock"]["iteration"], checkpoint["clock"]["images"]
        if "observed" in checkpoint:  # not in what the first versions saved
            self._window, self.observed = checkpoint["observed"]["window"], checkpoint["observed"]["values"]


def _always() -> bool:
    return True
