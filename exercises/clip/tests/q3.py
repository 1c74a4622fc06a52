from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_two_prompts(ensemble):
    import torch

    from minilib.grading.feedback import compare, run

    features = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[10.0, 0.0], [-6.0, 8.0]]])
    slips = {
        "The mean is taken before the features are of unit length: long ones count for more.": [
            [0.95578, 0.29409],
            [-0.5145, 0.85749],
        ],
        "The mean of unit features is shorter than 1: normalise again.": [[0.8, 0.4], [-0.3, 0.9]],
        "Nothing is normalised here.": [[6.5, 2.0], [-3.0, 5.0]],
        "The mean goes over prompts, the first axis, not over classes.": [[0.31623, 0.94868], [0.44721, 0.89443]],
        "The lengths are taken over classes: normalise along the last axis.": [[0.96371, 0.52573], [-0.26693, 0.85065]],
    }
    shapes = {
        (2, 2, 2): "The prompts are still there: take the mean over them.",
        (2,): "One feature for each class: take the mean over the prompts alone.",
    }
    right = [[0.89443, 0.44721], [-0.31623, 0.94868]]
    compare(run(ensemble, features), right, what="ensemble(features)", slips=slips, shapes=shapes)
