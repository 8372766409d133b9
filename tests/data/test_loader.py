from itertools import islice

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer

from forger.data import loader
from forger.data.dataset import Split
from forger.data.loader import Batches, share


def numbered(n, **independent):
    """A split whose images carry their own index."""
    image = torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1).expand(n, 1, 2, 3).contiguous()
    return Split({"image": image, "label": torch.arange(n)}, independent)


def stream(count, split=None, position=0, **options):
    split = split or numbered(100)
    options = {"batch_size": 16, "seed": 0} | options
    return list(islice(Batches(split, position=lambda: position, **options), count))


def labels(batches):
    return torch.stack([batch["label"] for batch in batches])


def test_an_epoch_is_a_permutation_without_its_ragged_end():
    first, second = labels(stream(12)).reshape(2, -1)
    for epoch in (first, second):
        assert len(epoch) == 96  # 6 of 6.25 batches
        assert len(epoch.unique()) == 96
        assert 0 <= epoch.min() <= epoch.max() < 100
    assert not torch.equal(first, second)
    assert not torch.equal(first, first.sort().values)


def test_arrays_stay_aligned():
    for batch in stream(8):
        assert torch.equal(batch["image"][:, 0, 0, 0].long(), batch["label"])
        assert batch["image"].dtype == torch.uint8


@pytest.mark.parametrize("flip", [False, True])
def test_continues_from_any_position_as_if_never_stopped(flip):
    split = Split(
        {"image": torch.randint(256, (50, 1, 4, 4), dtype=torch.uint8)},
        {"target": torch.randint(256, (37, 1, 4, 4), dtype=torch.uint8)},
    )
    whole = stream(30, split, flip=flip)
    for position in range(30):
        rest = stream(30 - position, split, position=position, flip=flip)
        for a, b in zip(whole[position:], rest, strict=True):
            assert a.keys() == b.keys() == {"image", "target"}
            assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("flip", [False, True])
def test_several_small_batches_are_selected_at_once_and_are_the_same(monkeypatch, flip):
    split = Split(
        {"image": torch.randint(256, (100, 3, 5, 4), dtype=torch.uint8), "label": torch.arange(100)},
        {"target": torch.randint(256, (70, 1, 4, 4), dtype=torch.uint8)},
    )
    options = {"rank": 1, "world": 2, "flip": flip, "position": 3}
    monkeypatch.setattr(loader, "_AT_ONCE", 0)
    one_by_one = stream(40, split, **options)
    for size in (3 * 8 * (3 * 5 * 4 + 8), 2**30):  # three batches, all of an epoch
        monkeypatch.setattr(loader, "_AT_ONCE", size)
        together = stream(40, split, **options)
        assert together[0]["image"].is_contiguous()
        for a, b in zip(one_by_one, together, strict=True):
            assert a.keys() == b.keys() == {"image", "label", "target"}
            assert all(torch.equal(a[name], b[name]) for name in a)
    assert together[0]["image"].untyped_storage().nbytes() > one_by_one[0]["image"].untyped_storage().nbytes()


def test_the_position_is_asked_when_iteration_begins():
    clock = [0]
    batches = Batches(numbered(100), batch_size=16, seed=0, position=lambda: clock[0])
    clock[0] = 7
    again = list(islice(batches, 5))
    clock[0] = 0
    assert torch.equal(labels(again), labels(stream(12))[7:])
    assert torch.equal(labels(list(islice(batches, 12))), labels(stream(12)))


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_each_global_batch(world):
    ranks = [labels(stream(9, rank=rank, world=world)) for rank in range(world)]
    assert ranks[0].shape == (9, 16 // world)
    assert torch.equal(torch.stack(ranks, 2).flatten(1), labels(stream(9)))


def test_the_seed_changes_the_order():
    assert torch.equal(labels(stream(6, seed=1)), labels(stream(6, seed=1)))
    assert not torch.equal(labels(stream(6, seed=0)), labels(stream(6, seed=1)))


def test_the_independent_table_has_its_own_order_and_length():
    batches = stream(24, numbered(64, target=torch.arange(96)))
    own, other = labels(batches), torch.stack([batch["target"] for batch in batches])
    assert all(len(epoch.unique()) == 64 for epoch in own.reshape(6, 64))  # four batches an epoch
    assert all(len(epoch.unique()) == 96 for epoch in other.reshape(4, 96))  # six
    same_length = stream(4, numbered(64, target=torch.arange(64)))
    assert not torch.equal(labels(same_length), torch.stack([batch["target"] for batch in same_length]))


def test_flips_depend_on_seed_epoch_and_index_alone():
    image = torch.arange(6, dtype=torch.uint8).reshape(1, 1, 2, 3).expand(200, 1, 2, 3).contiguous()
    split = Split({"image": image, "truth": image.clone(), "label": torch.arange(200)})

    def mirrored(batches):
        found = {}
        for batch in batches:
            flipped = batch["image"][:, 0, 0, 0] == 2
            expected = torch.where(flipped.reshape(-1, 1, 1, 1), image[:1].flip(3), image[:1])
            assert torch.equal(batch["image"], expected)
            assert torch.equal(batch["truth"], expected)
            found |= dict(zip(batch["label"].tolist(), flipped.tolist(), strict=True))
        return found

    epoch = mirrored(stream(10, split, batch_size=20, flip=True))
    assert 70 < sum(epoch.values()) < 130
    assert mirrored(stream(5, split, batch_size=40, flip=True)) == epoch
    assert mirrored(stream(5, split, batch_size=40, flip=True, rank=1, world=2)).items() <= epoch.items()
    assert mirrored(stream(10, split, position=10, batch_size=20, flip=True)) != epoch
    assert mirrored(stream(10, split, batch_size=20, flip=True, seed=1)) != epoch


@pytest.mark.parametrize(
    ("split", "options", "message"),
    [
        (numbered(20), {"batch_size": 21}, "data.batch_size=21 is larger than the data: 20 of 'image'"),
        (numbered(20, target=torch.arange(9)), {"batch_size": 10}, "9 of 'target'.* data.batch_size to 9"),
        (numbered(20), {"batch_size": 9, "world": 2}, "data.batch_size=9 can't be shared equally by 2"),
        (numbered(20), {"batch_size": 0}, "data.batch_size=0"),
        (Split({"image": torch.zeros(20, 2)}), {"batch_size": 4, "flip": True}, "data are points"),
    ],
)
def test_what_does_not_fit_is_refused(split, options, message):
    with pytest.raises(ValueError, match=message) as error:
        Batches(split, seed=0, position=lambda: 0, **options)
    assert "\n" not in str(error.value)


def test_shares_cover_everything_once():
    parts = [share(11, rank, 3) for rank in range(3)]
    assert parts[1].tolist() == [1, 4, 7, 10]
    assert torch.cat(parts).sort().values.tolist() == list(range(11))


def test_lightning_takes_the_batches_as_they_are():
    seen = []

    class Game(LightningModule):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def training_step(self, batch, _):
            seen.append(batch["label"])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters())

    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=9,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    batches = Batches(numbered(100), batch_size=16, seed=0, position=lambda: 3)
    trainer.fit(Game(), batches)
    assert trainer.train_dataloader is batches
    assert torch.equal(torch.stack(seen), labels(stream(12))[3:])
