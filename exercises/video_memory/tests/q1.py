from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_forwards(looks_at):
    from minilib.grading.feedback import run

    prompted, tracked = [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1]
    what = "looks_at(10, [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1], 5)"
    right = [(0, 0), (0, 13), (1, 9), (4, 6)]
    slips = {
        "This looks into the future: tracking comes from the frames before.": [
            (0, 0),
            (0, 13),
            (1, 11),
            (2, 12),
            (4, 14),
        ],
        "This looks to both sides; only frames before it are neighbours.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (1, 11),
            (2, 12),
            (4, 6),
            (4, 14),
        ],
        "Prompted frames do not count: there are num_memories - 1 neighbours beside them.": [(0, 0), (0, 13), (1, 9)],
        "These are the oldest tracked frames; neighbours are nearest.": [
            (0, 0),
            (0, 13),
            (9, 1),
            (8, 2),
            (7, 3),
            (6, 4),
        ],
        "Frame 10 looks at itself here.": [(0, 0), (0, 10), (0, 13), (1, 9), (4, 6)],
        "Nothing takes the place of a neighbour that was not tracked.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (4, 6),
            (5, 5),
            (6, 4),
        ],
        "Frames 7 and 8 were not tracked: there is no memory of them.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (2, 8),
            (3, 7),
            (4, 6),
        ],
        "One too many: the farthest neighbour is num_memories - 1 frames away.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (4, 6),
            (5, 5),
        ],
        "The neighbours come nearest first.": [(0, 0), (0, 13), (4, 6), (1, 9)],
        "Frames with prompts come first.": [(1, 9), (4, 6), (0, 0), (0, 13)],
        "The distance of a frame that had a prompt is written as 0.": [(10, 0), (3, 13), (1, 9), (4, 6)],
        "A frame that had a prompt is looked at wherever it is, in the future, too.": [(0, 0), (1, 9), (4, 6)],
    }
    got = run(looks_at, 10, prompted, tracked, 5)
    if not isinstance(got, list):
        kind = type(got).__name__
        raise AssertionError(f"{what}: expected a list of pairs, got {kind}: write your answer in place of the ...")
    pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in got]
    if pairs != right:
        reasons = [reason for reason, wrong in slips.items() if pairs == wrong]
        raise AssertionError("\n".join([f"{what}: expected {right}, got {pairs}"[:400], *reasons[:1]]))


@test_case(points=1, hidden=False)
def test_in_reverse(looks_at):
    from minilib.grading.feedback import run

    prompted, tracked = [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1]
    what = "looks_at(10, [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1], 5, reverse=True)"
    right = [(0, 0), (0, 13), (1, 11), (2, 12), (4, 14)]
    slips = {
        "In reverse, tracking comes from the frames after.": [(0, 0), (0, 13), (1, 9), (4, 6)],
        "Frame 13 is here twice: one that had a prompt is no neighbour, too.": [
            (0, 0),
            (0, 13),
            (1, 11),
            (2, 12),
            (3, 13),
            (4, 14),
        ],
        "Distances are counted, not signed: 1, 2, ... in reverse, too.": [
            (0, 0),
            (0, 13),
            (-1, 11),
            (-2, 12),
            (-4, 14),
        ],
    }
    got = run(looks_at, 10, prompted, tracked, 5, reverse=True)
    if not isinstance(got, list):
        kind = type(got).__name__
        raise AssertionError(f"{what}: expected a list of pairs, got {kind}: write your answer in place of the ...")
    pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in got]
    if pairs != right:
        reasons = [reason for reason, wrong in slips.items() if pairs == wrong]
        raise AssertionError("\n".join([f"{what}: expected {right}, got {pairs}"[:400], *reasons[:1]]))
