from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=2, hidden=False)
def test_eleven_points(seen):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, run

    depth_map = torch.tensor([[2.0, 3.0, torch.inf], [1.0, 2.5, 0.5]])
    u = [0.1, 0.45, 0.9, 0.2, 0.6, 0.95, 1.1, 0.3, 0.3, 0.5, 0.2]
    v = [0.2, 0.4, 0.1, 0.7, 0.9, 0.6, 0.3, -0.2, 0.2, 0.45, 0.3]
    places, depths = torch.tensor([u, v]).T, torch.tensor([1.9, 3.04, 9.0, 0.9, 2.6, 0.4, 1.0, 1.0, -1.0, 2.9, 1.98])
    right = [1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 1]
    got = run(seen, places, depths, depth_map, 0.05)
    if isinstance(got, torch.Tensor) and got.dtype != torch.bool:
        raise CheckFailed(f"seen: expected dtype bool, got {got.dtype}: comparisons, joined by &, make it")
    compare(
        got.int() if isinstance(got, torch.Tensor) else got,
        right,
        what="seen(places, depths, depth_map, 0.05), as 0 and 1",
        dtype=torch.int32,
        slips={
            "These are the points that are hidden.": [0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0],
            "u counts columns and v counts rows: the map is asked as [row, column].": [1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1],
            "Rounding goes to the nearest edge; a pixel reaches from j/n to (j + 1)/n.": [
                1,
                0,
                1,
                1,
                0,
                1,
                0,
                0,
                0,
                0,
                1,
            ],
            "A point behind the camera is not seen.": [1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1],
            "A point beside the picture is not seen, whatever the pixel at the edge shows.": [
                1,
                1,
                1,
                1,
                0,
                1,
                1,
                1,
                0,
                1,
                1,
            ],
            "The tolerance is missing.": [1, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1],
            "The tolerance goes the other way: it lets points be a little behind the surface.": [
                1,
                0,
                1,
                1,
                0,
                1,
                0,
                0,
                0,
                1,
                0,
            ],
        },
    )
