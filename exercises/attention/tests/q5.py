from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=1, hidden=False)
def test_four_tokens(window_mask):
    import torch

    from minilib.grading.feedback import compare, run

    slips = {
        "This one looks ahead: rows are queries, columns are keys.": [
            [True, True, False, False],
            [False, True, True, False],
            [False, False, True, True],
            [False, False, False, True],
        ],
        "One token too many: the window counts the token itself.": [
            [True, False, False, False],
            [True, True, False, False],
            [True, True, True, False],
            [False, True, True, True],
        ],
        "It looks both ways: keys after the query are not allowed.": [
            [True, True, False, False],
            [True, True, True, False],
            [False, True, True, True],
            [False, False, True, True],
        ],
        "A token may look at itself.": [
            [False, False, False, False],
            [True, False, False, False],
            [True, True, False, False],
            [False, True, True, False],
        ],
        "The other way round: True is where a query MAY look.": [
            [False, True, True, True],
            [False, False, True, True],
            [True, False, False, True],
            [True, True, False, False],
        ],
    }
    slips = {reason: torch.tensor(wrong).double() for reason, wrong in slips.items()}
    compare(
        run(window_mask, 4, 2),
        [
            [True, False, False, False],
            [True, True, False, False],
            [False, True, True, False],
            [False, False, True, True],
        ],
        what="window_mask(4, 2)",
        dtype=torch.bool,
        slips=slips,
    )
