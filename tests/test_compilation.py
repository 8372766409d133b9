"""`trainer.compile`: the same game but for rounding, in rounds of training alone, and honest where it can't be."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from forger import compilation
from forger.building import build_game, load_data
from forger.compilation import compile_networks
from forger.config.schema import validate
from forger.data.loader import Batches
from forger.errors import ConfigError, ForgerError
from forger.games.base import Game
from forger.lifecycle.restore import restored
from running import composed, trained

CPU = torch.device("cpu")
TINY = ("model.generator.width=8", "model.discriminator.width=8", "data.batch_size=16")
Backend = Callable[..., Any] | str


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    dynamo: Any = torch._dynamo  # pyright: ignore[reportAttributeAccessIssue]
    with dynamo.config.patch(recompile_limit=8, fail_on_recompile_limit_hit=False):
        dynamo.reset()
        yield
        dynamo.reset()
    torch.compiler.set_stance("default")


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Backend], None]:
    """Compile by something that takes less time than inductor."""
    compile = torch.compile

    def choose(backend: Backend) -> None:
        monkeypatch.setattr(torch, "compile", lambda call, **_: compile(call, backend=backend, dynamic=False))

    return choose


class Counting:
    """A backend that leaves everything as it is, and counts what it is given."""

    compiled = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.compiled += 1
        return graph.forward


def parts(*overrides: str) -> tuple[Game, Iterator[dict[str, Tensor]]]:
    """A game that can be played without a trainer, and its batches."""
    config = validate(composed(*overrides))
    game = build_game(config).train()
    for player in game.players.values():
        # Adam makes whole steps of what is nothing but rounding, such as the gradient of a bias before batch norm.
        player.optimizer = lambda parameters: torch.optim.SGD(parameters, 1e-2)
    optimizers: Any = game.configure_optimizers()
    game._optimizers = lambda: optimizers
    batches = Batches(
        load_data(config.data).train, batch_size=config.data.batch_size, seed=0, position=lambda: game.iteration
    )
    return game, iter(batches)


def play(game: Game, batches: Iterator[dict[str, Tensor]], rounds: int) -> None:
    for _ in range(rounds):
        game.play(next(batches))


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(("experiment=digits_dcgan", *TINY), marks=pytest.mark.long),
        ("model=wgan_gp", "data.batch_size=16"),
        ("model=gan", "+model/objectives=acgan", "data.batch_size=16"),
        ("model=sngan", *TINY, "+model/augmentations=[instance_noise,diffaugment]"),
    ],
    ids=lambda overrides: overrides[0],
)
def test_the_game_is_the_same(by: Callable[[Backend], None], overrides: tuple[str, ...]) -> None:
    plain, batches = parts(*overrides)
    play(plain, batches, 4)
    by("aot_eager")
    game, batches = parts(*overrides)
    compile_networks(game, "default", CPU)
    play(game, batches, 4)
    assert list(game.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(game.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-6)


def test_nothing_but_rounds_of_training_compiles(by: Callable[[Backend], None]) -> None:
    counting = Counting()
    by(counting)
    game, batches = parts("model=cgan", "model.ema=0.9")
    compile_networks(game, "default", CPU)
    counting.compiled = 0
    game.sample(37)
    with game.live_weights():
        game.sample(5)
    assert counting.compiled == 0
    play(game, batches, 3)
    seen = counting.compiled
    # G; D on its turn and on G's: reals and fakes may differ in their strides.
    assert 3 <= seen <= 6
    with game.live_weights():
        game.sample(37)
    game.discriminate(torch.zeros(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64))  # pyright: ignore[reportCallIssue]
    play(game, batches, 3)
    assert counting.compiled == seen


@pytest.mark.parametrize("experiment", ["digits_stacked_ae", "digits_vae", "digits_cyclegan"])
def test_what_games_call_is_compiled(by: Callable[[Backend], None], experiment: str) -> None:
    counting = Counting()
    by(counting)
    game, batches = parts(f"experiment={experiment}", "data.batch_size=16")
    compile_networks(game, "default", CPU)
    counting.compiled = 0
    play(game, batches, 1)
    assert counting.compiled >= 2


def test_with_graphs_a_round_begins_with_their_memory_free(monkeypatch: pytest.MonkeyPatch) -> None:
    game, batches = parts("model=gan")
    left: list[int] = []

    def marked() -> None:
        left.append(sum(parameter.grad is not None for parameter in game.parameters()))

    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", marked)
    game.play = compilation._played(game, game.play, graphs=True)  # pyright: ignore[reportAttributeAccessIssue]
    play(game, batches, 3)
    assert left == [0, 0, 0]
    assert any(parameter.grad is not None for parameter in game.parameters())


class Restless(nn.Module):
    """A network that is another one at every call."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.calls = network, 0

    def forward(self, *inputs: Tensor | None) -> Tensor:
        self.calls += 1
        return self.network(*inputs) * (1 + 1 / self.calls)


def test_what_has_to_be_compiled_again_and_again_ends_the_run(
    by: Callable[[Backend], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    by(Counting())
    monkeypatch.setattr(compilation, "_VARIANTS", 4)
    game, batches = parts("model=gan")
    game.generator = Restless(game.generator)  # pyright: ignore[reportArgumentType]
    compile_networks(game, "default", CPU)
    with pytest.raises(ForgerError, match=r"could not compile .*: they change .*trainer\.compile=null") as caught:
        play(game, batches, 9)
    assert "\n" not in str(caught.value)


def test_without_a_compiler_nothing_is_started() -> None:
    inductor: Any = torch._inductor  # pyright: ignore[reportAttributeAccessIssue]
    game, _ = parts("model=gan")
    broken = {"cpp.cxx": (None, "/no/such/compiler"), "force_disable_caches": True, "compile_threads": 1}
    with inductor.config.patch(broken), pytest.raises(ConfigError, match=r"trainer\.compile=default: .*C\+\+") as error:
        compile_networks(game, "default", CPU)
    assert "\n" not in str(error.value)


@pytest.mark.long
def test_a_compiled_run_is_a_run_of_its_own(tmp_path) -> None:
    tiny = ("model=gan", "model.generator.width=16", "model.discriminator.width=16")
    plain = trained(tmp_path, *tiny)
    run = trained(tmp_path, *tiny, "trainer.compile=default")
    assert run.read().id != plain.read().id
    assert run.read().scores["final"].keys() == plain.read().scores["final"].keys()
    game, other = restored(run.path).game, restored(plain.path).game
    torch.testing.assert_close(game.state_dict(), other.state_dict(), rtol=1e-4, atol=1e-5)
    other.load_state_dict(game.state_dict())
    assert torch.equal(other.sample(37), game.sample(37))
