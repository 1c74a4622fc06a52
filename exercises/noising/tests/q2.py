from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=1, hidden=False)
def test_two_images(q_sample):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x0 = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    before, t, alphas_cumprod = x0.clone(), torch.tensor([1, 2]), torch.tensor([0.81, 0.64, 0.36, 0.04])
    noise_before = noise.clone()
    got = run(q_sample, x0, t, noise, alphas_cumprod)
    unchanged(before, x0, what="x0")
    unchanged(noise_before, noise, what="noise")
    right, what = [[[[0.2, -0.1]]], [[[1.75, -0.35]]]], "q_sample(x0, t, noise, alphas_cumprod)"
    slips = {
        "√ is missing: both factors are square roots.": [[[[0.28, -0.14]]], [[[1.37, -0.37]]]],
        "The noise is multiplied by √(1 − ᾱ), not by 1 − ᾱ.": [[[[0.44, -0.22]]], [[[1.43, -0.19]]]],
        "The noise is multiplied by √(1 − ᾱ), not by 1 − √ᾱ.": [[[[0.6, -0.3]]], [[[0.95, 0.05]]]],
        "x0 is multiplied by √ᾱ, not by ᾱ.": [[[[0.04, -0.02]]], [[[1.69, -0.53]]]],
        "The two factors have changed places.": [[[[-0.2, 0.1]]], [[[1.4, 0.0]]]],
        "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).": [
            [[[0.2, 0.1]]],
            [[[1.4, -0.35]]],
        ],
        "You read ᾱ at t − 1: index t is already the paper's step t + 1.": [
            [[[0.464110, -0.232055]]],
            [[[1.4, 0.0]]],
        ],
        "You read ᾱ at t + 1: index t is the paper's step t + 1, no shift is needed.": [
            [[[-0.2, 0.1]]],
            [[[2.009592, -0.829796]]],
        ],
        "All images were noised to the time of the first one.": [[[[0.2, -0.1]]], [[[1.4, 0.0]]]],
    }
    compare(got, right, what=what, slips=slips)


@test_case(points=1, hidden=False)
def test_dtype_device_shape(q_sample):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x0, noise = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5)
    t, alphas_cumprod = torch.tensor([3, 0, 1]), torch.tensor([0.84, 0.64, 0.36, 0.19], dtype=torch.float64)
    hints = {"must match the size": "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."}
    right = torch.tensor([0.9, 0.4, 0.6]).reshape(3, 1, 1, 1).expand(3, 2, 4, 5)
    got = run(q_sample, x0, t, noise, alphas_cumprod, hints=hints)
    compare(got, right, what="q_sample for images in float32 and a schedule in float64")
    got = run(q_sample, x0.double(), t, noise.double(), alphas_cumprod)
    compare(got, right.double(), what="q_sample for images in float64")
    follows_device(q_sample, x0, t, noise, alphas_cumprod, what="q_sample")
