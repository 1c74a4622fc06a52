from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=1, hidden=False)
def test_without_fresh_noise(ddim_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x_t = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    predicted_noise = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -0.5]]]])
    before, predicted_before = x_t.clone(), predicted_noise.clone()
    hints = {"must be Tensor, not float": "The ᾱ are Python floats: math.sqrt or ** 0.5 takes their roots."}
    got = run(ddim_step, x_t, predicted_noise, 0.36, 0.81, 0.0, noise, hints=hints)
    unchanged(before, x_t, what="x_t")
    unchanged(predicted_before, predicted_noise, what="predicted_noise")
    right = [[[[1.117945, 0.01411]]], [[[-1.13911, 2.808972]]]]
    slips = {
        "x̂_0 takes √(1 − ᾱ_t) times the noise away and divides by √ᾱ_t; the two have changed places.": [
            [[[1.005445, -0.32339]]],
            [[[-0.52036, 2.190222]]],
        ],
        "√ is missing: all factors are square roots.": [[[[1.625, 0.125]]], [[[-1.8125, 4.1875]]]],
        "√ is missing on the way back: the factors there are square roots, too.": [
            [[[0.905, 0.215]]],
            [[[-1.2275, 2.4775]]],
        ],
        "x̂_0 is still to be divided by √ᾱ_t.": [[[[0.757945, -0.16589]]], [[[-0.50911, 1.728972]]]],
        "x̂_0 takes the predicted noise away; you added it.": [[[[2.317945, -2.38589]]], [[[1.26089, 3.408972]]]],
        "The factor of x̂_0 is √ᾱ of the time to go to, not of the time of x_t.": [
            [[[0.817945, -0.13589]]],
            [[[-0.61411, 1.908972]]],
        ],
        "The factor of the predicted noise belongs to the time to go to, not to that of x_t.": [
            [[[1.3, -0.35]]],
            [[[-0.775, 2.9]]],
        ],
        "alpha_bar and alpha_bar_prev have changed places: alpha_bar belongs to x_t.": [
            [[[0.92137, -0.84274]]],
            [[[0.34274, 1.460685]]],
        ],
        "This is x̂_0 itself; the way back to the next level of noise is missing.": [[[[1.0, 0.5]]], [[[-1.75, 3.0]]]],
        "η is missing in σ: with η = 0 there is no fresh noise.": [[[[0.57305, 0.494725]]], [[[-0.604434, 2.536525]]]],
        "You went back along fresh noise; the step goes back along the predicted one.": [
            [[[0.46411, 0.667945]]],
            [[[-0.70322, 2.482055]]],
        ],
        "Fresh noise is multiplied by σ, and σ is 0 here.": [[[[0.117945, 0.51411]]], [[[0.86089, 2.308972]]]],
    }
    compare(got, right, what="ddim_step with η = 0", slips=slips)


@test_case(points=1, hidden=False)
def test_with_fresh_noise(ddim_step):
    import torch

    from minilib.grading.feedback import compare, run

    x_t = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    predicted_noise = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -0.5]]]])
    negative = "The number under a root is negative. Is it σ² that you take from 1 − ᾱ_prev, and is σ right?"
    hints = {"math domain error": negative, "nonnegative input": negative}
    got = run(ddim_step, x_t, predicted_noise, 0.36, 0.81, 0.4, noise, hints=hints)
    right = [[[[0.939798, 0.126735]]], [[[-0.845618, 2.719899]]]]
    slips = {
        "Fresh noise comes on top of all the predicted noise: under the root, σ² is to be taken away.": [
            [[[0.955498, 0.095333]]],
            [[[-0.814217, 2.727749]]],
        ],
        "Under the root σ is squared: 1 − ᾱ_prev − σ².": [[[[0.82055, 0.365231]]], [[[-1.084115, 2.660275]]]],
        "σ² belongs under the root, not behind it.": [[[[0.942304, 0.121722]]], [[[-0.840606, 2.721152]]]],
        "Fresh noise is multiplied by the deviation σ, not by the variance σ².": [
            [[[1.075855, 0.058706]]],
            [[[-1.117734, 2.787928]]],
        ],
        "The fresh noise is missing: σ² was taken away, but σ times the noise was not added.": [
            [[[1.102244, 0.045511]]],
            [[[-1.170511, 2.801122]]],
        ],
        "η is not used: this is the step with η = 0.": [[[[1.117945, 0.01411]]], [[[-1.13911, 2.808972]]]],
        "η multiplies σ, not σ²: it stands outside the roots.": [[[[0.819237, 0.22625]]], [[[-0.709123, 2.659619]]]],
        "√ is missing in σ: it is the product of two square roots.": [
            [[[1.049462, 0.052118]]],
            [[[-1.012187, 2.774731]]],
        ],
        "σ has two roots; the one with (1 − ᾱ_prev)/(1 − ᾱ_t) is missing.": [
            [[[0.760847, 0.281091]]],
            [[[-0.660735, 2.630424]]],
        ],
        "σ has two roots; the one with ᾱ_t/ᾱ_prev is missing.": [[[[0.870801, 0.181481]]], [[[-0.761618, 2.6854]]]],
        "σ multiplies fresh noise; you used the predicted noise twice.": [
            [[[1.183468, -0.116935]]],
            [[[-1.008065, 2.841734]]],
        ],
    }
    compare(got, right, what="ddim_step with η = 0.4 (the fresh noise is the argument noise)", slips=slips)


@test_case(points=1, hidden=False)
def test_last_step(ddim_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x_t, predicted_noise, noise = torch.full((3, 2, 4, 5), 1.4), torch.ones(3, 2, 4, 5), torch.full((3, 2, 4, 5), 5.0)
    zero = "With alpha_bar_prev = 1, σ is 0. Is the factor 1 − ᾱ_prev on top of its fraction?"
    hints = {"math domain error": zero, "nonnegative input": zero, "ZeroDivisionError": zero}
    got = run(ddim_step, x_t, predicted_noise, 0.36, 1.0, 1.0, noise, hints=hints)
    slips = {"Fresh noise was added in the last step, which goes to the clean image.": torch.full((3, 2, 4, 5), 5.0)}
    compare(got, torch.ones(3, 2, 4, 5), what="ddim_step to the clean image with η = 1", slips=slips)
    got = run(ddim_step, x_t.double(), predicted_noise.double(), 0.36, 1.0, 0.5, noise.double(), hints=hints)
    compare(got, torch.ones(3, 2, 4, 5, dtype=torch.float64), what="ddim_step for images in float64")
    follows_device(ddim_step, x_t, predicted_noise, 0.36, 0.81, 0.4, noise, what="ddim_step")
