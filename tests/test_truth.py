"""What a number or a picture of a run is made of: the labels that were asked for, and the run's own data."""

import torch

from forger.commands.imagesets import ImageSet
from forger.commands.sources import source_at
from running import trained


def test_a_conditional_run_is_asked_for_all_classes_of_a_sorted_reference(tmp_path):
    source = source_at(trained(tmp_path, "model=cgan", "data=digits").path)
    images, by_class = torch.zeros(100, 1, 8, 8, dtype=torch.uint8), torch.arange(10).repeat_interleave(10)
    labels = source.draw(20, 0, ImageSet("sorted", images, by_class)).labels
    assert labels is not None
    assert labels.bincount().tolist() == [2] * 10
