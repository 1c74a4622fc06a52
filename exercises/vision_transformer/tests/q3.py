from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=1, hidden=False)
def test_two_pictures_of_two_patches(sentence):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    patches = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]], [[3.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    weight = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
    bias, class_token = torch.tensor([0.5, -0.5]), torch.tensor([9.0, 8.0])
    positions = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    before = positions.clone()
    got = run(sentence, patches, weight, bias, class_token, positions)
    unchanged(before, positions, what="positions")
    slips = {
        "The class token is the last here; it must be the first.": [
            [[7.6, 1.7], [0.8, 0.9], [9.5, 8.6]],
            [[3.6, 6.7], [3.8, -0.1], [9.5, 8.6]],
        ],
        "The first row of the positions belongs to the class token: add it there, too.": [
            [[9.0, 8.0], [7.8, 1.9], [1.0, 1.1]],
            [[9.0, 8.0], [3.8, 6.9], [4.0, 0.1]],
        ],
        "The first row of the positions is the class token's, so the patches' begin with the second.": [
            [[9.0, 8.0], [7.6, 1.7], [0.8, 0.9]],
            [[9.0, 8.0], [3.6, 6.7], [3.8, -0.1]],
        ],
        "The bias b is missing.": [[[9.1, 8.2], [7.3, 2.4], [0.5, 1.6]], [[9.1, 8.2], [3.3, 7.4], [3.5, 0.6]]],
        "The positions are missing.": [[[9.0, 8.0], [7.5, 1.5], [0.5, 0.5]], [[9.0, 8.0], [3.5, 6.5], [3.5, -0.5]]],
        "The class token is no patch: it does not pass through E and b.": [
            [[9.6, 7.7], [7.8, 1.9], [1.0, 1.1]],
            [[9.6, 7.7], [3.8, 6.9], [4.0, 0.1]],
        ],
    }
    shapes = {(2, 2, 2): "There must be one token more than patches: the class token."}
    compare(
        got,
        [[[9.1, 8.2], [7.8, 1.9], [1.0, 1.1]], [[9.1, 8.2], [3.8, 6.9], [4.0, 0.1]]],
        what="sentence(...)",
        slips=slips,
        shapes=shapes,
    )
