from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=2, hidden=False)
def test_five_pictures(views_step):
    import torch

    from minilib.grading.feedback import CheckFailed, StudentError, compare, parts, run, unchanged

    def pictures(values):
        return torch.tensor(values).reshape(-1, 1, 1, 1).repeat(1, 3, 1, 1) * torch.tensor([1.0, 0.5, -0.5]).reshape(
            3, 1, 1
        )

    images, noise = pictures([0.1, -0.4, 0.8, 0.5, -0.9]), pictures([1.0, -2.0, 0.5, -0.25, 2.0])
    order, before = torch.tensor([3, 0, 4, 2, 1]), images.clone()
    alpha_bar, predicted = torch.tensor([0.64, 0.36]), pictures([0.6, 0.0])
    what = "views_step(images, noise, order, 2, 2, alpha_bar, predicted)"
    got = run(views_step, images, noise, order, 2, 2, alpha_bar, predicted)
    inputs, x_t, loss = parts(got, ("inputs", "x_t", "loss"), what=what)
    compare(
        inputs,
        pictures([0.5, 0.1]),
        what="inputs",
        shapes={(5, 3, 1, 1): "All pictures are inputs here, the targets too: the answer leaks into the question."},
        slips={
            "These are pictures 0 and 1; order says which come first.": pictures([0.1, -0.4]),
            "The inputs are noised; they are clean.": pictures([0.25, 0.86]),
            "The targets are among the inputs: the answer leaks into the question.": pictures([0.8, -0.4]),
        },
    )
    compare(
        x_t,
        pictures([0.94, -1.84]),
        what="x_t",
        shapes={(2, 3, 1, 2): "alpha_bar has a number for each target; here it was spread over the pixels of a row."},
        slips={
            "The roots are missing: ᾱ and 1 − ᾱ are the shares of the variance.": pictures([0.692, -1.424]),
            "Signal and noise have changed places.": pictures([0.88, -1.52]),
            "The noise of other pictures: noise[k] belongs to picture number k.": pictures([1.24, -1.84]),
            "The first target's ᾱ was taken for all: each has its own.": pictures([0.94, -1.52]),
            "The targets are the inputs themselves.": pictures([0.25, 0.86]),
            "The targets are those after the inputs in the order; the last ones were asked for.": pictures(
                [0.48, 0.88]
            ),
            "These are the clean targets: the model would be shown the answer.": pictures([0.8, -0.4]),
        },
    )
    compare(
        loss,
        torch.tensor(0.05),
        what="loss",
        shapes={
            (2,): "This is a loss for each target; the step has one, their mean.",
            (2, 3, 1, 1): "These are the squared differences; the loss is their mean.",
        },
        slips={
            "This is the sum; the loss is a mean, or it would grow with the number of views and pixels.": 0.3,
            "A mean for each target, and the sum of these; the loss is a mean over targets, too.": 0.1,
            "A sum over channels and pixels, a mean over targets; the loss is a mean over all of them.": 0.15,
            "This is the root of the loss.": 0.223607,
            "These are absolute differences; the mean belongs to the squared ones.": 0.2,
            "Compared with the noise; the model says the picture.": 1.0025,
            "Compared with x_t: a model that learnt this would hand back what it is shown.": 0.8753,
            "Compared with the inputs: a model that learnt this would copy.": 0.005,
            "Only the first target counts here.": 0.02,
        },
    )
    unchanged(before, images, what="images")
    try:
        views_step(images, noise, order, 3, 3, alpha_bar[[0, 0, 1]], predicted[[0, 0, 1]])
    except Exception as error:
        name = str(error) if isinstance(error, StudentError) else type(error).__name__
        if not name.startswith("ValueError"):
            raise CheckFailed(
                f"three inputs and three targets of five pictures: expected a ValueError, got {name}"
            ) from error
    else:
        raise CheckFailed(
            "three inputs and three targets of five pictures: one is both; expected a ValueError, got an answer"
        )
