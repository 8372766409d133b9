"""Labels of several columns: the embedding's values by hand, and every network that takes a label takes them."""

import pytest
import torch
from torch import nn

from forger.networks import dcgan, mlp, r3gan, resnet
from forger.networks.blocks import ConditionEmbedding, Projection, label_embedding

CONDITIONS = [{"name": "a", "values": ["no", "yes"]}, {"name": "v", "mean": 10.0, "deviation": 2.0}]


def test_an_attribute_has_a_vector_for_each_value_and_a_number_one_times_its_standard_score():
    embedding = ConditionEmbedding(CONDITIONS, 2)
    assert [*embedding.state_dict()] == ["weight"]
    embedding.weight.data = torch.tensor([[1.0, 2], [3, 4], [10, 100]])
    found = embedding(torch.tensor([[0.0, 10], [1, 10], [0, 14], [1, 9]]))
    assert found.tolist() == [[1, 2], [3, 4], [21, 202], [-2, -46]]


def test_the_projection_is_the_inner_product_of_the_sum():
    projection = Projection(CONDITIONS, 2)
    projection.embedding.weight.data = torch.tensor([[1.0, 2], [3, 4], [10, 100]])
    assert projection(torch.tensor([[1.0, 0], [0, 1]]), torch.tensor([[0.0, 14], [1, 9]])).tolist() == [21, -46]


def test_a_number_of_classes_has_the_same_weights_as_ever():
    torch.manual_seed(0)
    embedding = label_embedding(10, 4)
    torch.manual_seed(0)
    assert embedding is not None
    assert type(embedding) is nn.Embedding
    assert torch.equal(embedding.weight, nn.Embedding(10, 4).weight)
    assert label_embedding(0, 4) is None


SIZES = {"mlp": ([1, 8, 8], 8), "dcgan": (8, 1, 4), "resnet": (8, 1, 4), "r3gan": (8, 1, 4)}
OPTIONS = [{}, {"condition": "embedding"}, {"norm": "spectral"}]


@pytest.mark.parametrize(
    ("network", "options"), [*((n, o) for n in (mlp, dcgan, resnet) for o in OPTIONS), (r3gan, {})], ids=str
)
def test_every_column_counts_in_every_network(network, options):
    torch.manual_seed(0)
    sizes = SIZES[network.__name__.rpartition(".")[2]]
    generator = network.Generator(5, *sizes, classes=CONDITIONS).eval()
    discriminator = network.Discriminator(*sizes, classes=CONDITIONS, **options).eval()
    z, images = torch.randn(1, 5).expand(3, -1), torch.randn(1, 1, 8, 8).expand(3, -1, -1, -1)
    rows = torch.tensor([[0.0, 10], [1, 10], [0, 14]])
    for made in (generator(z, rows), discriminator(images, rows)):
        assert not torch.allclose(made[0], made[1], rtol=1e-4, atol=0)
        assert not torch.allclose(made[0], made[2], rtol=1e-4, atol=0)
    discriminator(generator(z, rows), rows).sum().backward()
    assert generator.embedding.weight.grad.abs().sum() > 0
