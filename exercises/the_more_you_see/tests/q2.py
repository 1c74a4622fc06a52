from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=2, hidden=False)
def test_three_cameras(pose_errors):
    import torch

    from minilib.grading.feedback import compare, run

    truth = torch.eye(4).repeat(3, 1, 1)
    found = torch.eye(4).repeat(3, 1, 1)
    truth[:, :3, :3] = torch.tensor(
        [
            [[0.93969, -0.34202, 0.0], [0.34202, 0.93969, 0.0], [0.0, 0.0, 1.0]],
            [[0.81915, 0.0, 0.57358], [0.0, 1.0, 0.0], [-0.57358, 0.0, 0.81915]],
            [[0.96593, -0.25882, 0.0], [0.19827, 0.73994, 0.64279], [-0.16637, -0.62089, 0.76604]],
        ]
    )
    found[:, :3, :3] = torch.tensor(
        [
            [[0.64279, -0.76604, 0.0], [0.76604, 0.64279, 0.0], [0.0, 0.0, 1.0]],
            [[0.99619, 0.0, 0.08716], [0.0, 1.0, 0.0], [-0.08716, 0.0, 0.99619]],
            [[0.78489, -0.49997, 0.36599], [0.45313, 0.86603, 0.21129], [-0.42261, 0.0, 0.90631]],
        ]
    )
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
