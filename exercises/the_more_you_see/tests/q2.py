from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=2, hidden=False)
def test_three_cameras(pose_errors):
    import torch

    from minilib.grading.feedback import compare, run

    def camera(axis, degrees):
        w = torch.zeros(3, 3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        w[j, i], w[i, j] = 1.0, -1.0
        pose = torch.eye(4)
        pose[:3, :3] = torch.linalg.matrix_exp(w * torch.tensor(degrees).deg2rad())
        return pose

    truth = torch.stack([camera(2, 20.0), camera(1, 35.0), camera(0, -40.0) @ camera(2, 15.0)])
    found = torch.stack([camera(2, 50.0), camera(1, 5.0), camera(2, 30.0) @ camera(1, 25.0)])
    right = [42.18139, 46.37347]
    compare(
        run(pose_errors, found, truth),
        right,
        what="pose_errors(found, truth)",
        dtype=torch.float32,
        rtol=1e-3,
        atol=1e-3,
        shapes={(3,): "The first camera is what the others are compared with: leave it out."},
        slips={
            "These are radians.": [0.7362, 0.80937],
            "The worlds' own axes are compared; how they are turned nobody knows. Take R₁ᵀR first.": [
                29.99999,
                40.59754,
            ],
            "This is R R₁ᵀ, told in the world's axes; as the first camera sees it, it is R₁ᵀR.": [42.18139, 34.65112],
            "One of the two is not transposed: this is a product of rotations, not what is left between them.": [
                79.68169,
                55.24876,
            ],
            "The cosine is (trace − 1) / 2.": [34.17268, 37.50472],
        },
    )
