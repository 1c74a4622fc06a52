from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_two_memories_one_pointer(look_back):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    memories = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]], [[2.0, 1.0, 0.0], [0.0, 0.0, -1.0]]])
    times, pointers = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, -0.5]]), torch.tensor([[1.0, 1.0, 2.0]])
    before = x.clone()
    slips = {
        "Times are in the values, too; they belong to the keys alone.": [
            [2.1998, 0.74014, 3.56992],
            [0.91729, 2.52342, -1.46727],
        ],
        "Times are missing: add them to the keys.": [[2.06618, 0.82307, 3.46773], [0.59622, 2.10567, -1.01236]],
        "Times are lined up with places: they need the shape (m, 1, d).": [
            [2.17162, 0.67083, 3.23896],
            [0.25904, 2.2049, -1.19095],
        ],
        "Each memory has a softmax of its own; there is one for all, pointers included.": [
            [4.66898, 2.2103, 4.75933],
            [2.15033, 4.19935, 0.65033],
        ],
        "The pointers are forgotten.": [[1.95651, 0.36775, 2.74611], [0.78901, 1.79782, -1.33851]],
        "The products are not divided by √d.": [[1.99262, 0.65164, 3.57438], [0.84776, 1.73082, -1.38127]],
        "The products are divided by d, not by its root.": [[1.95291, 0.7573, 3.11483], [0.78231, 1.8338, -1.03451]],
        "This is what the tokens gather; it is added to them.": [
            [0.97835, 0.6853, 1.37589],
            [0.79902, 0.80742, -0.22753],
        ],
        "The softmax is over the frame's tokens; each of them spreads its weights over keys.": [
            [3.53146, 2.26573, 4.86885],
            [1.46854, 2.73427, -1.86885],
        ],
        "The memories are blended before they are asked.": [[2.07658, 0.8958, 3.61833], [0.50568, 1.86835, -0.95984]],
        "The frame itself is among the keys and values; only memories and pointers are.": [
            [1.97983, 0.45936, 3.56946],
            [0.63764, 1.8307, -1.34172],
        ],
    }
    right = [[1.97835, 0.6853, 3.37589], [0.79902, 1.80742, -1.22753]]
    got, what = run(look_back, x, memories, times, pointers), "look_back(x, memories, times, pointers)"
    compare(got, right, what=what, slips=slips, shapes={(2, 5): "These are weights: values are still missing."})
    unchanged(before, x, what="x")
