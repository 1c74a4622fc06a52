from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_three_prompts_three_masks(best_of_three):
    import torch

    from minilib.grading.feedback import compare, run

    losses = torch.tensor([[0.9, 0.4, 1.3], [2.0, 1.1, 0.7], [0.3, 0.8, 0.6]])
    predicted = torch.tensor([[0.5, 0.7, 0.9], [0.4, 0.8, 0.6], [0.2, 0.3, 0.95]])
    logits = torch.tensor(
        [  # pictures one pixel high and four wide
            [[[2.0, 1.0, -1.0, 0.3]], [[1.5, 3.0, -0.5, -2.0]], [[-1.0, 0.2, 2.0, 1.0]]],
            [[[-2.0, 1.0, 0.4, -1.0]], [[0.1, 2.0, 1.0, 3.0]], [[-1.0, -2.0, 1.0, 0.2]]],
            [[[1.0, -0.3, 2.0, 1.0]], [[-1.0, 0.4, -2.0, 1.0]], [[2.0, -1.0, 0.3, -3.0]]],
        ]
    )
    target = torch.tensor([[[True, True, False, False]], [[False, False, True, True]], [[True, False, True, True]]])
    hints = {
        "bool tensor": "Arithmetic with bool masks stops; & and | are what it takes.",
        "must match the size": "The target is (p, h, w): give it an axis for the masks.",
    }
    slips = {
        "This is the mean over masks: only the best mask of each prompt learns.": torch.tensor(1.068611),
        "The smallest losses are looked for among prompts, not among the masks of one.": torch.tensor(0.601944),
        "These are the largest losses; the mask with the smallest one learns.": torch.tensor(1.535278),
        "The smallest losses are added up; take their mean.": torch.tensor(1.568611),
        "The mask is chosen by its predicted IoU; here the target is known, the loss chooses.": torch.tensor(1.168611),
        "Only the best mask's IoU is learned; the bad ones have to be known as bad, too.": torch.tensor(0.763333),
        "The IoU is that of probabilities; first cut the masks, logits > 0.": torch.tensor(0.58214),
        "The masks are cut at 0.5; a logit of 0 is a probability of 0.5.": torch.tensor(0.728796),
        "This is dice, with the sum of both areas below the line; IoU has the union.": torch.tensor(0.610031),
        "The error of the IoUs is not squared.": torch.tensor(0.801852),
        "The errors of the IoUs are summed; take their mean.": torch.tensor(1.984167),
        "The error of the IoUs is missing.": torch.tensor(0.466667),
        "The target is lined up with masks, not with prompts: it needs the shape (p, 1, h, w).": torch.tensor(0.562284),
    }
    shapes = {(3,): "One number for the batch: the mean over prompts.", (3, 3): "One number for the batch."}
    right = torch.tensor(0.635278)
    got = run(best_of_three, losses, predicted, logits, target, hints=hints)
    compare(got, right, what="best_of_three(losses, predicted, logits, target)", slips=slips, shapes=shapes)
