from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=1, hidden=False)
def test_two_tokens_three_pixels(two_way):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    tokens = torch.tensor([[[1.0, -0.5], [0.25, 2.0]]])
    image = torch.tensor([[[0.5, 1.0], [-1.0, 0.75], [2.0, -0.25]]])
    token_positions = torch.tensor([[[0.5, 1.0], [-1.0, 0.25]]])
    image_positions = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]])
    before = tokens.clone(), image.clone()
    got = run(two_way, tokens, image, token_positions, image_positions)
    new_tokens, new_image = parts(got, ["tokens", "image"], what="two_way(tokens, image, ...)")
    unchanged(before[0], tokens, what="tokens")
    unchanged(before[1], image, what="image")
    slips = {
        "Values have no positions: what is asked answers with itself alone.": [
            [[2.761487, -0.217579], [-0.885383, 3.716882]]
        ],
        "The tokens are replaced; what they read is added to them.": [[[1.131306, 0.437801], [-0.816547, 0.77905]]],
        "The scale is missing: divide the scores by √d.": [[[2.14158, -0.04519], [-0.664828, 2.764096]]],
        "The softmax is over those who ask; for each query, weights of keys sum to 1.": [
            [[3.29254, -0.111137], [-0.54254, 3.111137]]
        ],
        "Neither queries nor keys have positions here.": [[[2.551285, -0.472695], [0.480791, 2.765586]]],
        "The keys have no positions here: pixels need theirs, too.": [[[2.525651, -0.41914], [-0.08915, 2.823806]]],
        "The positions stay in the result; they are added for asking alone.": [
            [[2.631306, 0.937801], [-1.566547, 3.02905]]
        ],
    }
    swapped = {(1, 3, 2): "The two results are exchanged: first the tokens, then the picture."}
    what = "tokens of two_way(tokens, image, ...)"
    compare(new_tokens, [[[2.131306, -0.062199], [-0.566547, 2.77905]]], what=what, slips=slips, shapes=swapped)
    slips = {
        "The picture reads the old tokens; it is its turn after theirs.": [
            [[1.22217, 1.4261], [-0.742173, 2.72391], [2.995573, -0.735245]]
        ],
        "The picture's keys are the old tokens; only its values are the new ones.": [
            [[1.631913, 1.990313], [-1.538392, 3.499399], [4.115383, -0.29543]]
        ],
        "The picture is replaced; what it reads is added to it.": [
            [[1.870412, 0.212562], [-0.564186, 2.776564], [2.130772, -0.061637]]
        ],
        "The values of the new tokens have positions here; they must not.": [
            [[2.725355, 2.140034], [-2.562874, 3.77722], [4.630475, 0.688215]]
        ],
        "The picture is as it was: it reads the tokens, too.": [[[0.5, 1.0], [-1.0, 0.75], [2.0, -0.25]]],
    }
    compare(
        new_image,
        [[[2.370412, 1.212562], [-1.564186, 3.526564], [4.130772, -0.311637]]],
        what="image of two_way(tokens, image, ...)",
        slips=slips,
    )
