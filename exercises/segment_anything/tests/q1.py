from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_two_points(encode):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    points = torch.tensor([[[3.0, 1.0], [13.0, 6.0]]])
    frequencies = torch.tensor([[0.3, -0.7], [0.8, 0.45]])
    before = points.clone()
    slips = {
        "These are corners of the pixels: their centres are half a pixel further.": [
            [[0.97237, 0.587785, 0.233445, 0.809017], [-0.522499, -0.97237, -0.85264, 0.233445]]
        ],
        "The shares go from 0 to 1 here; F is multiplied with 2p − 1, from −1 to 1.": [
            [[0.976766, -0.41866, 0.214309, 0.908143], [-0.571787, -0.987688, 0.820402, 0.156434]]
        ],
        "2π is missing: a frequency of 1 is a whole turn.": [
            [[-0.620006, 0.112263, 0.784597, 0.993679], [0.648985, -0.198669, 0.760801, 0.980067]]
        ],
        "This is π; a frequency of 1 is a whole turn, 2π.": [
            [[-0.862734, 0.346117, -0.505657, 0.938191], [0.797321, -0.587785, -0.603556, 0.809017]]
        ],
        "The cosines come first here: first all sines, then all cosines.": [
            [[-0.488621, 0.760406, 0.872496, 0.649448], [-0.27144, 0.309017, -0.962455, -0.951057]]
        ],
        "x was divided by the height and y by the width: size is (height, width).": [
            [[0.92388, -0.984427, -0.382683, -0.175796], [-0.382684, 0.999807, -0.923879, -0.019633]]
        ],
        "x and y have changed places: the first row of F belongs to x.": [
            [[0.760406, 0.916188, -0.649448, 0.400749], [-0.996917, -0.720854, -0.078459, 0.693087]]
        ],
        "Sines and cosines take turns here: first all sines, then all cosines.": [
            [[0.872496, -0.488621, 0.649448, 0.760406], [-0.962455, -0.27144, -0.951057, 0.309017]]
        ],
        "The half pixel is added to the shares; it belongs to the pixels.": [
            [[0.92388, -0.809017, -0.382684, 0.587785], [-0.92388, -0.233445, -0.382683, -0.97237]]
        ],
    }
    shapes = {(1, 2, 2): "Sines and cosines, side by side: twice the columns of F."}
    right = [[[0.872496, 0.649448, -0.488621, 0.760406], [-0.962455, -0.951057, -0.27144, 0.309017]]]
    got = run(encode, points, frequencies, (8, 16))
    unchanged(before, points, what="points")
    compare(got, right, what="encode(points, frequencies, (8, 16))", slips=slips, shapes=shapes)
