from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=1, hidden=False)
def test_one_update(ema_update):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, follows_device, run, unchanged

    average = [torch.tensor([1.0, 2.0]), torch.tensor([[4.0], [0.0]])]
    weights = [torch.tensor([3.0, -2.0]), torch.tensor([[0.0], [8.0]])]
    copies, what = [tensor.clone() for tensor in average], "ema_update(average, weights, 2)"
    got = run(ema_update, average, weights, 2)
    if got is None or got is Ellipsis:
        raise CheckFailed(f"{what} returned {got}: write your answer in place of the ... and return it")
    if not isinstance(got, list) or len(got) != 2:
        kind = f"a list of {len(got)}" if isinstance(got, list) else f"a value of type {type(got).__name__}"
        raise CheckFailed(f"{what}: expected a list of 2 tensors, one for each tensor of weights, got {kind}")
    for number in (0, 1):
        unchanged(copies[number], average[number], what=f"average[{number}]")
    right = [[2.5, -1.0], [[1.0], [6.0]]]
    slips = [
        {
            "The two factors have changed places: d belongs to the old average.": [1.5, 1.0],
            "The ramp has no effect: at this step d is still (1 + s)/(10 + s), which is less than decay.": [
                1.002,
                1.996,
            ],
            "These are the weights themselves; the average should only move towards them.": [3.0, -2.0],
            "This is the old average: it did not move.": [1.0, 2.0],
            "The two parts do not add up to a mean: the old average is multiplied by d.": [3.25, 0.5],
            "The two parts do not add up to a mean: the weights are multiplied by 1 − d.": [3.25, -1.5],
            "This is the plain mean of both: d is missing.": [2.0, 0.0],
        },
        {
            "Only the first tensor was averaged; all of them are to be.": [[4.0], [0.0]],
        },
    ]
    for number in (0, 1):
        compare(got[number], right[number], what=f"{what}[{number}]", slips=slips[number])
    double = run(ema_update, [average[0].double()], [weights[0].double()], 2)
    compare(double[0], right[0], what="ema_update for a list of one tensor in float64", dtype=torch.float64)
    there = [tensor.to("meta") for tensor in average]
    follows_device(ema_update, there, there, 2, what="ema_update")


@test_case(points=1, hidden=False)
def test_ramp(ema_update):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, run

    # From 1 towards 0: what comes out is d itself.
    found, what = [], "d at the steps 0, 2, 8, 20, 20000, with decay 0.6"
    for step in (0, 2, 8, 20, 20000):
        got = run(ema_update, [torch.ones(1)], [torch.zeros(1)], step, 0.6)
        if not isinstance(got, list) or len(got) != 1 or not isinstance(got[0], torch.Tensor):
            raise CheckFailed("ema_update for lists of one tensor: expected a list of one tensor")
        found.append(got[0])
    slips = {
        "max in place of min: decay is the most that d may be.": [0.6, 0.6, 0.6, 0.7, 0.99955],
        "The ramp has no effect: in the first steps d is (1 + s)/(10 + s). Are its brackets there?": [
            0.6,
            0.6,
            0.6,
            0.6,
            0.6,
        ],
        "The ramp does not end: d must not be larger than decay.": [0.1, 0.25, 0.5, 0.7, 0.99955],
        "The step was counted from 1: at step 0 d is 1/10.": [0.0, 0.181818, 0.470588, 0.6, 0.6],
        "The step was counted one too high: at step 0 d is 1/10.": [0.181818, 0.307692, 0.526316, 0.6, 0.6],
        "The two factors have changed places: d belongs to the old average.": [0.9, 0.75, 0.5, 0.4, 0.4],
        "The ramp is multiplied with decay; take the smaller of the two.": [0.06, 0.15, 0.3, 0.42, 0.59973],
        "Nothing is left of the old average: // rounds the ramp down to 0.": [0.0, 0.0, 0.0, 0.0, 0.0],
        "decay was ignored: you used 0.999 whatever it says.": [0.1, 0.25, 0.5, 0.7, 0.999],
    }
    compare(torch.cat(found), [0.1, 0.25, 0.5, 0.6, 0.6], what=what, slips=slips)
