from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=2, hidden=False)
def test_four_points(projected):
    import torch

    from minilib.grading.feedback import compare, parts, run

    points = torch.tensor([[0.5, 0.25, 0.0], [-0.25, 0.5, 0.5], [0.0, 0.0, 1.0], [0.25, -0.5, 0.25]])
    pose = torch.tensor([[0.6, 0.0, -0.8, 2.0], [0.8, 0.0, 0.6, -1.0], [0.0, -1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    lens = torch.tensor([[1.5, 0.0, 0.5], [0.0, 1.25, 0.375], [0.0, 0.0, 1.0]])
    what = "projected(points, camera_to_world, intrinsics)"
    places, depths = parts(run(projected, points, pose, lens), ("places", "depths"), what=what)
    right = [1.95, 2.7, 2.2, 1.7]
    compare(
        depths,
        right,
        what="depths",
        dtype=torch.float32,
        slips={
            "This applies camera_to_world to points of the world; the way back is asked for.": [0.25, 0.0, 0.5, 1.0],
            "R is applied here where its transpose is needed; with points as rows, that is points @ R.": [
                -1.25,
                -1.5,
                -1.0,
                -0.5,
            ],
            "The camera's place is subtracted after the rotation; it is in world axes, so it comes off before.": [
                -0.75,
                0.0,
                -0.5,
                -1.0,
            ],
            "This is the distance from the camera; depth is measured along its axis.": [
                2.01556,
                2.70416,
                2.29129,
                1.83712,
            ],
            "Depths come out negative: in OpenCV's axes the camera looks along +z.": [-1.95, -2.7, -2.2, -1.7],
            "The camera's place was not subtracted.": [-0.25, 0.5, 0.0, -0.5],
        },
    )
    right = [[0.57692, 0.69551], [0.41667, 0.375], [0.22727, 0.09091], [-0.07353, 0.55882]]
    compare(
        places,
        right,
        what="places",
        dtype=torch.float32,
        slips={
            "v grows upwards here; in OpenCV's axes y points down.": [
                [0.57692, 0.05449],
                [0.41667, 0.375],
                [0.22727, 0.65909],
                [-0.07353, 0.19118],
            ],
            "Nothing is divided by depth: far things would be as large as near ones.": [
                [0.65, 1.0],
                [0.275, 0.375],
                [-0.1, -0.25],
                [-0.475, 0.6875],
            ],
            "The principal point (cx, cy) is missing.": [
                [0.07692, 0.32051],
                [-0.08333, 0.0],
                [-0.27273, -0.28409],
                [-0.57353, 0.18382],
            ],
            "The principal point is added before the division by depth.": [
                [0.33333, 0.51282],
                [0.10185, 0.13889],
                [-0.04545455, -0.11364],
                [-0.27941, 0.40441],
            ],
            "u and v have changed places.": [
                [0.69551, 0.57692],
                [0.375, 0.41667],
                [0.09091, 0.22727],
                [0.55882, -0.07353],
            ],
            "One focal length for both directions: take fx for u and fy for v.": [
                [0.57692, 0.75962],
                [0.41667, 0.375],
                [0.22727, 0.03409091],
                [-0.07353, 0.59559],
            ],
        },
    )
