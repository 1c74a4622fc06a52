from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_three_tokens(attend):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    q = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    k = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    v = torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    before = q.clone()
    gathered, weights = parts(run(attend, q, k, v), ("gathered", "weights"), what="attend(q, k, v)")
    unchanged(before, q, what="q")
    slips = {
        "√d is missing: the scores are divided by the root of the width of a query.": [
            [0.866813, 0.11731, 0.015876],
            [0.015876, 0.866813, 0.11731],
            [0.244728, 0.665241, 0.090031],
        ],
        "You divided by d itself; it is the root, because variances add up, not deviations.": [
            [0.665241, 0.244728, 0.090031],
            [0.090031, 0.665241, 0.244728],
            [0.307196, 0.50648, 0.186324],
        ],
        "You divided by the root of the number of keys, not of the width.": [
            [0.706977, 0.222805, 0.070217],
            [0.070217, 0.706977, 0.222805],
            [0.29916, 0.532897, 0.167943],
        ],
        "You multiplied by √d; the scores are to become smaller.": [
            [0.941088, 0.055624, 0.003288],
            [0.003288, 0.941088, 0.055624],
            [0.186694, 0.767918, 0.045388],
        ],
        "The columns sum to 1: that is a softmax over the queries. Each query spreads its attention over the keys.": [
            [0.575975, 0.045388, 0.045388],
            [0.140029, 0.767918, 0.767918],
            [0.283995, 0.186694, 0.186694],
        ],
        "Queries and keys have changed places: row i must belong to query i.": [
            [0.575975, 0.140029, 0.283995],
            [0.045388, 0.767918, 0.186694],
            [0.045388, 0.767918, 0.186694],
        ],
        "These are the scores: the softmax is missing.": [
            [1.414214, 0.0, -1.414214],
            [0.0, 2.828427, 1.414214],
            [0.707107, 1.414214, 0.0],
        ],
    }
    compare(
        weights,
        [[0.767918, 0.186694, 0.045388], [0.045388, 0.767918, 0.186694], [0.283995, 0.575975, 0.140029]],
        what="the weights",
        slips=slips,
        rtol=1e-3,
    )
    wrong = {
        "You used the transpose of the weights to average the values.": [
            [0.904083, 0.613379, 1.819831],
            [2.490448, 1.919869, 0.949363],
            [0.605469, 0.466752, 0.230806],
        ]
    }
    compare(
        gathered,
        [[1.327999, 0.27747, 1.581224], [2.349142, 1.141305, 0.27747], [2.011921, 0.856034, 0.70802]],
        what="what the queries gather",
        slips=wrong,
        rtol=1e-3,
    )
