from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=0.5, hidden=False)
def test_cosine_four_steps(cosine_betas):
    import torch

    from minilib.grading.feedback import compare, run

    right = [0.152988, 0.416958, 0.707859, 0.999]
    shapes = {
        (5,): "T steps lie between the T + 1 points of the curve.",
        (3,): "T steps need T + 1 points of the curve, from u = 0 to u = 1.",
    }
    slips = {
        "The last β must not be larger than max_beta.": [0.152988, 0.416958, 0.707859, 1.0],
        "The square of the cosine is missing.": [0.079667, 0.236428, 0.459499, 0.999],
        "This is 1 − ᾱ; β compares with the step before, 1 − ᾱ_t / ᾱ_{t−1}.": [0.152988, 0.506156, 0.855728, 0.999],
        "This is the curve ᾱ itself; it still has to be cut into steps β.": [0.847012, 0.493844, 0.144272, 0.0],
        "u + s is still to be divided by 1 + s.": [0.15531, 0.422851, 0.717555, 0.998853],
        "The first step goes from u = 0 to u = 1/T, so its β is not 0.": [0.0, 0.257116, 0.668255, 0.999],
    }
    what, kind, between = "cosine_betas(4)", torch.float64, (0.0, 0.999)
    got = run(cosine_betas, 4)
    compare(got, right, what=what, dtype=kind, between=between, shapes=shapes, slips=slips)


@test_case(points=0.5, hidden=False)
def test_log_snr(log_snr):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    betas = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    right = [2.197225, 0.944462, 0.016, -0.835895]
    slips = {
        "This is the logarithm to base 10; use the natural one.": [0.954243, 0.410174, 0.006949, -0.363025],
        "This is the logarithm to base 2; use the natural one.": [3.169925, 1.36257, 0.023084, -1.205942],
        "The ratio of the variances was asked for, not that of their roots.": [1.098612, 0.472231, 0.008, -0.417948],
        "The sign is the other way round: the picture goes on top.": [-2.197225, -0.944462, -0.016, 0.835895],
        "This is the ratio itself, without the logarithm.": [9.0, 2.571429, 1.016129, 0.433486],
        "You used 1 − β of the single steps in place of their product ᾱ.": [2.197225, 1.386294, 0.847298, 0.405465],
    }
    compare(run(log_snr, betas), right, what="log_snr(betas)", dtype=torch.float64, slips=slips)
    follows_device(log_snr, betas, what="log_snr")


@test_case(points=1, hidden=False)
def test_first_noisy_index(first_noisy_index):
    import torch

    from minilib.grading.feedback import compare_int, run

    betas = torch.tensor([0.1, 0.2, 0.25, 0.3, 0.4, 0.5], dtype=torch.float64)
    slips = {
        "You counted from 1: index t is the paper's step t + 1.": 4,
        "This is the last index at which the picture is still the stronger one.": 2,
        "This is the last such index; the first was asked for.": 5,
        "SNR < 1 means that ᾱ < 1/2, not that ᾱ < 1.": 0,
    }
    compare_int(run(first_noisy_index, betas), 3, what="first_noisy_index(betas)", slips=slips)
    slips = {"At an SNR of exactly 1 the noise is not yet stronger: SNR < 1 was asked for.": 0}
    got = run(first_noisy_index, torch.tensor([0.5, 0.5], dtype=torch.float64))
    compare_int(got, 1, what="first_noisy_index for SNR 1, 1/3", slips=slips)
