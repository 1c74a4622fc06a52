from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=2, hidden=False)
def test_two_cameras(relative):
    import torch

    from minilib.grading.feedback import compare, run

    pose = torch.tensor([[0.0, 0.0, 1.0, -3.0], [-1.0, 0.0, 0.0, 1.0], [0.0, -1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    reference = torch.tensor(
        [[0.6, 0.0, -0.8, 2.0], [0.8, 0.0, 0.6, -1.0], [0.0, -1.0, 0.0, 0.25], [0.0, 0.0, 0.0, 1.0]]
    )
    right = [[-0.8, 0.0, 0.6, -1.4], [0.0, 1.0, 0.0, -0.25], [-0.6, 0.0, -0.8, 5.2], [0.0, 0.0, 0.0, 1.0]]
    compare(
        run(relative, pose, reference),
        right,
        what="relative(pose, reference)",
        dtype=torch.float32,
        slips={
            "The inverse of the reference stands on the other side: this changes if the world is moved.": [
                [-0.8, 0.6, 0.0, -0.8],
                [-0.6, -0.8, 0.0, 1.4],
                [0.0, 0.0, 1.0, 0.25],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "This is the first camera as the second sees it.": [
                [-0.8, 0.0, -0.6, 2.0],
                [0.0, 1.0, 0.0, 0.25],
                [0.6, 0.0, -0.8, 5.0],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "The transpose of a 4 x 4 matrix is not its inverse: its last column is no rotation.": [
                [-0.8, 0.0, 0.6, -1.0],
                [0.0, 1.0, 0.0, -0.5],
                [-0.6, 0.0, -0.8, 3.0],
                [1.0, -0.25, 2.0, -5.875],
            ],
            "The places are subtracted in world axes; they have to be turned into the reference's.": [
                [-0.8, 0.0, 0.6, -5.0],
                [0.0, 1.0, 0.0, 2.0],
                [-0.6, 0.0, -0.8, 0.25],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "Only the rotation is relative; the place is still the world's.": [
                [-0.8, 0.0, 0.6, -3.0],
                [0.0, 1.0, 0.0, 1.0],
                [-0.6, 0.0, -0.8, 0.5],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "The place of the inverse is -o here; it is turned as well: -R^T o.": [
                [-0.8, 0.0, 0.6, -3.0],
                [0.0, 1.0, 0.0, 0.5],
                [-0.6, 0.0, -0.8, 2.75],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "This is the difference of two matrices; a motion is undone by its inverse.": [
                [-0.6, 0.0, 1.8, -5.0],
                [-1.8, 0.0, -0.6, 2.0],
                [0.0, 0.0, 0.0, 0.25],
                [0.0, 0.0, 0.0, 0.0],
            ],
        },
    )
