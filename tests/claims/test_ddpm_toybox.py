"""What the card of `ddpm-toybox` says, measured again from the shipped weights with other seeds."""

from pathlib import Path

import pytest
import torch
from timing import within

from minilib.diffusion.samplers import ddpm
from minilib.evaluate.common import even_labels, in_parts
from minilib.evaluate.diffusion import (
    SAMPLERS,
    STEPS,
    distance_metric,
    draw,
    evaluate_classifier,
    held_out_toys,
    judge_and_reference,
    nearest,
)
from minilib.interop.diffusers import to_ddpm_pipeline
from minilib.metrics import bootstrap_interval
from minilib.weights import cards, load_trained

SEED = 77


@pytest.fixture(scope="module")
def shipped():
    return load_trained("ddpm-toybox")


@pytest.fixture(scope="module")
def judged():
    return judge_and_reference()


@pytest.fixture(scope="module")
def guided(shipped):
    labels = even_labels(200)
    return labels, draw(*shipped, labels, seed=SEED)


@pytest.fixture(scope="module")
def unguided(shipped):
    labels = even_labels(100)
    return labels, draw(*shipped, labels, guidance_scale=1.0, seed=SEED)


def test_sizes_are_as_promised(shipped):
    card = cards()["ddpm-toybox"]
    assert card["parameters"] == sum(p.numel() for p in shipped[1].parameters()) <= 5_000_000
    assert card["minutes"] <= 120


def test_the_judge_knows_real_toys():
    accuracy = evaluate_classifier(*load_trained("classifier-toybox"), num_toys=200)["accuracy"]
    assert accuracy["ci95"][0] >= 0.97


def test_toys_are_what_was_asked_for(guided, judged):
    labels, images = guided
    right = (in_parts(judged[0], images).argmax(1) == labels).float()
    assert right.mean() >= 0.9
    assert bootstrap_interval(right)[0] > 0.85


@pytest.mark.alone
def test_sixteen_toys_in_six_seconds(shipped):
    assert within(6, lambda: draw(*shipped, even_labels(16)))


def test_toys_are_no_copies(shipped, guided):
    _, images = guided
    new, _ = held_out_toys(100, first=1000)
    train = shipped[0].make_dataset()
    drawn, real = nearest(images, train), nearest(new[::8], train)
    assert drawn.min() > 0.2 * real.median()
    assert bootstrap_interval(drawn)[0] > 0.7 * real.mean()


def test_real_toys_are_nearer_to_real_toys_than_drawn_ones(judged, unguided):
    judge, reference = judged
    real, _ = held_out_toys(100, first=1000)
    labels, drawn = unguided
    floor = distance_metric(in_parts(judge.features, real[::8]), labels, reference)
    assert floor["value"] < distance_metric(in_parts(judge.features, drawn), labels, reference)["value"]


def test_the_readme_quotes_the_card():
    metrics, readme = cards()["ddpm-toybox"]["metrics"], (Path(__file__).parents[2] / "README.md").read_text()

    def quoted(name, scale=1.0, digits=1):
        low, high = (f"{scale * end:.{digits}f}" for end in metrics[name]["ci95"])
        return f"{scale * metrics[name]['value']:.{digits}f} [{low}, {high}]"

    for sampler in SAMPLERS:
        cells = [quoted(f"fd_{steps}_{sampler}") for steps in STEPS]
        assert f"| {sampler} | {' | '.join(cells)} |" in readme
    assert f"| {quoted('class_agreement', 100)} % of 600 |" in readme
    assert f"| {quoted('nearest_train', 1, 3)} / {quoted('nearest_train_real', 1, 3)} |" in readme
    assert f"real pictures: {quoted('fd_real')}." in readme


def test_guidance_costs_variety(shipped, judged, unguided):
    judge, _ = judged
    labels, plain = unguided
    variety = []
    for images in (plain, draw(*shipped, labels, guidance_scale=4.0, seed=SEED)):
        features = in_parts(judge.features, images)
        variety.append(torch.stack([torch.pdist(features[labels == k]).mean() for k in range(20)]))
    assert bootstrap_interval(variety[0] - variety[1])[0] > 0


@pytest.mark.parametrize("label", [0, 16])
def test_the_shipped_weights_draw_the_same_in_diffusers(shipped, label):
    recipe, model = shipped
    process, steps = recipe.make_process(), 10
    pipeline = to_ddpm_pipeline(model, process, prediction_type=recipe.prediction_type, label=label)
    theirs = pipeline(
        batch_size=2,
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    ).images
    ours = recipe.sample(
        model,
        torch.tensor([label, label]),
        sampler=ddpm,
        steps=steps,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(0),
    )
    as_theirs = ((ours + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(as_theirs, torch.from_numpy(theirs), rtol=1e-4, atol=1e-4)
