from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_three_pairs(contrastive):
    import torch

    from minilib.grading.feedback import compare, run

    images = torch.tensor([[3.0, 4.0], [1.0, 0.0], [-0.6, 0.8]])
    texts = torch.tensor([[0.8, 0.6], [2.0, -1.0], [0.0, 5.0]])
    slips = {
        "Only pictures look for their texts here: add the texts' side, and halve.": torch.tensor(0.52093),
        "Only texts look for their pictures here: add the pictures' side, and halve.": torch.tensor(0.55112),
        "The features are not of unit length: normalise both along the last axis.": torch.tensor(10.53292),
        "The scale is 1/temperature: multiply by it.": torch.tensor(0.88511),
        "This is the sum of both directions; their mean is half of it.": torch.tensor(1.07206),
        "The features are normalised over the batch: each row by itself, dim=-1.": torch.tensor(1.1538),
    }
    shapes = {(3,): "One number for the batch: the mean over pairs.", (3, 3): "One number for the batch."}
    right = torch.tensor(0.53603)
    compare(
        run(contrastive, images, texts, 2.0), right, what="contrastive(images, texts, 2.0)", slips=slips, shapes=shapes
    )
