"""Two gloo processes give what one process gives, also when the counts are uneven or one rank has nothing."""

import math
import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from forger.metrics.evaluations.sample_quality import SampleQuality
from forger.metrics.features.reference import Reference
from forger.metrics.scores.buffered import PrecisionRecall
from forger.metrics.scores.collection import Scores
from forger.metrics.scores.names import KINDS
from forger.metrics.scores.streaming import FrechetDistance
from forking import serve

from .doubles import Projection, pictures
from .evaluations.test_evaluation import DATA, Game

COUNTS = (64, 51, 11)


def scores() -> Scores:
    extractor = Projection()
    reference = Reference.build(extractor, pictures(60, seed=0), split="toy/test")
    train = Reference.build(extractor, pictures(80, seed=1), split="toy/train")
    names = [name for name in KINDS if name != "fd_infinity"]  # needs more images than the smallest count
    return Scores(extractor, reference, names, train=train, splits=3, batch_size=8)


def share(n: int, rank: int, world: int) -> tuple[torch.Tensor, torch.Tensor]:
    return pictures(n, seed=2)[rank::world], (torch.arange(n) % 4)[rank::world]


def scored(rank: int, world: int) -> dict[str, tuple[float, float | None]]:
    game = Game()
    game.rank, game.world = rank, world
    evaluation = SampleQuality("digits", ["fd", "is", "kd", "precision"])
    streamed = evaluation.evaluate(game, DATA, "test", n=51, seed=0)
    found = evaluation.estimate(game, DATA, "test", n=51, seed=0)
    assert found["fd_digits"].value == pytest.approx(streamed["fd_digits"], rel=1e-9)
    return {name: tuple(score) for name, score in found.items()}


def work(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=world)
    together = scores()
    results = {}
    for n in COUNTS:
        together.reset()
        together.update(*share(n, rank, world))
        results[n] = together.compute()
    again = together.compute()  # a sync must not spoil what this rank holds
    assert all(again[name] == value for name, value in results[COUNTS[-1]].items())

    # The second rank has nothing to offer.
    together.reset()
    together.update(*(tensor[: 8 if rank == 0 else 0] for tensor in share(10, 0, 1)))
    results["one rank"] = together.compute()

    # The metrics by themselves, as in anybody's Lightning code.
    alone = [FrechetDistance(together.reference), PrecisionRecall(together.reference)]
    for metric in alone:
        metric.update(together.extractor(share(51, rank, world)[0]))
    results["alone"] = [metric.compute() for metric in alone]
    # As a run is scored: fakes of one stream shared out, the real statistics wanted by both at once.
    os.environ["FORGER_CACHE"] = folder
    results["run"] = scored(rank, world)
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("ranks"))
    serve()
    mp.start_processes(work, args=(2, folder), nprocs=2, start_method="forkserver")
    return [torch.load(f"{folder}/{rank}.pt") for rank in range(2)]


def one_process(n: int) -> dict[str, float]:
    whole = scores()
    whole.update(*share(n, 0, 1))
    return whole.compute()


@pytest.mark.parametrize("n", COUNTS)
def test_equal_one_process(ranks, n):
    expected = one_process(n)
    assert ranks[0][n] == ranks[1][n]
    # Batches of another size give float32 features that differ in the last bit.
    assert ranks[0][n] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert all(math.isfinite(value) for value in expected.values())


def test_a_rank_without_images(ranks):
    whole = scores()
    whole.update(*(tensor[:8] for tensor in share(10, 0, 1)))
    # Ranks that hold rows 0..7 and nothing: the order of a shuffle is that of rank 0.
    assert ranks[0]["one rank"] == ranks[1]["one rank"] == pytest.approx(whole.compute(), rel=1e-6, abs=1e-9)


def test_a_run_on_two_processes_has_the_scores_and_errors_of_one(ranks, tmp_path, monkeypatch):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path))
    expected = scored(0, 1)
    assert ranks[0]["run"] == ranks[1]["run"]
    for name, (value, error) in ranks[0]["run"].items():
        assert (value, error) == pytest.approx(expected[name], rel=1e-6, abs=1e-9)


def test_single_metrics(ranks):
    expected = one_process(51)
    distance, manifold = ranks[0]["alone"]
    assert float(distance) == pytest.approx(expected["fd_projection"], rel=1e-6)
    assert float(manifold["recall"]) == pytest.approx(expected["recall_projection"], rel=1e-9)
