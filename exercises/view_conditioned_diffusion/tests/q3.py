from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=2, hidden=False)
def test_three_rays(gathered):
    import torch

    from minilib.grading.feedback import compare, parts, run

    density = torch.tensor([[0.0, 2.0, 1.0], [4.0, 0.5, 3.0], [0.0, 0.0, 0.0]])
    features = torch.tensor(
        [
            [[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]],
            [[1.0, 1.0], [2.0, 0.0], [0.0, 4.0]],
            [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        ]
    )
    what = "gathered(features, density, 0.5)"
    shows, stopped = parts(
        run(gathered, features, density, 0.5), ("what the rays show", "how much was stopped"), what=what
    )
    right = [0.77687, 0.97648, 0.0]
    compare(
        stopped,
        right,
        what="how much was stopped",
        dtype=torch.float32,
        shapes={(3, 2): "The two results have changed places."},
        slips={
            "T counts the sample itself: only what lies before it has been passed.": [0.32034, 0.1586, 0.0],
            "The length of the pieces is missing.": [0.95021, 0.99945, 0.0],
            "What arrives is not asked: a sample behind a wall shows as much as the wall.": [1.02559, 1.86273, 0.0],
            "The shares are divided by their sum; a ray that hits nothing shows nothing.": [1.0, 1.0, 1.0],
            "The share that stops is 1 − exp(−σδ), not σδ: that could be more than all.": [1.18394, 2.19193, 0.0],
            "This is what is left of the ray, not what was stopped.": [0.22313, 0.02351775, 1.0],
        },
    )
    right = [[0.43425, 1.40899], [0.92454, 1.19219], [0.0, 0.0]]
    compare(
        shows,
        right,
        what="what the rays show",
        dtype=torch.float32,
        slips={
            "The farthest sample is taken for the nearest.": [[1.18041, 1.16027], [0.24897, 3.25774], [0.0, 0.0]],
            "Features are weighted with what arrives, not with what stops.": [
                [2.10364, 2.36788],
                [1.27067, 1.4216],
                [9.0, 12.0],
            ],
        },
    )
