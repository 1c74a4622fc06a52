from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=2, hidden=False)
def test_five_objects(more_helps):
    import torch

    from minilib.grading.feedback import compare, run

    psnr = torch.tensor(
        [
            [16.0, 17.0, 17.5, 18.0],
            [15.0, 15.5, 15.25, 17.0],
            [18.0, 18.5, 18.5, 19.0],
            [20.0, 19.5, 19.0, 19.75],
            [14.0, 16.0, 17.0, 19.0],
        ]
    )
    picks = torch.tensor(
        [
            [0, 1, 1, 4, 2],
            [3, 3, 0, 2, 1],
            [4, 4, 0, 1, 3],
            [2, 0, 0, 3, 3],
            [1, 2, 3, 4, 0],
            [4, 2, 2, 1, 4],
            [0, 0, 3, 1, 2],
            [3, 4, 1, 1, 0],
        ]
    )
    right = [0.4, 1.95, 0.9, 2.79125]
    compare(
        run(more_helps, psnr, picks),
        right,
        what="more_helps(psnr, picks)",
        dtype=torch.float32,
        slips={
            "The first number counts objects that end higher than they began; PSNR has to rise at every step.": [
                0.8,
                1.95,
                0.9,
                2.79125,
            ],
            "The first number counts steps, not objects.": [0.73333, 1.95, 0.9, 2.79125],
            "The first number counts objects that fall nowhere; standing still is no rise.": [0.6, 1.95, 0.9, 2.79125],
            "The gain is of the last step alone; take the last minus the first.": [0.4, 1.1, 0.635, 1.39125],
            "First and last PSNR are resampled apart: the two of an object belong together.": [0.4, 1.95, 0.585, 3.1],
            "These are the quantiles at 5 % and 95 %, the ends of a 90 % interval.": [0.4, 1.95, 0.9, 2.7825],
            "These are the nearest of the means; quantiles lie between two of them, as torch.quantile has it.": [
                0.4,
                1.95,
                0.9,
                2.8,
            ],
            "These are quantiles over objects: how they differ, not how sure their mean is.": [0.4, 1.95, -0.125, 4.7],
        },
    )
