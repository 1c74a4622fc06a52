from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=2, hidden=False)
def test_one_step(stepped):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    points = [[0.5, 0.25, 0.0], [-0.25, 0.5, 0.5], [0.0, 0.0, 0.75], [0.25, -0.5, 0.25]]
    seen = [[0.6, 0.55], [0.75, 0.25], [0.45, 0.2], [0.25, 0.4]]
    points, seen = (torch.tensor(some, dtype=torch.float64) for some in (points, seen))
    angles = torch.tensor([0.5, 0.25], dtype=torch.float64)
    before = angles.clone()
    right = [0.49063, 0.24709]
    compare(
        run(stepped, angles, points, seen, 0.5),
        right,
        what="stepped(angles, points, seen, 0.5)",
        dtype=torch.float64,
        rtol=1e-5,
        atol=1e-5,
        slips={
            "These are the angles you were given: no step was taken.": [0.5, 0.25],
            "This goes uphill: a step goes against the gradient.": [0.50937, 0.25291],
            "This is the step alone; it is added to the angles.": [-0.00936944, -0.00291231],
            "The loss is the mean over points, not their sum.": [0.46252, 0.23835],
            "The mean is over u and v as well here; add the two squares, then take the mean over points.": [
                0.49532,
                0.24854,
            ],
            "The rate is missing.": [0.48126, 0.24418],
            "Distances are squared; here they are not.": [0.45611, 0.23127],
            "The step has length rate; it is rate times the gradient.": [0.02253369, 0.10159],
            "orbit takes radians; these were turned from degrees first.": [0.50007, 0.25008],
        },
    )
    unchanged(before, angles, what="angles")
