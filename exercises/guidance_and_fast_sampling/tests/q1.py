from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_six_of_fourteen(trailing_times):
    import torch

    from minilib.grading.feedback import compare, run

    right = [13, 11, 8, 6, 4, 1]
    shapes = {
        (7,): "n times were asked for: the step after the last one goes to the clean image, which has no time.",
        (14,): "Only n of the T times are visited.",
    }
    slips = {
        "These are the paper's times, from 1 to T: index t of the code is the paper's step t + 1.": [
            14,
            12,
            9,
            7,
            5,
            2,
        ],
        "The times rise: a sampler starts with the noisiest, so they have to fall.": [1, 4, 6, 8, 11, 13],
        "This is leading spacing, which ends at 0 but starts too early; start at T − 1.": [10, 8, 6, 4, 2, 0],
        "This is leading spacing, rounded: it starts too early; start at T − 1.": [12, 9, 7, 5, 2, 0],
        "This spacing includes both T − 1 and 0, so its stride is (T − 1)/(n − 1), not T/n.": [13, 10, 8, 5, 3, 0],
        "The stride is T/n, here 14/6. You rounded it down to a whole number.": [13, 11, 9, 7, 5, 3],
        "Each time is rounded to the nearest whole number, not cut off.": [13, 10, 8, 6, 3, 1],
        "Each time is rounded to the nearest whole number, not up.": [13, 11, 9, 6, 4, 2],
    }
    got = run(trailing_times, 14, 6)
    compare(got, right, what="trailing_times(14, 6)", dtype=torch.int64, between=(0, 13), shapes=shapes, slips=slips)


@test_case(points=1, hidden=False)
def test_long_lists(trailing_times):
    import torch

    from minilib.grading.feedback import compare, run

    right = [999, 749, 499, 249]
    compare(run(trailing_times, 1000, 4), right, what="trailing_times(1000, 4)", dtype=torch.int64, rtol=0.0, atol=0.1)
    compare(run(trailing_times, 3, 3), [2, 1, 0], what="trailing_times(3, 3)", dtype=torch.int64)
    right = [
        99,
        96,
        92,
        89,
        85,
        82,
        78,
        75,
        71,
        68,
        65,
        61,
        58,
        54,
        51,
        47,
        44,
        40,
        37,
        33,
        30,
        27,
        23,
        20,
        16,
        13,
        9,
        6,
        2,
    ]
    shapes = {(30,): "One time too many: 100/29 is not stored exactly, so count the times instead of walking to 0."}
    what, kind = "trailing_times(100, 29)", torch.int64
    compare(run(trailing_times, 100, 29), right, what=what, dtype=kind, shapes=shapes, rtol=0.0, atol=0.1)
