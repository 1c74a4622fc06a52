from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_mean(q_posterior):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    x0 = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    x_t = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.0]]]])
    before, betas = x_t.clone(), torch.tensor([0.1, 0.2, 0.3, 0.4])
    what = "q_posterior(x0, x_t, t, betas)"
    mean, _ = parts(run(q_posterior, x0, x_t, torch.tensor([0, 2]), betas), ("mean", "variance"), what=what)
    unchanged(before, x_t, what="x_t")
    right = [[[[1.0, -0.5]]], [[[-0.107848, 0.857225]]]]
    slips = {
        "The factors of x0 and x_t have changed places.": [[[[0.5, -1.0]]], [[[-0.138534, 0.867454]]]],
        "At index 0 you read index −1, which is the last entry; before the first step ᾱ is 1.": [
            [[[3.858916, -6.892969]]],
            [[[-0.107848, 0.857225]]],
        ],
        "At index 0 the ᾱ before the step is 1, not ᾱ at index 0.": [
            [[[1.423025, -1.423025]]],
            [[[-0.107848, 0.857225]]],
        ],
        "Both numerators hold a square root: √ᾱ before the step, and √α.": [
            [[[1.0, -0.5]]],
            [[[-0.08871, 0.721774]]],
        ],
        "The numerators hold the ᾱ before the step, not the one after it.": [
            [[[1.423025, -1.423025]]],
            [[[-0.310982, 1.158705]]],
        ],
        "The factor of x_t holds √α of this one step, not √ᾱ of all steps so far.": [
            [[[1.0, -0.5]]],
            [[[-0.072078, 0.785684]]],
        ],
        "Both factors are still to be divided by 1 − ᾱ.": [[[[0.1, -0.05]]], [[[-0.053493, 0.425184]]]],
    }
    compare(mean, right, what=f"the mean of {what}", slips=slips)


@test_case(points=1, hidden=False)
def test_variance(q_posterior):
    import torch

    from minilib.grading.feedback import compare, parts, run

    x = torch.ones(2, 1, 1, 2)
    what = "q_posterior(x0, x_t, t, betas)"
    got = run(q_posterior, x, x, torch.tensor([0, 2]), torch.tensor([0.1, 0.2, 0.3, 0.4]))
    _, variance = parts(got, ("mean", "variance"), what=what)
    right = [[[[0.0]]], [[[0.169355]]]]
    shapes = {
        (2,): "Every image has one variance: give it three more axes of size 1, so that it can multiply images.",
        (2, 1, 1, 2): "Every image has one variance: there is no need to repeat it for each pixel.",
    }
    slips = {
        "This is β itself; knowing x0 makes the variance smaller (β̃).": [[[[0.1]]], [[[0.3]]]],
        "This is the standard deviation; the variance was asked for.": [[[[0.0]]], [[[0.411527]]]],
        "At index 0 you read index −1, which is the last entry; before the first step ᾱ is 1.": [
            [[[0.6976]]],
            [[[0.169355]]],
        ],
        "At index 0 nothing is uncertain: there ᾱ before the step is 1, and the variance 0.": [
            [[[0.1]]],
            [[[0.169355]]],
        ],
        "This is the logarithm of the variance.": [[[[float("-inf")]]], [[[-1.775758]]]],
    }
    compare(variance, right, what=f"the variance of {what}", shapes=shapes, slips=slips)


@test_case(points=1, hidden=False)
def test_dtype_device(q_posterior):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    x0, x_t, t = torch.ones(3, 1, 2, 4), torch.ones(3, 1, 2, 4), torch.tensor([0, 0, 0])
    betas = torch.tensor([0.1, 0.2], dtype=torch.float64)
    what = "q_posterior for images in float32 and a schedule in float64"
    mean, variance = parts(run(q_posterior, x0, x_t, t, betas), ("mean", "variance"), what=what)
    compare(mean, x0, what=f"the mean of {what}")
    compare(variance, torch.zeros(3, 1, 1, 1), what=f"the variance of {what}")
    follows_device(q_posterior, x0, x_t, t, betas, what="q_posterior")
