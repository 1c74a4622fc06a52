from otter.test_files import test_case
OK_FORMAT = False
name = "q4"
points = None


@test_case(points=1, hidden=False)
def test_three_types(min_snr_weights):
    import torch

    from minilib.grading.feedback import compare, run

    alphas_cumprod = torch.tensor([0.9, 0.8, 0.5, 0.1], dtype=torch.float64)  # SNR 9, 4, 1, 1/9
    t = torch.tensor([3, 0, 1, 2, 0])
    shapes = {(4,): "This has one weight for each of the T times; the batch needs those at its times t."}
    top = "max in place of min: γ is the most that an image may count."
    root = "The ratio of the variances was asked for, not that of their roots."
    upside = "The ratio is upside down: the signal ᾱ goes on top."
    nats = "This takes the logarithm of the ratio; the ratio itself was asked for."
    early = "You read ᾱ at t − 1: index t is already the paper's step t + 1."
    same = 'These are the weights of "sample"; an error of something else has to be weighed differently.'
    times = "You multiplied by what the error is too large by; the weight has to make up for it."
    swapped = '"epsilon" and "sample" have changed places.'
    bar = "This caps ᾱ itself; the signal-to-noise ratio is to be capped."
    right = {
        "sample": [0.111111, 5.0, 4.0, 1.0, 5.0],
        "epsilon": [1.0, 0.555556, 1.0, 1.0, 0.555556],
        "v_prediction": [0.1, 0.5, 0.8, 0.5, 0.5],
    }
    slips = {
        "sample": {
            top: [5.0, 9.0, 5.0, 5.0, 9.0],
            "No cap: a weight must not be larger than γ.": [0.111111, 9.0, 4.0, 1.0, 9.0],
            root: [0.333333, 3.0, 2.0, 1.0, 3.0],
            upside: [5.0, 0.111111, 0.25, 1.0, 0.111111],
            nats: [-2.197225, 2.197225, 1.386294, 0.0, 2.197225],
            early: [1.0, 0.111111, 5.0, 4.0, 0.111111],
            bar: [0.1, 0.9, 0.8, 0.5, 0.9],
            swapped: [1.0, 0.555556, 1.0, 1.0, 0.555556],
        },
        "epsilon": {
            same: [0.111111, 5.0, 4.0, 1.0, 5.0],
            times: [0.012346, 45.0, 16.0, 1.0, 45.0],
            '"epsilon" is divided by SNR; by SNR + 1 is for "v_prediction".': [0.1, 0.5, 0.8, 0.5, 0.5],
        },
        "v_prediction": {
            same: [0.111111, 5.0, 4.0, 1.0, 5.0],
            times: [0.123457, 50.0, 20.0, 2.0, 50.0],
            '"v_prediction" is divided by SNR + 1; by SNR alone is for "epsilon".': [1.0, 0.555556, 1.0, 1.0, 0.555556],
        },
    }
    for kind, expected in right.items():
        what = f'min_snr_weights(alphas_cumprod, t, "{kind}")'
        got = run(min_snr_weights, alphas_cumprod, t, kind)
        compare(got, expected, what=what, dtype=torch.float64, shapes=shapes, slips=slips[kind])


@test_case(points=1, hidden=False)
def test_gamma_and_names(min_snr_weights):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, follows_device, run

    alphas_cumprod, t = torch.tensor([0.9, 0.8, 0.5, 0.1]), torch.tensor([3, 0, 1, 2, 0])
    what = 'min_snr_weights(alphas_cumprod, t, "sample", 2.0) for a schedule in float32'
    slips = {"γ is an argument: you used 5 whatever it says.": [0.111111, 5.0, 4.0, 1.0, 5.0]}
    compare(
        run(min_snr_weights, alphas_cumprod, t, "sample", 2.0), [0.111111, 2.0, 2.0, 1.0, 2.0], what=what, slips=slips
    )
    wanted = 'an unknown prediction type, such as the misspelt "epsilom", has to raise a ValueError'
    try:
        run(min_snr_weights, alphas_cumprod, t, "epsilom")
    except CheckFailed as stop:
        if "stopped with ValueError" not in str(stop):
            raise CheckFailed(f"{stop}\n{wanted}") from None
    else:
        raise CheckFailed(f"{wanted}; otherwise a spelling mistake trains the wrong network, and nobody notices")
    for kind in ("sample", "epsilon", "v_prediction"):
        follows_device(min_snr_weights, alphas_cumprod, t, kind, what="min_snr_weights")
