from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=1, hidden=False)
def test_two_pictures_three_keys(tip):
    import torch

    from minilib.grading.feedback import compare, run

    images = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    classes = torch.tensor([[0.0, 1.0], [0.8, 0.6]])
    keys = torch.tensor([[0.6, 0.8], [0.8, -0.6], [1.0, 0.0]])
    labels = torch.tensor([0, 1, 1])
    slips = {
        "Likeness must fall with the distance: there is a minus before beta.": [[4.6, 20.83142], [5.46636, 8.64958]],
        "The zero-shot logits are missing: the memory is added to them.": [[3.0, 2.31583], [1.64644, 5.22246]],
        "The zero-shot part is not scaled: cosines times s.": [[3.8, 3.27583], [1.64644, 6.02246]],
        "alpha belongs to the memory, not to the zero-shot part.": [[5.8, 6.53194], [0.54881, 6.54082]],
        "The likeness is the plain cosine here: exp(-beta (1 - cosine)).": [[4.6, 3.72], [1.8, 7.0]],
        "The likeness is made a softmax over keys; the paper takes the exponentials as they are.": [
            [3.29306, 3.22694],
            [0.71908, 3.88092],
        ],
        "Each class has the mean of its keys here; they are summed.": [[4.6, 3.07791], [1.64644, 4.21123]],
    }
    shapes = {(2, 3): "One logit for each class: the keys' likeness goes to their classes by L."}
    right = [[4.6, 4.23583], [1.64644, 6.82245]]
    hints = {"same dtype": "one_hot makes integers: bring them to the features' type."}
    got = run(tip, images, classes, keys, labels, 2.0, 3.0, 1.5, hints=hints)
    compare(got, right, what="tip(images, classes, keys, labels, 2.0, 3.0, 1.5)", slips=slips, shapes=shapes)
