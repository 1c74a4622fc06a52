from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_two_images(guided_noise):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    with_label = torch.tensor([[[[1.0, -0.5]], [[0.5, 2.0]]], [[[-1.0, 0.25]], [[0.75, -2.0]]]])
    without_label = torch.tensor([[[[0.5, -1.0]], [[-0.5, 1.5]]], [[[-0.25, 1.0]], [[0.25, -1.5]]]])
    both = torch.cat([with_label, without_label])
    before = both.clone()
    got = run(guided_noise, both, 3.0)
    unchanged(before, both, what="both")
    right = [[[[2.0, 0.5]], [[2.5, 3.0]]], [[[-2.5, -1.25]], [[1.75, -3.0]]]]
    shapes = {
        (4, 2, 1, 2): "The two halves become one prediction for each image.",
        (4, 1, 1, 2): "You cut along the channels; the halves lie along the first axis, the batch.",
        (4, 2, 1, 1): "You cut along the columns; the halves lie along the first axis, the batch.",
    }
    slips = {
        "You used guidance_scale as the paper's w: at 1 the prediction with the label has to come out as it is.": [
            [[[2.5, 1.0]], [[3.5, 3.5]]],
            [[[-3.25, -2.0]], [[2.25, -3.5]]],
        ],
        "The halves have changed places: the first one is the prediction with the label.": [
            [[[-0.5, -2.0]], [[-2.5, 0.5]]],
            [[[1.25, 2.5]], [[-0.75, -0.5]]],
        ],
        "The direction is reversed: it leads from the prediction without the label to the one with it.": [
            [[[-1.0, -2.5]], [[-3.5, 0.0]]],
            [[[2.0, 3.25]], [[-1.25, 0.0]]],
        ],
        "You took every other image; the first half of the batch has the label, the second has not.": [
            [[[5.0, -2.0]], [[0.0, 10.0]]],
            [[[2.0, -5.0]], [[-2.0, 7.5]]],
        ],
        "The start is missing: the prediction without the label is to be added.": [
            [[[1.5, 1.5]], [[3.0, 1.5]]],
            [[[-2.25, -2.25]], [[1.5, -1.5]]],
        ],
        "Only the prediction with the label was multiplied; multiply the difference of the two.": [
            [[[2.5, -0.5]], [[2.0, 4.5]]],
            [[[-2.75, -0.25]], [[2.0, -4.5]]],
        ],
        "This is the prediction with the label, whatever guidance_scale is.": [
            [[[1.0, -0.5]], [[0.5, 2.0]]],
            [[[-1.0, 0.25]], [[0.75, -2.0]]],
        ],
        "You took 1 from guidance_scale: that gives w, and w counts from the prediction with the label.": [
            [[[1.5, 0.0]], [[1.5, 2.5]]],
            [[[-1.75, -0.5]], [[1.25, -2.5]]],
        ],
    }
    compare(got, right, what="guided_noise(both, 3.0)", shapes=shapes, slips=slips)


@test_case(points=0.5, hidden=False)
def test_to_guidance_scale(to_guidance_scale):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    w = torch.tensor([0.0, 0.5, 2.0, -1.0])
    before = w.clone()
    got = run(to_guidance_scale, w)
    unchanged(before, w, what="w")
    slips = {
        "This is w itself: w = 0 is no guidance, and so is guidance_scale = 1.": [0.0, 0.5, 2.0, -1.0],
        "This converts the other way, from guidance_scale to w.": [-1.0, -0.5, 1.0, -2.0],
        "The sign of w is the other way round: more w is more guidance.": [1.0, 0.5, -1.0, 2.0],
        "No guidance is right, but w = −1 ignores the label: there guidance_scale is 0.": [1.0, 2.0, 5.0, -1.0],
    }
    compare(got, [1.0, 1.5, 3.0, 0.0], what="to_guidance_scale(w)", slips=slips)


@test_case(points=0.5, hidden=False)
def test_dtype_device(guided_noise):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    both = torch.cat([torch.full((3, 2, 4, 5), 0.75), torch.full((3, 2, 4, 5), -0.5)])
    ignored, as_is = "guided_noise with guidance_scale 0 (ignores the label)", "guided_noise with guidance_scale 1"
    compare(run(guided_noise, both, 0.0), torch.full((3, 2, 4, 5), -0.5), what=ignored)
    right = torch.full((3, 2, 4, 5), 0.75)
    compare(run(guided_noise, both, 1.0), right, what=f"{as_is} (no guidance)")
    compare(run(guided_noise, both.double(), 1.0), right.double(), what=f"{as_is}, predictions in float64")
    follows_device(guided_noise, both, 2.0, what="guided_noise")
