from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_loss(training_step):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    weight = torch.tensor([[[[0.1, -0.2, 0.3], [0.2, 0.5, -0.1], [-0.3, 0.1, 0.2]]]])
    x0 = torch.tensor([[[[1.0, -0.5], [0.5, 0.25]]], [[[0.25, 0.75], [-1.0, 0.5]]]])
    noise = torch.tensor([[[[-1.0, 0.5], [0.5, 1.5]]], [[[2.0, -1.0], [0.5, -0.5]]]])
    t, alphas_cumprod = torch.tensor([1, 2]), torch.tensor([0.81, 0.64, 0.36, 0.04])
    copies = weight.clone(), x0.clone(), noise.clone()
    what = "training_step(weight, x0, t, noise, alphas_cumprod, 0.5)"
    hints = {"does not require grad": "torch does not follow weight: predict with a copy that has requires_grad_() on."}
    got = run(training_step, weight, x0, t, noise, alphas_cumprod, 0.5, hints=hints)
    for name, before, after in zip(("weight", "x0", "noise"), copies, (weight, x0, noise), strict=True):
        unchanged(before, after, what=name)
    loss, _ = parts(got, ("loss", "new_weight"), what=what)
    shapes = {
        (1, 1, 3, 3): "The loss and the new weight have changed places: return (loss, new_weight).",
        (2,): "This is one loss for each image; take the mean over all numbers of the batch.",
        (2, 1, 2, 2): "These are the squared errors of all pixels; take their mean.",
    }
    slips = {
        "The target is the noise: the network is asked which noise it sees, not what the clean image is.": 0.229684,
        "The target is the noise: you compared the prediction with the network's own input x_t.": 0.218372,
        "The network has to look at the noised images x_t; you showed it the clean ones.": 1.577969,
        "The network has to look at the noised images x_t; you showed it the noise itself.": 0.541563,
        "√ is missing in x_t: both factors are square roots.": 0.926771,
        "The factors of x0 and noise in x_t have changed places.": 0.959522,
        "This is the sum of the squared errors; the mean was asked for.": 7.332475,
        "You summed over each image; the mean is taken over all numbers of the batch.": 3.666237,
        "There is no ½ in front of the squared error here.": 0.45828,
        "This is the mean of the absolute errors; they are to be squared.": 0.895625,
        "This is the square root of the loss.": 0.957371,
        "You read ᾱ at t − 1: index t is already the paper's step t + 1.": 1.098623,
        "You read ᾱ at t + 1: index t is the paper's step t + 1, no shift is needed.": 0.692136,
        "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).": 0.968481,
        "All images were noised to the time of the first one.": 1.038262,
        "This is the loss after the step; return the one that the gradient was taken of.": 0.446063,
    }
    slips = {reason: torch.tensor(wrong) for reason, wrong in slips.items()}
    compare(loss, torch.tensor(0.916559), what=f"loss of {what}", shapes=shapes, slips=slips)


