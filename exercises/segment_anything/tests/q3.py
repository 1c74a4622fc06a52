from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_two_prompts_two_masks(mask_losses):
    import torch

    from minilib.grading.feedback import compare, run

    logits = torch.tensor([[[[2.0, -1.0, 0.5]], [[-0.5, 1.5, 1.0]]], [[[0.25, 3.0, -2.0]], [[-1.5, 0.75, 2.5]]]])
    target = torch.tensor([[[True, False, True]], [[False, True, True]]])  # pictures one pixel high
    hints = {
        "bool tensor": "Arithmetic needs numbers: bring the target to the type of the logits.",
        "must match the size": "The target is (p, h, w): give it an axis for the masks.",
    }
    slips = {
        "α is exchanged: pixels inside weigh 0.25, those outside 0.75.": [[0.545096, 4.242719], [9.007617, 0.333543]],
        "α is missing: pixels inside weigh 0.25, those outside 0.75.": [[0.774014, 10.595864], [13.063088, 0.43418]],
        "(1 − p_t)² looks away from what is right already; this is p_t².": [[1.467814, 1.140464], [1.237096, 1.203878]],
        "(1 − p_t)² is not squared here.": [[0.905215, 8.453032], [5.769405, 0.521556]],
        "Without (1 − p_t)² this is cross-entropy.": [[2.728431, 10.999547], [8.077182, 1.904341]],
        "The dice has no 2: what is shared counts twice above the line.": [[0.704369, 6.925105], [4.608386, 0.556662]],
        "The dice cuts the masks at 0 and so cannot be learned from: it takes s as it is.": [
            [0.228919, 6.753145],
            [4.455472, 0.100636],
        ],
        "The focal loss is summed; it is the mean over pixels.": [[0.847203, 19.406353], [12.488041, 0.422915]],
        "The dice is without its 1 above and below the line.": [[0.4319, 6.788423], [4.465603, 0.253606]],
        "The 20 belongs to the focal loss alone.": [[3.43786, 13.291492], [10.487989, 2.52076]],
        "The focal loss counts 20 times.": [[0.171893, 0.664575], [0.524399, 0.126038]],
        "The dice is upside down: 1 − overlap is to be small.": [[1.068472, 7.006228], [4.733846, 0.97963]],
        "The target is lined up with masks, not with prompts: it needs the shape (p, 1, h, w).": [
            [0.389366, 0.555068],
            [17.255653, 0.221642],
        ],
    }
    shapes = {
        (2,): "One loss for each mask of each prompt: sums and means are over pixels alone.",
        (): "One loss for each mask of each prompt: sums and means are over pixels alone.",
    }
    right = [[0.389366, 6.700062], [4.377098, 0.221642]]
    got = run(mask_losses, logits, target, hints=hints)
    compare(got, right, what="mask_losses(logits, target)", slips=slips, shapes=shapes)
    wrong = torch.tensor([[[[100.0, -100.0]]]])
    got = run(mask_losses, wrong, torch.tensor([[[False, True]]]), hints=hints)
    compare(got, [[1000.666687]], what="mask_losses of logits ±100, all wrong")
