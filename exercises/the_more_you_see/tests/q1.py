from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=2, hidden=False)
def test_a_turn(turn):
    import torch

    from minilib.grading.feedback import compare, run

    w = torch.tensor([0.5, -1.0, 0.75])
    right = [[0.32985, -0.75755, -0.5633], [0.32866, 0.65152, -0.68374], [0.88498, 0.04039752, 0.46388]]
    compare(
        run(turn, w),
        right,
        what="turn(w)",
        dtype=torch.float32,
        rtol=1e-3,
        atol=1e-4,
        slips={
            "This turns the other way: the signs of [w]× are exchanged.": [
                [0.32985, 0.32866, 0.88498],
                [-0.75755, 0.65152, 0.04039764],
                [-0.5633, -0.68374, 0.46388],
            ],
            "This is I + [w]× alone: for small angles that is nearly a rotation, for this one it is none.": [
                [1.0, -0.75, -1.0],
                [0.75, 1.0, -0.5],
                [1.0, 0.5, 1.0],
            ],
            "These are three turns one after the other, about x, y and z; w is one turn about one axis.": [
                [0.39533, -0.89336, -0.21355],
                [0.36829, 0.36715, -0.85414],
                [0.84147, 0.25902, 0.47416],
            ],
            "The axis is not of length 1 in [w]×, but sin θ and 1 − cos θ are not divided: θ counts twice.": [
                [-0.21465, -1.11987, -0.68339],
                [0.34249, 0.36838, -1.07048],
                [1.26642, -0.09558, 0.0282799],
            ],
            "Angles are radians, not degrees.": [
                [0.99976, -0.01316492, -0.01739457],
                [0.01301261, 0.99988, -0.00884007],
                [0.0175088, 0.00861162, 0.99981],
            ],
            "[w]×² is a matrix product, not the squares of the entries.": [
                [1.0, -0.30185, -0.29524],
                [0.78436, 1.0, -0.25485],
                [1.15304, 0.46929, 1.0],
            ],
            "The last term has θ below it, where θ² belongs.": [
                [0.09778, -0.83182, -0.50761],
                [0.2544, 0.53085, -0.79514],
                [0.94067, -0.07099, 0.27822],
            ],
        },
    )
    compare(
        run(turn, torch.zeros(3)),
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        what="turn of zeros: the identity",
        dtype=torch.float32,
        atol=1e-4,
    )
