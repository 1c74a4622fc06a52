"""What the chapter on attention measures, on other random numbers."""

import torch

from minilib.attention.layers import attention_weights
from minilib.attention.maps import entropy
from minilib.metrics import bootstrap_interval


def test_the_root_keeps_attention_undecided():
    generator = torch.Generator().manual_seed(20)
    q, k = torch.randn(2, 100, 64, 64, generator=generator)
    with_root = entropy(attention_weights(q, k)).mean(1)
    without = entropy(torch.softmax(q @ k.mT, dim=-1)).mean(1)
    assert bootstrap_interval(with_root - without)[0] > 3.0
