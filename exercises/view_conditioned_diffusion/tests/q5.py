from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=2, hidden=False)
def test_five_pictures(drawn_task):
    import torch

    from minilib.grading.feedback import CheckFailed, StudentError, compare, parts, run, unchanged

    def pictures(values):
        return torch.tensor(values).reshape(-1, 1, 1, 1).repeat(1, 3, 1, 1) * torch.tensor([1.0, 0.5, -0.5]).reshape(
            3, 1, 1
        )

    images, noise = pictures([0.1, -0.4, 0.8, 0.5, -0.9]), pictures([1.0, -2.0, 0.5, -0.25, 2.0])
    order, before = torch.tensor([3, 0, 4, 2, 1]), images.clone()
    what = "drawn_task(images, noise, order, 2, 2, 0.64)"
    inputs, x_t, x0 = parts(run(drawn_task, images, noise, order, 2, 2, 0.64), ("inputs", "x_t", "x_0"), what=what)
    compare(
        inputs,
        pictures([0.5, 0.1]),
        what="inputs",
        shapes={(5, 3, 1, 1): "All pictures are inputs here, the targets too: the answer leaks into the question."},
        slips={
            "These are pictures 0 and 1; order says which come first.": pictures([0.1, -0.4]),
            "The inputs are noised; they are clean.": pictures([0.25, 0.68]),
            "The targets are among the inputs: the answer leaks into the question.": pictures([0.8, -0.4]),
        },
    )
    compare(
        x0,
        pictures([0.8, -0.4]),
        what="x_0",
        slips={
            "The targets are the inputs themselves.": pictures([0.5, 0.1]),
            "The targets are those after the inputs in the order; the last ones were asked for.": pictures([-0.9, 0.8]),
            "This is the noise; the model has to say the picture.": pictures([0.5, -2.0]),
            "x_t and x_0 have changed places.": pictures([0.94, -1.52]),
        },
    )
    compare(
        x_t,
        pictures([0.94, -1.52]),
        what="x_t",
        slips={
            "The roots are missing: ᾱ and 1 − ᾱ are the shares of the variance.": pictures([0.692, -0.976]),
            "Signal and noise have changed places.": pictures([0.88, -1.84]),
            "The noise of other pictures: it is counted by their numbers.": pictures([1.24, -1.52]),
        },
    )
    unchanged(before, images, what="images")
    try:
        drawn_task(images, noise, order, 3, 3, 0.64)
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
