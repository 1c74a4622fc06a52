from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=2, hidden=False)
def test_four_cameras(four_numbers):
    import torch

    from minilib.grading.feedback import compare, run

    positions = torch.tensor([[2.0, 1.0, 0.5], [-1.0, 2.0, 1.5], [0.5, -2.5, 0.25], [-2.0, -1.0, 2.0]])
    first = torch.tensor([2.5, 0.5, 1.0])
    right = [
        [0.1538, 0.26312, 0.96476, -0.44732],
        [-0.21708, 0.96476, -0.26312, -0.04603052],
        [0.27605, -1.0, -4e-08, -0.17688],
        [-0.35594, -0.26312, -0.96476, 0.26139],
    ]
    compare(
        run(four_numbers, positions, first),
        right,
        what="four_numbers(positions, first)",
        dtype=torch.float32,
        shapes={(4, 3): "The turn is told as two numbers, its sine and its cosine."},
        slips={
            "The first column has the wrong sign: it is θ − θ₀, with angles from the z axis, not from the horizon.": [
                [-0.1538, 0.26312, 0.96476, -0.44732],
                [0.21708, 0.96476, -0.26312, -0.04603052],
                [-0.27605, -1.0, -4e-08, -0.17688],
                [0.35594, -0.26312, -0.96476, 0.26139],
            ],
            "These are the numbers of the way back, from the other camera to the first.": [
                [-0.1538, -0.26312, 0.96476, 0.44732],
                [0.21708, -0.96476, -0.26312, 0.04603052],
                [-0.27605, 1.0, -4e-08, 0.17688],
                [0.35594, 0.26312, -0.96476, -0.26139],
            ],
            "Angles are radians, not degrees.": [
                [8.81233, 0.26312, 0.96476, -0.44732],
                [-12.43781, 0.96476, -0.26312, -0.04603052],
                [15.8163, -1.0, -4e-08, -0.17688],
                [-20.39361, -0.26312, -0.96476, 0.26139],
            ],
            "Sine and cosine have changed places.": [
                [0.1538, 0.96476, 0.26312, -0.44732],
                [-0.21708, -0.26312, 0.96476, -0.04603052],
                [0.27605, -4e-08, -1.0, -0.17688],
                [-0.35594, -0.96476, -0.26312, 0.26139],
            ],
            "Nothing was subtracted: these numbers say where the cameras stand, not how they stand to the first.": [
                [1.35081, 0.44721, 0.89443, 2.29129],
                [0.97992, 0.89443, -0.44721, 2.69258],
                [1.47305, -0.98058, 0.19612, 2.56174],
                [0.84107, -0.44721, -0.89443, 3.0],
            ],
            "The azimuth turns the wrong way: it is φ − φ₀, and torch.atan2 takes y first.": [
                [0.1538, -0.26312, 0.96476, -0.44732],
                [-0.21708, -0.96476, -0.26312, -0.04603052],
                [0.27605, 1.0, -4e-08, -0.17688],
                [-0.35594, 0.26312, -0.96476, 0.26139],
            ],
            "The sine of a difference is not the difference of the sines.": [
                [0.1538, 0.2511, -0.08615, -0.44732],
                [-0.21708, 0.69831, -1.42779, -0.04603052],
                [0.27605, -1.1767, -0.78446, -0.17688],
                [-0.35594, -0.64333, -1.87501, 0.26139],
            ],
            "The last number is how much farther away a camera is, not how far the two are apart.": [
                [0.1538, 0.26312, 0.96476, 0.86603],
                [-0.21708, 0.96476, -0.26312, 3.84057],
                [0.27605, -1.0, -4e-08, 3.68273],
                [-0.35594, -0.26312, -0.96476, 4.84768],
            ],
        },
    )
