from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_first_step(dpm_solver_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    x0 = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    x_original, x0_original = x.clone(), x0.clone()
    missing = "On the first step x0_before and alpha_bar_before are None: use them only where x0_before is given."
    floats = "The ᾱ are Python floats: use the functions of the module math, not those of torch."
    hints = {"NoneType": missing, "must be Tensor, not float": floats}
    got = run(dpm_solver_step, x, x0, None, None, 0.36, 0.81, hints=hints)
    unchanged(x_original, x, what="x")
    unchanged(x0_original, x0, what="x0")
    right = [[[[0.831404, -0.845514]]], [[[0.436867, 1.232995]]]]
    slips = {
        "λ is half the logarithm; without the ½ the step comes out twice as long.": [
            [[[0.935487, -1.053681]]],
            [[[0.645034, 1.285037]]],
        ],
        "The sign in front of √ᾱ_next is a minus: e^(−h) − 1 is negative, so x̂_0 is added in the end.": [
            [[[0.258321, 0.300651]]],
            [[[-0.709298, 0.946454]]],
        ],
        "The exponent is −h, with h = λ_next − λ, which is positive.": [
            [[[-0.243983, 1.305259]]],
            [[[-1.713906, 0.695302]]],
        ],
        "After e^(−h), a 1 is to be taken away.": [[[[0.381404, 0.054486]]], [[[-0.463133, 1.007995]]]],
        "The factor of x is upside down: noise gets less, so x shrinks.": [
            [[[2.121867, -1.490746]]],
            [[[0.114251, 3.813922]]],
        ],
        "√ is missing in front of x and of D: both factors are square roots.": [
            [[[0.554762, -0.664212]]],
            [[[0.441556, 0.722694]]],
        ],
        "√ is missing in front of D.": [[[[0.80275, -0.788206]]], [[[0.379559, 1.218668]]]],
        "The factor of D holds ᾱ of the next time, not of the time of x.": [
            [[[0.73589, -0.654486]]],
            [[[0.245839, 1.185238]]],
        ],
        "The logarithm in λ is the natural one.": [[[[0.704989, -0.592685]]], [[[0.184038, 1.169788]]]],
        "λ is made of ᾱ/(1 − ᾱ), not of ᾱ alone.": [[[[0.694862, -0.572431]]], [[[0.163784, 1.164725]]]],
    }
    compare(got, right, what="dpm_solver_step, the first step", slips=slips)


@test_case(points=1, hidden=False)
def test_second_step(dpm_solver_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    x0 = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    x0_before = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -0.5]]]])
    x0_original, before_original = x0.clone(), x0_before.clone()
    got = run(dpm_solver_step, x, x0, x0_before, 0.2, 0.36, 0.81, hints={"ambiguous": "Ask whether x0_before is None."})
    unchanged(x0_original, x0, what="x0")
    unchanged(before_original, x0_before, what="x0_before")
    right = [[[[1.904899, -1.919009]]], [[[-0.278797, 1.769743]]]]
    slips = {
        "The estimate of the step before was not used: this is the first-order step.": [
            [[[0.831404, -0.845514]]],
            [[[0.436867, 1.232995]]],
        ],
        "D goes on in the direction of the drift, from x0_before to x0 and beyond; yours goes back.": [
            [[[-0.242092, 0.227982]]],
            [[[1.152531, 0.696248]]],
        ],
        "r is to be doubled: D goes on for half a step only, 1/(2r).": [
            [[[2.978395, -2.992505]]],
            [[[-0.994461, 2.306491]]],
        ],
        "r is upside down: it is h_before over h.": [[[[1.003494, -1.017604]]], [[[0.32214, 1.319041]]]],
        "x0 and x0_before have changed places in D.": [[[[-1.101716, 1.087606]]], [[[1.725613, 0.266436]]]],
        "h_before ends at the time of x, where h begins; yours goes on to the next time.": [
            [[[1.138328, -1.152438]]],
            [[[0.232251, 1.386457]]],
        ],
        "This takes both steps to be of the same length, r = 1.": [[[[1.261216, -1.275326]]], [[[0.150326, 1.447901]]]],
        "The factors in D add up to 1: that of x0 is 1 + 1/(2r).": [
            [[[1.547067, -1.203346]]],
            [[[-0.994461, 1.590827]]],
        ],
        "Your D is the mean of the two estimates; it has to lie beyond x0, not between them.": [
            [[[0.401592, -0.415702]]],
            [[[0.723408, 1.018089]]],
        ],
    }
    compare(got, right, what="dpm_solver_step, the second step", slips=slips)


@test_case(points=1, hidden=False)
def test_steady_estimate(dpm_solver_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x, x0 = torch.full((3, 2, 4, 5), 1.4), torch.ones(3, 2, 4, 5)
    right = torch.full((3, 2, 4, 5), 1.33589)
    what = "dpm_solver_step where x0 and x0_before are the same"
    compare(run(dpm_solver_step, x, x0, x0, 0.1, 0.36, 0.81), right, what=what)
    got = run(dpm_solver_step, x.double(), x0.double(), x0.double(), 0.1, 0.36, 0.81)
    compare(got, right.double(), what=f"{what}, images in float64")
    follows_device(dpm_solver_step, x, x0, x0, 0.1, 0.36, 0.81, what="dpm_solver_step")
