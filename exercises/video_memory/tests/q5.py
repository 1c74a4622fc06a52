from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=1, hidden=False)
def test_seven_frames(clip_score):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    truth = [
        [[1, 1], [0, 0]],
        [[1, 1], [1, 0]],
        [[1, 1], [1, 1]],
        [[0, 0], [0, 0]],
        [[0, 0], [1, 1]],
        [[0, 0], [0, 0]],
        [[0, 1], [0, 1]],
    ]
    predicted = [
        [[1, 1], [1, 0]],
        [[1, 0], [1, 0]],
        [[1, 1], [1, 0]],
        [[0, 1], [0, 0]],
        [[0, 0], [0, 1]],
        [[0, 0], [0, 0]],
        [[1, 1], [1, 1]],
    ]
    truth, predicted = torch.tensor(truth).bool(), torch.tensor(predicted).bool()
    scores, before = torch.tensor([3.0, 0.2, 5.0, -1.0, 0.0, 2.0, 1.5]), predicted.clone()
    slips = {
        "The frame that had the prompt is counted; leave it out.": torch.tensor(0.65476),
        "The first frame is left out; the prompt was given on another one.": torch.tensor(0.65278),
        "Two empty masks agree: J is 1, not 0.": torch.tensor(0.30556),
        "This divides 0 by 0 where both masks are empty; J is 1 there.": torch.tensor(float("nan")),
        "The scores are not used: a frame out of sight counts as empty.": torch.tensor(0.55556),
        "All frames are put into one ratio; take J of each, then the mean.": torch.tensor(0.5),
        "Scores are logits: in sight is above 0, not above 0.5.": torch.tensor(0.52778),
        "A score of exactly 0 is not above 0: the mask counts as empty.": torch.tensor(0.72222),
        "This is 2 · shared / (predicted + true), Dice; J divides by the union.": torch.tensor(0.71111),
        "Frames out of sight are left out; they count, with an empty mask.": torch.tensor(0.70833),
        "True masks are emptied by the scores, too; only predicted ones are.": torch.tensor(0.80556),
        "This is the sum over frames, not the mean.": torch.tensor(3.83333),
    }
    shapes = {(7,): "One number for the clip: the mean over frames.", (6,): "One number for the clip: the mean."}
    right = torch.tensor(0.63889)
    got, what = run(clip_score, predicted, truth, scores, 2), "clip_score(predicted, truth, scores, 2)"
    compare(got, right, what=what, slips=slips, shapes=shapes)
    unchanged(before, predicted, what="predicted")
