from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=2, hidden=False)
def test_five_pictures(drawn_task):
    import torch

    from minilib.grading.feedback import CheckFailed, StudentError, compare, parts, run

    images = torch.tensor([0.1, -0.4, 0.8, 0.5, -0.9]).reshape(5, 1, 1, 1).expand(5, 3, 1, 1)
    noise = torch.tensor([1.0, -2.0, 0.5, -0.25, 2.0]).reshape(5, 1, 1, 1).expand(5, 3, 1, 1)
    order = torch.tensor([3, 0, 4, 2, 1])
    what = "drawn_task(images, noise, order, 2, 2, 0.64)"
    inputs, x_t, x0 = parts(run(drawn_task, images, noise, order, 2, 2, 0.64), ("inputs", "x_t", "x_0"), what=what)
    shown = [
        some[:, 0, 0, 0] if isinstance(some, torch.Tensor) and some.ndim == 4 else some for some in (inputs, x_t, x0)
    ]
    right = [0.5, 0.1]
    compare(
        shown[0],
        right,
        what="inputs",
        dtype=torch.float32,
        shapes={(5,): "All pictures are inputs here, the targets too: the answer leaks into the question."},
        slips={
            "These are pictures 0 and 1; order says which come first.": [0.1, -0.4],
            "The inputs are noised; they are clean.": [0.25, 0.68],
            "The targets are among the inputs: the answer leaks into the question.": [0.8, -0.4],
        },
    )
    right = [0.8, -0.4]
    compare(
        shown[2],
        right,
        what="x_0",
        dtype=torch.float32,
        slips={
            "The targets are the inputs themselves.": [0.5, 0.1],
            "The targets are those after the inputs in the order; the last ones were asked for.": [-0.9, 0.8],
            "This is the noise; the model has to say the picture.": [0.5, -2.0],
        },
    )
    right = [0.94, -1.52]
    compare(
        shown[1],
        right,
        what="x_t",
        dtype=torch.float32,
        slips={
            "The roots are missing: ᾱ and 1 − ᾱ are the shares of the variance.": [0.692, -0.976],
            "Signal and noise have changed places.": [0.88, -1.84],
            "The noise of other pictures: it is counted by their numbers.": [1.24, -1.52],
        },
    )
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
