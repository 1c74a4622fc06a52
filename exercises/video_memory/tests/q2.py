from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=1, hidden=False)
def test_four_pixels(fed):
    import torch

    from minilib.grading.feedback import compare, run

    logits = torch.tensor([[[-2.0, 0.0], [0.3, 4.0]]])
    slips = {
        "These are the logits themselves.": [[[-2.0, 0.0], [0.3, 4.0]]],
        "These are probabilities; they still have to be scaled and shifted.": [[[0.1192, 0.5], [0.57444, 0.98201]]],
        "The shift by −10 is missing.": [[[2.38406, 10.0], [11.48885, 19.64028]]],
        "The factor 20 is missing.": [[[-9.8808, -9.5], [-9.42556, -9.01799]]],
        "The sign is turned: where the object is, the numbers are positive.": [[[7.61594, 0.0], [-1.48885, -9.64028]]],
        "This is scaled and shifted before the sigmoid; it comes after.": [[[0.0, 4.54e-05], [0.01798621, 1.0]]],
        "The mask is cut at 0 here although binary is False.": [[[-10.0, -10.0], [10.0, 10.0]]],
    }
    compare(run(fed, logits), [[[-7.61594, 0.0], [1.48885, 9.64028]]], what="fed(logits)", slips=slips)
    slips = {
        "The mask is not cut although binary is True.": [[[-7.61594, 0.0], [1.48885, 9.64028]]],
        "This is cut, but neither scaled nor shifted: 20 times it, minus 10.": [[[0.0, 0.0], [1.0, 1.0]]],
        "Cut the logits at 0: a probability of 0.5 is a logit of 0.": [[[-10.0, -10.0], [-10.0, 10.0]]],
        "A logit of exactly 0 is not above 0.": [[[-10.0, 10.0], [10.0, 10.0]]],
    }
    compare(
        run(fed, logits, binary=True), [[[-10.0, -10.0], [10.0, 10.0]]], what="fed(logits, binary=True)", slips=slips
    )


@test_case(points=1, hidden=False)
def test_two_memories(remembered):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    tokens = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    before, vector, visible = tokens.clone(), torch.tensor([0.5, -0.25]), torch.tensor([True, False])
    slips = {
        "The vector is added where the object is in sight.": [[[1.5, 1.75], [3.5, 3.75]], [[5.0, 6.0], [7.0, 8.0]]],
        "The vector is added to all memories.": [[[1.5, 1.75], [3.5, 3.75]], [[5.5, 5.75], [7.5, 7.75]]],
        "The vector takes the tokens' place; add it to them.": [[[1.0, 2.0], [3.0, 4.0]], [[0.5, -0.25], [0.5, -0.25]]],
        "The vector is subtracted.": [[[1.0, 2.0], [3.0, 4.0]], [[4.5, 6.25], [6.5, 8.25]]],
        "visible is lined up with the tokens: it needs the shape (b, 1, 1).": [
            [[1.0, 2.0], [3.5, 3.75]],
            [[5.0, 6.0], [7.5, 7.75]],
        ],
        "visible is lined up with the channels: it needs the shape (b, 1, 1).": [
            [[1.0, 1.75], [3.0, 3.75]],
            [[5.0, 5.75], [7.0, 7.75]],
        ],
        "Only the first token is marked; all of them have to be.": [
            [[1.0, 2.0], [3.0, 4.0]],
            [[5.5, 5.75], [7.0, 8.0]],
        ],
    }
    right = [[[1.0, 2.0], [3.0, 4.0]], [[5.5, 5.75], [7.5, 7.75]]]
    compare(run(remembered, tokens, vector, visible), right, what="remembered(tokens, vector, visible)", slips=slips)
    unchanged(before, tokens, what="tokens")
