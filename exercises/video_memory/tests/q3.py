from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_two_places(turned):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    tokens = torch.tensor([[1.0, 0.0, 2.0, 1.0, 1.0, 0.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0, 0.0, 1.0, -1.0, 2.0]])
    before, places = tokens.clone(), torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    slips = {
        "x and y are exchanged: x, the first number of a place, turns the first half.": [
            [1.0, 0.0, 2.0, 1.0, 0.5403, 0.84147, 1.69042, 1.46372],
            [-1.27223, -1.83887, -0.53149, 4.97167, -0.9093, -0.41615, -1.83643, 1.27574],
        ],
        "Pairs are neighbours, channels 2i and 2i + 1, not i and i + d/4.": [
            [-1.14264, -0.2474, 1.92208, 0.96891, 1.0, 0.0, 2.0, 1.0],
            [-3.14404, -0.16254, -0.33914, 4.46918, 0.14112, -0.63159, 0.98999, 2.14502],
        ],
        "This turns the wrong way round: mind the sign of the sine.": [
            [0.5403, -0.84147, 2.18523, 0.4741, 1.0, 0.0, 2.0, 1.0],
            [1.40245, -1.74159, 4.55045, 2.07205, 0.14112, -0.98999, 0.63159, 2.14502],
        ],
        "The waves fall too slowly: each half has its own, so the exponent is -4i/d, not -2i/d.": [
            [0.5403, 0.84147, 1.27574, 1.83643, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -1.74498, 4.68562, -0.14112, -0.98999, -2.06573, -0.85602],
        ],
        "The second half goes on with slower waves; it starts with i = 0 again.": [
            [0.5403, 0.84147, 1.27574, 1.83643, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -1.74498, 4.68562, -0.68164, 0.73169, -1.66305, 1.49474],
        ],
        "The waves get faster: the exponent is negative.": [
            [0.5403, 0.84147, -0.55048, -2.16725, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -4.39393, 2.38607, -0.14112, -0.98999, 0.22929, 2.22428],
        ],
        "All pairs turn equally fast: each i has its own wave.": [
            [0.5403, 0.84147, 0.23913, 2.22324, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -4.88563, 1.0633, -0.14112, -0.98999, 0.70775, -2.1211],
        ],
        "x and y take turns here; x has the whole first half.": [
            [0.5403, 0.84147, 2.0, 1.0, 0.96891, 0.2474, 2.0, 1.0],
            [-2.23474, 0.077, -3.53446, -3.53661, -0.47943, 0.87758, -2.09497, 0.78174],
        ],
        "The members of pairs have not been put together again: stack, then flatten.": [
            [0.5403, 1.69042, 1.0, 2.0, 0.84147, 1.46372, 0.0, 1.0],
            [-2.23474, 0.71505, -0.14112, -2.09497, 0.077, 4.94861, -0.98999, 0.78174],
        ],
        "Only x turns anything here.": [
            [0.5403, 0.84147, 1.69042, 1.46372, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, 0.71505, 4.94861, 0.0, 1.0, -1.0, 2.0],
        ],
        "Sine and cosine are exchanged.": [
            [0.84147, 0.5403, -0.4741, 2.18523, 0.0, 1.0, -1.0, 2.0],
            [1.74159, 1.40245, -2.07205, 4.55045, 0.98999, 0.14112, -2.14502, 0.63159],
        ],
    }
    shapes = {(2, 4, 2): "Pairs are still apart: flatten them into channels."}
    right = [
        [0.5403, 0.84147, 1.69042, 1.46372, 1.0, 0.0, 2.0, 1.0],
        [-2.23474, 0.077, 0.71505, 4.94861, -0.14112, -0.98999, -2.09497, 0.78174],
    ]
    what = "turned(tokens, places, 16.0)"
    compare(run(turned, tokens, places, 16.0), right, what=what, slips=slips, shapes=shapes)
    unchanged(before, tokens, what="tokens")
