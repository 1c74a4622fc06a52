from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=2, hidden=False)
def test_four_rays(plucker):
    import torch

    from minilib.grading.feedback import compare, run

    position = torch.tensor([2.0, -1.0, 0.5])
    rays = torch.tensor([[-2.0, 1.0, 2.0], [0.0, 3.0, 4.0], [-6.0, 0.0, -8.0], [1.0, 2.0, 2.0]])
    right = [
        [-0.83333, -1.66667, 0.0, -0.66667, 0.33333, 0.66667],
        [-1.1, -1.6, 1.2, 0.0, 0.6, 0.8],
        [0.8, 1.3, -0.6, -0.6, 0.0, -0.8],
        [-1.0, -1.16667, 1.66667, 0.33333, 0.66667, 0.66667],
    ]
    compare(
        run(plucker, position, rays),
        right,
        what="plucker(position, directions)",
        dtype=torch.float32,
        shapes={(4, 3): "Six numbers for each ray: moment and direction.", (6, 4): "One row for each ray."},
        slips={
            "The cross product is the other way round: o x d, not d x o.": [
                [0.83333, 1.66667, 0.0, -0.66667, 0.33333, 0.66667],
                [1.1, 1.6, -1.2, 0.0, 0.6, 0.8],
                [-0.8, -1.3, 0.6, -0.6, 0.0, -0.8],
                [1.0, 1.16667, -1.66667, 0.33333, 0.66667, 0.66667],
            ],
            "The moment comes first.": [
                [-0.66667, 0.33333, 0.66667, -0.83333, -1.66667, 0.0],
                [0.0, 0.6, 0.8, -1.1, -1.6, 1.2],
                [-0.6, 0.0, -0.8, 0.8, 1.3, -0.6],
                [0.33333, 0.66667, 0.66667, -1.0, -1.16667, 1.66667],
            ],
            "These depend on the directions' lengths, which a line does not have.": [
                [-2.5, -5.0, 0.0, -2.0, 1.0, 2.0],
                [-5.5, -8.0, 6.0, 0.0, 3.0, 4.0],
                [8.0, 13.0, -6.0, -6.0, 0.0, -8.0],
                [-3.0, -3.5, 5.0, 1.0, 2.0, 2.0],
            ],
            "The moment was made before the direction had length 1.": [
                [-2.5, -5.0, 0.0, -0.66667, 0.33333, 0.66667],
                [-5.5, -8.0, 6.0, 0.0, 0.6, 0.8],
                [8.0, 13.0, -6.0, -0.6, 0.0, -0.8],
                [-3.0, -3.5, 5.0, 0.33333, 0.66667, 0.66667],
            ],
            "This is a point and a direction: another point of the same line would give other numbers.": [
                [2.0, -1.0, 0.5, -0.66667, 0.33333, 0.66667],
                [2.0, -1.0, 0.5, 0.0, 0.6, 0.8],
                [2.0, -1.0, 0.5, -0.6, 0.0, -0.8],
                [2.0, -1.0, 0.5, 0.33333, 0.66667, 0.66667],
            ],
            "Both are brought to length 1; the moment's length is the line's distance from the origin.": [
                [-0.44721, -0.89443, 0.0, -0.66667, 0.33333, 0.66667],
                [-0.48192, -0.70097, 0.52573, 0.0, 0.6, 0.8],
                [0.48777, 0.79262, -0.36583, -0.6, 0.0, -0.8],
                [-0.44113, -0.51465, 0.73521, 0.33333, 0.66667, 0.66667],
            ],
        },
    )
