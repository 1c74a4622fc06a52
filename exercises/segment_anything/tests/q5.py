from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=1, hidden=False)
def test_a_small_picture(next_click):
    import torch

    from minilib.grading.feedback import compare, compare_int, parts, run

    prediction = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]], dtype=torch.bool)
    target = torch.tensor([[0, 1, 1, 0, 0], [0, 0, 1, 0, 1], [1, 0, 1, 0, 0], [0, 0, 1, 0, 0]], dtype=torch.bool)
    names = ["x", "y", "label"]
    hints = {"IndexError": "Where nothing is wrong there is no pixel to take: return (0, 0, -1)."}
    slips = {
        "(row, column) is (y, x): x comes first.": [[1, 4, 1], [2, 4, 0]],
        "The label is that of the prediction; 1 stands for what it missed.": [[4, 1, 0], [4, 2, 1]],
        "The label is always 1; it is 0 where the prediction says too much.": [[4, 1, 1], [4, 2, 1]],
        "Only missed pixels are counted; false ones are wrong, too.": [[4, 1, 1], [0, 2, 1]],
        "Only false pixels are counted; missed ones are wrong, too.": [[3, 2, 0], [4, 2, 0]],
        "Pixels of either mask are counted; wrong are those where the two differ.": [[2, 1, 1], [3, 2, 0]],
        "These pixels are counted column by column; count row by row.": [[2, 0, 1], [4, 1, 1]],
        "uk is rounded; take the floor, so that all pixels are equally likely.": [[0, 2, 1], [4, 2, 0]],
        "These are the right pixels; the click goes where something is wrong.": [[2, 1, 1], [2, 2, 1]],
    }
    clicks = []
    for u in (0.4, 0.7):
        got = parts(
            run(next_click, prediction, target, u, hints=hints), names, what="next_click(prediction, target, u)"
        )
        for name, value in zip(names, got, strict=True):
            compare_int(value, value if isinstance(value, int) else 0, what=name)  # its type alone
        clicks.append(list(got))
    what = "(x, y, label) for u = 0.4 and u = 0.7"
    compare(torch.tensor(clicks), torch.tensor([[4, 1, 1], [4, 2, 0]]), what=what, slips=slips)
    got = parts(run(next_click, target, target, 0.3, hints=hints), names, what="next_click(target, target, 0.3)")
    slips = {"Label 0 would say that there is no mask here; −1 says that there is no click.": [0, 0, 0]}
    compare(torch.tensor(got), torch.tensor([0, 0, -1]), what="(x, y, label) where nothing is wrong", slips=slips)
