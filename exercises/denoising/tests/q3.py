from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_a_step(ddpm_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x_t = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.5]]]])
    predicted_noise = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    alphas_cumprod = torch.tensor([0.81, 0.64, 0.36, 0.04])
    copies = x_t.clone(), predicted_noise.clone(), noise.clone()
    what = "ddpm_step(x_t, 2, predicted_noise, alphas_cumprod, noise)"
    got = run(ddpm_step, x_t, 2, predicted_noise, alphas_cumprod, noise)
    names, now = ("x_t", "predicted_noise", "noise"), (x_t, predicted_noise, noise)
    for name, before, after in zip(names, copies, now, strict=True):
        unchanged(before, after, what=name)
    right = [[[[-0.558578, -0.720711]]], [[[0.143198, 0.957047]]]]
    slips = {
        "Between x_t and the guess of x0 lie all steps so far: ᾱ belongs there, not the α of one step.": [
            [[[-0.402856, -0.661853]]],
            [[[0.296061, 0.86876]]],
        ],
        "Both factors in the guess of x0 are square roots.": [[[[-0.497814, -1.206822]]], [[[-0.221385, 1.686213]]]],
        "The sign of the predicted noise is the other way round: the guess of x0 is x_t without it.": [
            [[[0.899755, -1.449878]]],
            [[[0.507782, 2.050797]]],
        ],
        "This is the guess of x0 itself; go one step there, not all the way.": [[[[-0.5, -1.0]]], [[[-1.166667, 1.5]]]],
        "This is the mean of the step; at every index but 0 fresh noise comes on top.": [
            [[[-0.0625, -0.96875]]],
            [[[-0.848958, 1.453125]]],
        ],
        "The noise is multiplied by the standard deviation √β̃, not by the variance β̃.": [
            [[[-0.308594, -0.845703]]],
            [[[-0.356771, 1.207031]]],
        ],
        "The variance is β̃, not β: the guess of x0 is taken for the truth, which makes it smaller.": [
            [[[-0.723938, -0.638031]]],
            [[[0.473917, 0.791687]]],
        ],
        "β of this step is 1 − ᾱ_t/ᾱ_{t−1}; you took 1 − ᾱ_t, the noise of all steps so far.": [
            [[[-0.789063, -0.921875]]],
            [[[0.055729, 1.232813]]],
        ],
        "The factor of x_t holds √α of this one step, not √ᾱ of all steps so far.": [
            [[[-0.600766, -0.636336]]],
            [[[0.185386, 0.830484]]],
        ],
        "The factors of the guess and of x_t have changed places.": [
            [[[-0.433578, -0.720711]]],
            [[[0.226532, 0.957047]]],
        ],
        "Both numerators hold a square root: √ᾱ before the step, and √α.": [
            [[[-0.556625, -0.505867]]],
            [[[0.323537, 0.634781]]],
        ],
        "You put the predicted noise where the guess of x0 belongs.": [
            [[[0.261734, -0.447273]]],
            [[[0.917938, 0.54689]]],
        ],
        "You noised the guess of x0 anew; the step has to stay close to x_t.": [[[[-1.0, -0.5]]], [[[0.266667, 0.6]]]],
        "This is DDIM's step, without fresh noise; DDPM draws from the posterior.": [
            [[[0.2, -1.1]]],
            [[[-0.783333, 1.65]]],
        ],
        "You read the schedule one place too early: index t is already the paper's step t + 1.": [
            [[[-0.163837, -0.761831]]],
            [[[0.004757, 1.059542]]],
        ],
        "You read the schedule one place too late: alphas_cumprod[t] belongs to x_t, not to the result.": [
            [[[-1.991456, -1.254272]]],
            [[[-0.640813, 1.688958]]],
        ],
        "Do not cut the guess of x0 off at [−1, 1] here.": [[[[-0.558578, -0.720711]]], [[[0.234344, 0.683609]]]],
    }
    compare(got, right, what=what, slips=slips)


@test_case(points=1, hidden=False)
def test_the_last_step(ddpm_step):
    import torch

    from minilib.grading.feedback import compare, run

    x_t = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.5]]]])
    predicted_noise = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    what = "ddpm_step(x_t, 0, predicted_noise, alphas_cumprod, noise)"
    got = run(ddpm_step, x_t, 0, predicted_noise, torch.tensor([0.81, 0.64, 0.36, 0.04]), noise)
    right = [[[[0.071233, -0.86895]]], [[[-0.676636, 1.303425]]]]
    wraps = "At index 0 you read index −1, which is the last entry; before the first step ᾱ is 1."
    slips = {
        "Index 0 is the last step: no noise is added there, whatever the variance.": [
            [[[-0.364656, -0.651005]]],
            [[[0.195144, 0.867535]]],
        ],
        wraps: [[[[9.925005, -5.129168]]], [[[2.342365, 7.69375]]]],
        wraps + " (The variance came out negative, and its root is no number.)": [
            [[[float("nan"), float("nan")]]],
            [[[float("nan"), float("nan")]]],
        ],
        "At index 0 the ᾱ before the step is 1, not ᾱ at index 0: this left the images as they were.": [
            [[[0.5, -1.0]]],
            [[[-0.5, 1.5]]],
        ],
        "Do not cut the guess of x0 off at [−1, 1] here.": [[[[0.071233, -0.86895]]], [[[-0.676636, 1.0]]]],
    }
    compare(got, right, what=what, slips=slips)


@test_case(points=1, hidden=False)
def test_dtype_device(ddpm_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x_t, predicted_noise, noise = torch.ones(3, 2, 4, 5), torch.zeros(3, 2, 4, 5), torch.zeros(3, 2, 4, 5)
    alphas_cumprod = torch.tensor([0.64, 0.36], dtype=torch.float64)
    right = torch.full((3, 2, 4, 5), 1.333333)
    got = run(ddpm_step, x_t, 1, predicted_noise, alphas_cumprod, noise)
    compare(got, right, what="ddpm_step for images in float32 and a schedule in float64")
    got = run(ddpm_step, x_t.double(), 1, predicted_noise.double(), alphas_cumprod, noise.double())
    compare(got, right.double(), what="ddpm_step for images in float64")
    for t in (0, 1):
        follows_device(ddpm_step, x_t, t, predicted_noise, alphas_cumprod, noise, what="ddpm_step")