@test_case(points=1, hidden=False)
def test_new_weight(training_step):
    import torch

    from minilib.grading.feedback import compare, parts, run

    weight = torch.tensor([[[[0.1, -0.2, 0.3], [0.2, 0.5, -0.1], [-0.3, 0.1, 0.2]]]])
    x0 = torch.tensor([[[[1.0, -0.5], [0.5, 0.25]]], [[[0.25, 0.75], [-1.0, 0.5]]]])
    noise = torch.tensor([[[[-1.0, 0.5], [0.5, 1.5]]], [[[2.0, -1.0], [0.5, -0.5]]]])
    t, alphas_cumprod = torch.tensor([1, 2]), torch.tensor([0.81, 0.64, 0.36, 0.04])
    what = "training_step(weight, x0, t, noise, alphas_cumprod, 0.5)"
    hints = {"does not require grad": "torch does not follow weight: predict with a copy that has requires_grad_() on."}
    got = run(training_step, weight, x0, t, noise, alphas_cumprod, 0.5, hints=hints)
    _, new_weight = parts(got, ("loss", "new_weight"), what=what)
    right = [-0.024, 0.0559, 0.2502, 0.031, 0.875, -0.0996, -0.216, 0.0484, -0.0066]
    wrong = {
        "uphill": [0.224, -0.4559, 0.3498, 0.369, 0.125, -0.1004, -0.384, 0.1516, 0.4066],
        "returns the gradient": [0.2481, -0.5118, 0.0997, 0.3379, -0.7499, -0.0008, -0.168, 0.1031, 0.4132],
        "returns the step": [0.124, -0.2559, 0.0498, 0.169, -0.375, -0.0004, -0.084, 0.0516, 0.2066],
        "forgets the learning rate": [-0.1481, 0.3118, 0.2003, -0.1379, 1.2499, -0.0992, -0.132, -0.0031, -0.2132],
        "divides by the learning rate": [-0.3961, 0.8235, 0.1006, -0.4759, 1.9999, -0.0985, 0.036, -0.1063, -0.6265],
        "old weight": [0.1, -0.2, 0.3, 0.2, 0.5, -0.1, -0.3, 0.1, 0.2],
        "gradient of the sum": [-0.8923, 1.847, -0.0987, -1.1517, 3.4997, -0.097, 0.372, -0.3125, -1.453],
        "sign of the gradient": [-0.4, 0.3, -0.2, -0.3, 1.0, 0.4, 0.2, -0.4, -0.3],
    }
    reasons = {
        "uphill": "You went up the gradient; the loss falls in the opposite direction.",
        "returns the gradient": "This is the gradient; the new weight was asked for.",
        "returns the step": "This is the step itself; take it from the weight you were given.",
        "forgets the learning rate": "The learning rate is missing: the whole gradient was taken off.",
        "divides by the learning rate": "You divided by the learning rate; the gradient is multiplied with it.",
        "old weight": "This is the old weight: the step is missing.",
        "gradient of the sum": "The loss is right, but the gradient is that of the sum, not of the mean.",
        "sign of the gradient": "You took the sign of the gradient; plain gradient descent takes the gradient itself.",
    }
    slips = {reasons[slip]: torch.tensor(values).reshape(1, 1, 3, 3) for slip, values in wrong.items()}
    right = torch.tensor(right).reshape(1, 1, 3, 3)
    compare(new_weight, right, what=f"new_weight of {what}", slips=slips, rtol=1e-3, atol=1e-4)


@test_case(points=1, hidden=False)
def test_dtype_device(training_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    weight = torch.zeros(2, 2, 3, 3)
    x0, noise, t = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5), torch.tensor([1, 0, 1])
    alphas_cumprod = torch.tensor([0.64, 0.36], dtype=torch.float64)
    hints = {
        "must match the size": "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).",
        "expected scalar type": "x_t has the dtype of the schedule: bring the factors to the dtype of x0 first.",
        "should be the same": "x_t has the dtype of the schedule: bring the factors to the dtype of x0 first.",
    }
    what = "training_step for images in float32 and a schedule in float64"
    got = run(training_step, weight, x0, t, noise, alphas_cumprod, 0.1, hints=hints)
    loss, new_weight = parts(got, ("loss", "new_weight"), what=what)
    shapes = {(3,): "This is one loss for each image; take the mean over all numbers of the batch."}
    compare(loss, torch.tensor(1.0), what=f"loss of {what}", shapes=shapes)
    middle = [[0.044, 0.055, 0.044], [0.058667, 0.073333, 0.058667], [0.044, 0.055, 0.044]]
    right = torch.tensor(middle).expand(2, 2, 3, 3)
    compare(new_weight, right, what=f"new_weight of {what}")
    got = run(training_step, weight.detach().double(), x0.double(), t, noise.double(), alphas_cumprod, 0.1, hints=hints)
    what = "training_step for images in float64"
    loss, new_weight = parts(got, ("loss", "new_weight"), what=what)
    compare(loss, torch.tensor(1.0).double(), what=f"loss of {what}")
    compare(new_weight, right.double(), what=f"new_weight of {what}")
    follows_device(training_step, weight, x0, t, noise, alphas_cumprod, 0.1, what="training_step")
