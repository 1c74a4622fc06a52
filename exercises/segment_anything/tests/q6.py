from otter.test_files import test_case
OK_FORMAT = False
name = "q6"
points = None


@test_case(points=1, hidden=False)
def test_two_masks(stability):
    import torch

    from minilib.grading.feedback import compare, run

    logits = torch.tensor(
        [
            [[3.0, 2.5, 0.5, -4.0], [2.0, 4.0, -0.5, -3.0], [1.8, 1.2, -1.0, -2.5]],
            [[-3.0, 0.75, 2.0, 1.75], [-2.0, -0.5, 0.25, 1.0], [-4.0, -6.0, -1.25, 0.5]],
        ]
    )
    slips = {
        "The IoU is upside down: the smaller mask is the intersection.": [1.8, 4.0],
        "The larger mask is cut at 0 here; it is cut at −offset.": [0.714286, 0.333333],
        "The smaller mask is cut at 0 here; it is cut at +offset.": [0.777778, 0.75],
        "This is a share of all pixels; the union is the larger mask alone.": [0.416667, 0.166667],
        "Logits are cut, not probabilities: there is no sigmoid.": [0.0, 0.0],
        "This is the share of pixels that are sure, of inside or outside; it is the IoU of two masks.": [0.666667, 0.5],
        "All masks are counted together; each has a score of its own.": [0.411765, 0.411765],
        "This is dice; IoU has the union below the line.": [0.714286, 0.4],
    }
    shapes = {
        (): "One score for each mask: count along the last two axes.",
        (2, 4): "One score for each mask: count along the last two axes.",
        (2, 3): "One score for each mask: count along the last two axes.",
    }
    got = run(stability, logits, 1.5)
    compare(got, [0.555556, 0.25], what="stability(logits, 1.5)", between=(0.0, 1.0), slips=slips, shapes=shapes)
