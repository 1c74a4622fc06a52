from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_two_images(from_velocity):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    v = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.0]]]])
    x_t = torch.tensor([[[[1.0, 2.0]]], [[[-1.0, 0.5]]]])
    before, alphas_cumprod = v.clone(), torch.tensor([0.81, 0.64, 0.36, 0.04])
    what = "from_velocity(v, x_t, t, alphas_cumprod)"
    x0, noise = parts(run(from_velocity, v, x_t, torch.tensor([1, 2]), alphas_cumprod), ("x0", "noise"), what=what)
    unchanged(before, v, what="v")
    right_x0, right_noise = [[[[0.5, 2.2]]], [[[-0.2, -0.5]]]], [[[[1.0, 0.4]]], [[[-1.1, 1.0]]]]
    swapped = "x0 and noise have changed places: return (x0, noise)."
    sign = "The sign of v is the other way round: x0 is taken away from √ᾱ ε in v, not added."
    roots = "√ is missing: both factors are square roots."
    axis = "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."
    shift = "You read ᾱ at t − 1: index t is already the paper's step t + 1."
    slips = {
        swapped: right_noise,
        sign: [[[[1.1, 1.0]]], [[[-1.0, 1.1]]]],
        roots: [[[[0.46, 1.64]]], [[[-0.04, -0.46]]]],
        axis: [[[[0.5, 2.0]]], [[[-0.5, -0.5]]]],
        shift: [[[[0.682055, 2.23589]]], [[[-0.5, -0.2]]]],
        "This solves eq. 4 as if v were the noise.": [[[[0.875, 3.25]]], [[[-1.0, -0.5]]]],
        "The factors of x_t and v have changed places.": [[[[0.2, 2.0]]], [[[-0.5, -0.2]]]],
    }
    compare(x0, right_x0, what=f"x0 of {what}", slips=slips)
    slips = {
        "This is v itself: it holds the noise and the clean image.": [[[[0.5, -1.0]]], [[[-0.5, 1.0]]]],
        sign: [[[[0.2, 2.0]]], [[[-0.5, -0.2]]]],
        "This solves eq. 4 as if v were the clean image.": [[[[1.0, 4.666667]]], [[[-0.875, -0.125]]]],
        "The factors of x_t and v have changed places.": [[[[1.1, 1.0]]], [[[-1.0, 1.1]]]],
    }
    compare(noise, right_noise, what=f"noise of {what}", slips=slips)


@test_case(points=1, hidden=False)
def test_dtype_device(from_velocity):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    v, x_t, t = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5), torch.tensor([0, 0, 0])
    alphas_cumprod = torch.tensor([0.64, 0.36], dtype=torch.float64)
    what = "from_velocity for images in float32 and a schedule in float64"
    hints = {"must match the size": "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."}
    x0, noise = parts(run(from_velocity, v, x_t, t, alphas_cumprod, hints=hints), ("x0", "noise"), what=what)
    compare(x0, torch.full((3, 2, 4, 5), 0.8), what=f"x0 of {what}")
    compare(noise, torch.full((3, 2, 4, 5), 0.6), what=f"noise of {what}")
    x_t, v = torch.full((1, 1, 1, 1), 1.000005), torch.full((1, 1, 1, 1), -0.49999)
    what = "from_velocity where ᾱ is 1e-10 (a division by √ᾱ magnifies rounding; rotate back instead)"
    got = parts(run(from_velocity, v, x_t, t[:1], torch.tensor([1e-10])), ("x0", "noise"), what=what)
    compare(got[0], [[[[0.5]]]], what=f"x0 of {what}")
    compare(got[1], [[[[1.0]]]], what=f"noise of {what}")
    v, x_t = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5)
    follows_device(from_velocity, v, x_t, t, alphas_cumprod, what="from_velocity")
