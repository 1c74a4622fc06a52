from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_three_pictures_three_classes(classify):
    import torch

    from minilib.grading.feedback import compare, parts, run

    images = torch.tensor([[0.5, -0.2], [3.0, 4.0], [2.0, 3.0]])
    classes = torch.tensor([[0.6, 0.8], [1.0, 0.0], [-0.6, 0.8]])
    labels, confidence = parts(
        run(classify, images, classes, 4.0), ["labels", "confidence"], what="classify(images, classes, 4.0)"
    )
    if getattr(labels, "dtype", None) == torch.float32 and getattr(confidence, "dtype", None) == torch.int64:
        raise AssertionError("The two results are exchanged: first the labels, then the confidence.")
    wrong_labels = {
        "This is the best picture for each class: softmax and argmax over classes, the last axis.": [1, 0, 2],
        "These are the classes that fit least.": [2, 2, 2],
    }
    slips = {
        "The scale is 1/temperature: multiply cosines by it.": [0.40217, 0.36495, 0.36474],
        "The scale is missing: the probabilities are too even.": [0.595, 0.46359, 0.46392],
        "The pictures are not of unit length: these are no cosines.": [0.79465, 0.99966, 0.99827],
        "These are cosines; the softmax makes probabilities of them.": [0.92848, 1.0, 0.99846],
        "The softmax is over pictures; each picture's probabilities must sum to 1.": [0.6698, 0.48884, 0.48584],
    }
    swapped = {(3, 3): "One number for each picture: that of the best class."}
    compare(labels, torch.tensor([1, 0, 0]), what="labels", slips=wrong_labels, shapes=swapped)
    compare(confidence, [0.93478, 0.79489, 0.80694], what="confidence", slips=slips, shapes=swapped)
