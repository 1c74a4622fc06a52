from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_two_tokens_three_heads(split_heads):
    import torch

    from minilib.grading.feedback import compare, run

    x = torch.arange(12.0).reshape(1, 2, 6)
    slips = {
        "reshape alone mixes tokens and heads: cut the last axis first, then swap axes.": [
            [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]], [[8.0, 9.0], [10.0, 11.0]]]
        ],
        "A head's channels are neighbours, not every third one.": [
            [[[0.0, 3.0], [6.0, 9.0]], [[1.0, 4.0], [7.0, 10.0]], [[2.0, 5.0], [8.0, 11.0]]]
        ],
    }
    shapes = {
        (1, 2, 3, 2): "Heads come before tokens: swap these two axes.",
        (1, 2, 2, 3): "Heads come before tokens, and there are three of them.",
    }
    compare(
        run(split_heads, x, 3),
        [[[[0.0, 1.0], [6.0, 7.0]], [[2.0, 3.0], [8.0, 9.0]], [[4.0, 5.0], [10.0, 11.0]]]],
        what="split_heads(x, 3)",
        slips=slips,
        shapes=shapes,
    )


@test_case(points=1, hidden=False)
def test_back_again(merge_heads):
    import torch

    from minilib.grading.feedback import compare, run

    heads = torch.tensor([[[[0.0, 1.0], [6.0, 7.0]], [[2.0, 3.0], [8.0, 9.0]], [[4.0, 5.0], [10.0, 11.0]]]])
    slips = {
        "reshape alone mixes tokens and heads: swap the axes first, then join the last two.": [
            [[0.0, 1.0, 6.0, 7.0, 2.0, 3.0], [8.0, 9.0, 4.0, 5.0, 10.0, 11.0]]
        ],
        "A head's channels are neighbours, not every third one.": [
            [[0.0, 2.0, 4.0, 1.0, 3.0, 5.0], [6.0, 8.0, 10.0, 7.0, 9.0, 11.0]]
        ],
    }
    compare(
        run(merge_heads, heads),
        [[[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]]],
        what="merge_heads(x)",
        slips=slips,
    )
