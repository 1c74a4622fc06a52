from otter.test_files import test_case
OK_FORMAT = False
name = "q2"
points = None


@test_case(points=1, hidden=False)
def test_two_texts(pooled):
    import torch

    from minilib.grading.feedback import compare, run

    tokens = torch.arange(20.0).reshape(2, 5, 2)
    ids = torch.tensor([[1, 9, 7, 7, 7], [1, 3, 4, 7, 0]])
    slips = {
        "These are the last tokens of the rows, behind the end marks: find the marks.": [[8.0, 9.0], [18.0, 19.0]],
        "These are the first tokens, which have seen nothing of the text.": [[0.0, 1.0], [10.0, 11.0]],
        "Numbers of pieces can be larger than the end mark's: compare with end.": [[2.0, 3.0], [16.0, 17.0]],
        "In the first text this is the last of several end marks; take the first.": [[8.0, 9.0], [16.0, 17.0]],
        "This is the mean over all tokens; take the one at the end mark.": [[4.0, 5.0], [14.0, 15.0]],
        "These tokens stand before the end marks, and do not know the texts are over.": [[2.0, 3.0], [14.0, 15.0]],
    }
    shapes = {(2, 2, 2): "Each text needs a token of its own: index rows and places together."}
    right = [[4.0, 5.0], [16.0, 17.0]]
    compare(run(pooled, tokens, ids, 7), right, what="pooled(tokens, ids, 7)", slips=slips, shapes=shapes)
