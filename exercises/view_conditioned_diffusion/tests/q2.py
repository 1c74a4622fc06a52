from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=2, hidden=False)
def test_ten_points(lifted):
    import torch

    from minilib.grading.feedback import compare, run

    features = torch.arange(1.0, 13.0).reshape(2, 2, 3)
    pose = torch.tensor([[0.6, 0.0, -0.8, 2.0], [0.8, 0.0, 0.6, -1.0], [0.0, -1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    lens = torch.tensor([[1.5, 0.0, 0.5], [0.0, 1.25, 0.375], [0.0, 0.0, 1.0]])
    points = torch.tensor(
        [
            [0.08, -0.227, 0.94],
            [0.36, 0.147, -0.1],
            [1.04, 0.22, 0.59],
            [2.88, -1.493, 0.68],
            [0.96, 0.947, 0.46],
            [-0.28, 0.96, -0.88],
            [1.24, -0.347, 0.48],
            [-0.28, 0.127, -0.55],
            [-0.01, -0.97, 2.0],
            [-0.08, -0.44, 0.46],
        ]
    )
    right = [
        [1.0, 7.0],
        [5.0, 11.0],
        [3.0, 9.0],
        [0.0, 0.0],
        [0.0, 0.0],
        [5.0, 11.0],
        [2.0, 8.0],
        [4.0, 10.0],
        [0.0, 0.0],
        [0.0, 0.0],
    ]
    compare(
        run(lifted, features, points, pose, lens),
        right,
        what="lifted(features, points, camera_to_world, intrinsics)",
        dtype=torch.float32,
        shapes={(2, 10): "One row for each point: features[:, rows, columns] has to be turned."},
        slips={
            "Points of the world went through camera_to_world; that is the way back.": [
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [6.0, 12.0],
                [0.0, 0.0],
            ],
            "v grows upwards here; in OpenCV's axes y points down.": [
                [4.0, 10.0],
                [2.0, 8.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [2.0, 8.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "Rounding goes to the nearest edge of a pixel; a pixel reaches from j/w to (j + 1)/w.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [6.0, 12.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [6.0, 12.0],
                [6.0, 12.0],
                [5.0, 11.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "u counts columns and v counts rows: the map is asked as [:, row, column].": [
                [1.0, 7.0],
                [3.0, 9.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [6.0, 12.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "A point behind the camera is not seen, though its division lands in the picture.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [5.0, 11.0],
                [2.0, 8.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "int and long cut towards 0, so −0.3 becomes pixel 0: floor first, or look at u and v.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [5.0, 11.0],
                [2.0, 8.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [1.0, 7.0],
            ],
            "A point beside the picture gets zeros, not what the pixel at the edge shows.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [3.0, 9.0],
                [5.0, 11.0],
                [2.0, 8.0],
                [4.0, 10.0],
                [1.0, 7.0],
                [1.0, 7.0],
            ],
            "Pixels are counted up to w − 1 here: u = 1 is the outer edge of the last pixel, not its middle.": [
                [1.0, 7.0],
                [1.0, 7.0],
                [2.0, 8.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [2.0, 8.0],
                [2.0, 8.0],
                [1.0, 7.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
        },
    )
