from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_three_positions(positions):
    import torch

    from minilib.grading.feedback import compare, run

    slips = {
        "All sines come first here; sine and cosine of one pair should be neighbours.": [
            [0.0, 0.0, 1.0, 1.0],
            [0.841471, 0.01, 0.540302, 0.99995],
            [0.909297, 0.019999, -0.416147, 0.9998],
        ],
        "Sine and cosine have changed places: even channels hold the sine.": [
            [1.0, 0.0, 1.0, 0.0],
            [0.540302, 0.841471, 0.99995, 0.01],
            [-0.416147, 0.909297, 0.9998, 0.019999],
        ],
        "The first token is at position 0, not 1.": [
            [0.841471, 0.540302, 0.01, 0.99995],
            [0.909297, -0.416147, 0.019999, 0.9998],
            [0.14112, -0.989992, 0.029996, 0.99955],
        ],
        "The exponent is 2i/d, where i counts the pairs: the waves fall off too slowly.": [
            [0.0, 1.0, 0.0, 1.0],
            [0.841471, 0.540302, 0.099833, 0.995004],
            [0.909297, -0.416147, 0.198669, 0.980067],
        ],
        "The angles grow with i: divide by 10000^(2i/d), do not multiply.": [
            [0.0, 1.0, 0.0, 1.0],
            [0.841471, 0.540302, -0.506366, 0.862319],
            [0.909297, -0.416147, -0.873297, 0.487188],
        ],
    }
    what, kind = "positions(3, 4)", torch.float32
    compare(
        run(positions, 3, 4),
        [[0.0, 1.0, 0.0, 1.0], [0.841471, 0.540302, 0.01, 0.99995], [0.909297, -0.416147, 0.019999, 0.9998]],
        what=what,
        dtype=kind,
        between=(-1.0, 1.0),
        slips=slips,
        atol=1e-5,
    )
