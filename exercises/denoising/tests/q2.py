from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=2, hidden=False)
def test_wiring(tiny_unet):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    # Two features everywhere: whatever is wired wrongly still fits.
    sizes = {"in": (2, 1), "down": (2, 2), "halve": (2, 2), "middle": (2, 2)}
    sizes |= {"double": (2, 2), "up1": (2, 4), "up2": (2, 4), "out": (1, 2)}
    weights = {}
    for number, (name, size) in enumerate(sizes.items()):
        pattern = torch.arange(9 * size[0] * size[1]) * (2 * number + 3) % 23
        weights[name] = (pattern.reshape(*size, 3, 3) - 11) / 16
    x = torch.tensor([[[[1.0, -0.5, 0.25, 0.75], [-1.0, 0.5, 2.0, -1.5]]]])
    before, what = x.clone(), "tiny_unet(x, weights)"
    cat = "A kernel of the way up wants 2w channels: append the skip (torch.cat); do not add it, or leave it out."
    size = (
        'A skip has another size than the features. "halve" has stride 2, before "double" both sides are doubled,'
        " and what is pushed has the full size: push before the image is halved, append after it is doubled."
    )
    hints = {"channels, but got": cat, "Sizes of tensors must match": size, "must match the size": size}
    got = run(tiny_unet, x, weights, hints=hints)
    unchanged(before, x, what="x")
    right = [-0.2567, 1.3569, 0.6369, -0.2084, -0.7379, -0.3632, 2.5458, 0.9375]
    wrong = {
        "first in, first out": [0.3464, 0.5802, 0.0991, -0.1344, -0.5115, 0.3138, 0.5687, 1.0255],
        "last skip twice": [0.4513, 0.3662, -0.065, -0.0536, -0.389, 0.3278, 0.1991, 0.8044],
        "first skip twice": [-0.24, 1.5652, 0.81, -0.2755, -0.7999, -0.1842, 2.8886, 1.0929],
        "skip first": [-0.1805, 1.5898, -0.705, 1.263, -1.3105, 0.7029, 1.3401, -0.1062],
        "no skips": [-0.0255, -0.1012, -0.0002, 0.0254, 0.0237, 0.006, -0.0433, -0.0453],
        "skip after halving": [-0.1831, 0.5697, 0.5433, -0.4307, 0.0135, -0.6367, 1.3337, 0.3058],
        "doubled after the convolution": [-0.2765, 1.4524, 0.7025, -0.1223, -0.8223, -0.2843, 2.6658, 1.0064],
        "bilinear": [-0.2608, 1.3661, 0.6333, -0.2239, -0.7482, -0.3611, 2.5453, 0.9284],
        "pushed before SiLU": [-0.2956, 3.6986, 3.4234, 1.4942, -2.5579, 0.199, 6.329, 4.9114],
        "SiLU twice on skips": [-0.2514, 0.9912, 0.626, -0.3129, -0.5213, -0.4411, 2.0601, 0.7457],
        "SiLU after out": [-0.112, 1.0791, 0.4165, -0.0934, -0.2387, -0.149, 2.3607, 0.6736],
        "no SiLU when resizing": [-0.2679, 1.4475, 0.4457, -0.4824, -0.765, -0.3411, 2.5583, 0.6354],
        "no SiLU at all": [-7.3641, 9.6276, 2.5901, -1.9702, -7.9932, -0.3071, 18.5384, -3.037],
        "ReLU": [0.0169, 1.3524, 1.2483, -0.1701, -0.5148, -0.3279, 2.0686, 1.2587],
        "no middle": [-0.3007, 1.0984, 0.6655, -0.3922, -0.5787, -0.6141, 2.1197, 0.8737],
        "pooling": [-0.2719, 1.4197, 0.7725, -0.0949, -0.7988, -0.3126, 2.6195, 1.0691],
        "middle at full size": [-0.304, 1.5615, 0.7206, -0.1783, -0.8368, -0.2706, 2.7505, 0.8119],
        "up2 before up1": [0.5605, 1.288, -1.5352, 1.3673, -0.164, -0.5067, 2.0035, 0.3133],
    }
    reasons = {
        "first in, first out": "The skips are swapped: what was pushed last is appended first.",
        "last skip twice": "One skip was appended twice: take it off the pile, so that the other one is next.",
        "first skip twice": "One skip was appended twice, the first one that was pushed; each is used once.",
        "skip first": "The order in torch.cat is features first, then the skip.",
        "no skips": "You appended the features to themselves: the skips are missing.",
        "skip after halving": "The last skip was taken after halving: it has to hold the fine resolution.",
        "doubled after the convolution": "Doubling comes before its convolution: repeat the pixels, then convolve.",
        "bilinear": "The pixels are to be repeated (nearest neighbour), not interpolated linearly.",
        "pushed before SiLU": "What is pushed has been through SiLU already.",
        "SiLU twice on skips": "What was pushed went through SiLU once more before it was appended.",
        "SiLU after out": 'After "out" comes no SiLU: noise may be negative.',
        "no SiLU when resizing": 'SiLU is missing after "halve" and "double": only the last convolution goes without.',
        "no SiLU at all": "SiLU is missing: without it, eight convolutions are no more than one.",
        "ReLU": "The activation is SiLU, not ReLU.",
        "no middle": 'Nothing went through the kernel "middle".',
        "pooling": '"halve" is a convolution with stride 2, not a convolution and pooling.',
        "middle at full size": '"middle" works at the coarse resolution: double after it, not before.',
        "up2 before up1": 'The kernels "up1" and "up2" have changed places.',
    }
    shapes = {(1, 2, 2, 4): 'These are the features before the last convolution, "out".'}
    slips = {reasons[slip]: torch.tensor(values).reshape(1, 1, 2, 4) for slip, values in wrong.items()}
    right = torch.tensor(right).reshape(1, 1, 2, 4)
    compare(got, right, what=what, shapes=shapes, slips=slips, rtol=1e-3, atol=1e-4)


@test_case(points=1, hidden=False)
def test_dtype_device(tiny_unet):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    # Each kernel only looks at the pixel itself, so equal pixels stay equal.
    sizes = {"in": (5, 3), "down": (5, 5), "halve": (5, 5), "middle": (5, 5)}
    sizes |= {"double": (5, 5), "up1": (5, 10), "up2": (5, 10), "out": (3, 5)}
    weights = {name: torch.zeros(*size, 3, 3) for name, size in sizes.items()}
    for kernel in weights.values():
        kernel[:, :, 1, 1] = 0.25
    x = torch.full((2, 3, 8, 12), 0.5)
    right = torch.full((2, 3, 8, 12), 0.351364)
    cat = "A kernel of the way up wants 2w channels: append the skip (torch.cat); do not add it, or leave it out."
    size = (
        'A skip has another size than the features. "halve" has stride 2, before "double" both sides are doubled,'
        " and what is pushed has the full size: push before the image is halved, append after it is doubled."
    )
    hints = {"channels, but got": cat, "Sizes of tensors must match": size, "must match the size": size}
    got = run(tiny_unet, x, weights, hints=hints)
    compare(got, right, what="tiny_unet for two colour images and w = 5")
    doubles = {name: kernel.double() for name, kernel in weights.items()}
    got = run(tiny_unet, x.double(), doubles, hints=hints)
    compare(got, right.double(), what="tiny_unet for images and kernels in float64")
    moved = {name: kernel.to("meta") for name, kernel in weights.items()}
    follows_device(tiny_unet, x, moved, what="tiny_unet")
