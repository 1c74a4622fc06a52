from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=1, hidden=False)
def test_two_layers_of_two_heads(follow):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    first = [[[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]], [[0.1, 0.1, 0.8], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]]
    second = [[[0.2, 0.8, 0.0], [0.4, 0.2, 0.4], [0.0, 0.1, 0.9]], [[0.3, 0.3, 0.4], [0.9, 0.1, 0.0], [0.2, 0.5, 0.3]]]
    layers = [torch.tensor(first), torch.tensor(second)]
    before = layers[0].clone()
    got = run(follow, layers)
    unchanged(before, layers[0], what="layers[0]")
    slips = {
        "The identity is missing: half of each token is what it was.": [
            [0.3395, 0.31877, 0.34174],
            [0.36134, 0.1944, 0.44426],
            [0.3037, 0.28926, 0.40704],
        ],
        "The rows are not normalised: they must sum to 1.": [
            [0.6825, 0.415, 0.48],
            [0.5625, 0.555, 0.43],
            [0.29, 0.3525, 0.8375],
        ],
        "Without keepdim=True the sums are laid along the columns: look at the row sums.": [
            [0.40376, 0.2759, 0.34462],
            [0.33265, 0.36923, 0.30825],
            [0.1686, 0.23135, 0.58783],
        ],
        "The layers are multiplied in the wrong order: the first one acts first, so it stands at the right.": [
            [0.37687, 0.29402, 0.32912],
            [0.35795, 0.41071, 0.23135],
            [0.17594, 0.24895, 0.5751],
        ],
        "That is the mean over the heads; the question asks for the maximum.": [
            [0.49125, 0.25531, 0.25344],
            [0.32625, 0.44656, 0.22719],
            [0.1575, 0.21062, 0.63188],
        ],
        "You normalised the columns; rows belong to the tokens that ask.": [
            [0.45011, 0.31656, 0.28384],
            [0.36878, 0.42259, 0.25224],
            [0.18111, 0.26085, 0.46392],
        ],
        "Only the last layer is in this: multiply by what came before.": [
            [0.52, 0.32, 0.16],
            [0.36, 0.48, 0.16],
            [0.07692, 0.19231, 0.73077],
        ],
    }
    shapes = {(2, 3, 3): "The heads are still there: take their maximum."}
    compare(
        got,
        [[0.41589, 0.27367, 0.31044], [0.34848, 0.36848, 0.28303], [0.18815, 0.23355, 0.5783]],
        what="follow(layers)",
        slips=slips,
        shapes=shapes,
        rtol=1e-3,
        atol=1e-5,
    )
