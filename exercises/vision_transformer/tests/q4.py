from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_two_by_three_becomes_three_by_four(resize):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    places = torch.tensor([[0.0, 1.0], [2.0, 0.0], [5.0, 3.0], [1.0, 4.0], [0.0, 7.0], [6.0, 2.0]])
    positions = torch.cat([torch.tensor([[50.0, -50.0]]), places])
    before = positions.clone()
    got = run(resize, positions, (2, 3), (3, 4))
    unchanged(before, positions, what="positions")
    slips = {
        "reshape(1, d, rows, columns) mixes places and channels: transpose first.": [
            [50.0, -50.0],
            [-0.04685, 0.23891],
            [0.27907, 3.05967],
            [1.17869, 2.75272],
            [2.00366, -0.46072],
            [-0.21533, 3.92822],
            [1.97388, 5.0791],
            [3.14941, 3.66846],
            [2.46411, 0.71289],
            [-0.38381, 7.61753],
            [3.66868, 7.09854],
            [5.12014, 4.58419],
            [2.92456, 1.8865],
        ],
        "On the way back, places come first: transpose again after flattening.": [
            [50.0, -50.0],
            [-0.24905, 1.05809],
            [3.40916, 5.10984],
            [0.46411, 0.32544],
            [2.67651, 5.823],
            [1.17727, -0.40721],
            [1.94387, 6.53616],
            [0.83628, -0.52805],
            [0.57565, 3.35198],
            [2.42822, 3.24951],
            [3.24951, 2.42822],
            [4.02016, 7.02707],
            [5.92337, 1.50446],
        ],
        "Corners are aligned here: pass align_corners=False.": [
            [50.0, -50.0],
            [0.0, 1.0],
            [1.03704, -0.01852],
            [3.16667, 0.83333],
            [5.0, 3.0],
            [0.5, 2.5],
            [0.34259, 3.2963],
            [2.47222, 3.2963],
            [5.5, 2.5],
            [1.0, 4.0],
            [-0.35185, 6.61111],
            [1.77778, 5.75926],
            [6.0, 2.0],
        ],
        "That is bilinear; the mode is bicubic.": [
            [50.0, -50.0],
            [0.0, 1.0],
            [1.25, 0.375],
            [3.125, 1.125],
            [5.0, 3.0],
            [0.5, 2.5],
            [0.8125, 3.125],
            [2.6875, 3.125],
            [5.5, 2.5],
            [1.0, 4.0],
            [0.375, 5.875],
            [2.25, 5.125],
            [6.0, 2.0],
        ],
        "You resized along the sentence, as if the last patch of a line lay beside the first of the next.": [
            [50.0, -50.0],
            [0.0, 1.0],
            [0.5, 0.75],
            [1.5, 0.25],
            [2.75, 0.75],
            [4.25, 2.25],
            [4.0, 3.25],
            [2.0, 3.75],
            [0.75, 4.75],
            [0.25, 6.25],
            [1.5, 5.75],
            [4.5, 3.25],
            [6.0, 2.0],
        ],
        "Rows and columns of the old grid have changed places.": [
            [50.0, -50.0],
            [-0.21094, 1.10547],
            [0.45312, 0.77344],
            [1.54688, 0.22656],
            [2.21094, -0.10547],
            [5.42188, 2.89453],
            [4.09375, 3.22656],
            [1.90625, 3.77344],
            [0.57812, 4.10547],
            [-0.63281, 7.52734],
            [1.35938, 5.86719],
            [4.64062, 3.13281],
            [6.63281, 1.47266],
        ],
    }
    shapes = {
        (12, 2): "The class token's vector is missing; it stays as it is, in front.",
        (13, 2, 1): "One axis too many.",
    }
    compare(
        got,
        [
            [50.0, -50.0],
            [-0.24905, 0.83628],
            [1.05809, -0.52805],
            [3.40916, 0.57565],
            [5.10984, 3.35198],
            [0.46411, 2.42822],
            [0.32544, 3.24951],
            [2.67651, 3.24951],
            [5.823, 2.42822],
            [1.17727, 4.02016],
            [-0.40721, 7.02707],
            [1.94387, 5.92337],
            [6.53616, 1.50446],
        ],
        what="resize(positions, (2, 3), (3, 4))",
        slips=slips,
        shapes=shapes,
        rtol=1e-3,
        atol=1e-3,
    )
