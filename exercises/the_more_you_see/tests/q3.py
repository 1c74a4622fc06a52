from otter.test_files import test_case
OK_FORMAT = False
name = "q3"
points = None


@test_case(points=2, hidden=False)
def test_three_views(best_places):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, parts, run

    errors = torch.tensor(
        [
            [
                [0.10000000149011612, 0.8999999761581421, 0.800000011920929],
                [0.699999988079071, 0.6000000238418579, 0.8999999761581421],
                [0.800000011920929, 0.699999988079071, 0.5],
                [0.8999999761581421, 0.800000011920929, 0.699999988079071],
            ],
            [
                [0.6000000238418579, 0.5, 0.8999999761581421],
                [0.30000001192092896, 0.800000011920929, 0.8999999761581421],
                [0.8999999761581421, 0.20000000298023224, 0.800000011920929],
                [0.800000011920929, 0.8999999761581421, 0.30000001192092896],
            ],
            [
                [0.5, 0.4000000059604645, 0.5],
                [0.4000000059604645, 0.5, 0.4000000059604645],
                [0.5, 0.5, 0.5],
                [0.5, 0.4000000059604645, 0.5],
            ],
        ]
    )
    assumption, places = parts(run(best_places, errors), ("assumption", "places"), what="best_places(errors)")
    if isinstance(assumption, torch.Tensor) and assumption.ndim == 0:
        assumption = assumption.item()
    if not isinstance(assumption, int) or isinstance(assumption, bool):
        raise CheckFailed(f"the assumption: expected an int, got {type(assumption).__name__}")
    reasons = {
        0: "this one has the smallest single error; it has to serve all views",
        2: "places are averaged, shared by all views, or the worst ones; each view takes its best place",
    }
    if assumption != 1:
        reason = reasons.get(assumption, "take the sum over views of each view's smallest error")
        raise CheckFailed(f"the assumption: expected 1, got {assumption}: {reason}")
    right = [1, 2, 3]
    compare(
        places,
        right,
        what="the places",
        dtype=torch.int64,
        slips={
            "Each view takes its place under its own favourite assumption; the first camera stood in one place.": [
                0,
                2,
                3,
            ],
            "All views get one place; each has its own.": [2, 2, 2],
            "These are the places with the largest errors.": [2, 3, 0],
        },
    )
