from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=1, hidden=False)
def test_four_queries(masked_weights):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    scores = torch.tensor([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0], [2.0, -1.0, 1.0], [0.0, 0.0, 1.0]])
    mask = torch.tensor([[True, False, True], [True, True, False], [False, False, False], [True, True, True]])
    before = scores.clone()
    got = run(masked_weights, scores, mask)
    unchanged(before, scores, what="scores")
    slips = {
        "A score of 0 is not a weight of 0: e⁰ = 1 still takes its share.": [
            [0.50648, 0.186324, 0.307196],
            [0.211942, 0.576117, 0.211942],
            [0.333333, 0.333333, 0.333333],
            [0.211942, 0.211942, 0.576117],
        ],
        "You masked after the softmax: what is left of a row no longer sums to 1.": [
            [0.231224, 0.0, 0.140244],
            [0.04201, 0.114195, 0.0],
            [0.0, 0.0, 0.0],
            [0.211942, 0.211942, 0.576117],
        ],
        "The mask is the other way round: True is where a query MAY look.": [
            [0.0, 1.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.705385, 0.035119, 0.259496],
            [0.0, 0.0, 0.0],
        ],
        "The third query may look nowhere, yet it spreads its attention evenly: all its weights should be 0.": [
            [0.622459, 0.0, 0.377541],
            [0.268941, 0.731059, 0.0],
            [0.333333, 0.333333, 0.333333],
            [0.211942, 0.211942, 0.576117],
        ],
        "The third query may look nowhere, and a softmax over nothing is 0/0: set those weights to 0.": [
            [0.622459, 0.0, 0.377541],
            [0.268941, 0.731059, 0.0],
            [float("nan"), float("nan"), float("nan")],
            [0.211942, 0.211942, 0.576117],
        ],
    }
    compare(
        got,
        [[0.622459, 0.0, 0.377541], [0.268941, 0.731059, 0.0], [0.0, 0.0, 0.0], [0.211942, 0.211942, 0.576117]],
        what="masked_weights(scores, mask)",
        slips=slips,
        rtol=1e-3,
    )
