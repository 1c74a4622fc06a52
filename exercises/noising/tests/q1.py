from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_four_steps(linear_alphas_cumprod):
    import torch

    from minilib.grading.feedback import compare, run

    right = [0.9, 0.72, 0.504, 0.3024]
    shapes = {(5,): "One value for each of the T steps: the clean image has no index."}
    slips = {
        "You added the factors up; what is left after several steps is their product.": [0.9, 1.7, 2.4, 3.0],
        "You subtracted the sum of the β; the factors 1 − β have to be multiplied.": [0.9, 0.7, 0.4, 0.0],
        "You multiplied the β; what each step keeps of the variance is 1 − β.": [0.1, 0.02, 0.006, 0.0024],
        "These are the factors of the single steps; they still have to be multiplied up.": [0.9, 0.8, 0.7, 0.6],
        "Shifted by one: index 0 has been noised once already, the clean image has no index.": [1, 0.9, 0.72, 0.504],
        "The last β is not beta_end: both ends of the line are included.": [0.9, 0.7425, 0.556875, 0.375891],
        "This is the square root of what was asked for.": [0.948683, 0.848528, 0.70993, 0.549909],
        "The β are evenly spaced themselves, not their square roots.": [0.9, 0.74, 0.534444, 0.320667],
    }
    what, kind, between = "linear_alphas_cumprod(4, 0.1, 0.4)", torch.float64, (0.0, 1.0)
    got = run(linear_alphas_cumprod, 4, 0.1, 0.4)
    compare(got, right, what=what, dtype=kind, between=between, shapes=shapes, slips=slips)
    last = "the last of a thousand values, to seven digits (make the β in float64; converting the product is too late)"
    compare(run(linear_alphas_cumprod, 1000)[-1:], [4.03582976537568e-05], what=last, dtype=kind, rtol=1e-7, atol=0.0)
