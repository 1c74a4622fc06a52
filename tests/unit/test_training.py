"""The training loop: exact after kill -9, exact in parts, and it stops before it spoils anything."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers.training_utils import EMAModel
from safetensors.torch import load
from safetensors.torch import save as to_bytes
from torch import nn

from minilib import checkpoints, training
from minilib import train as command
from minilib.batches import generator, rows_of
from minilib.recipes.zero123_toybox import Zero123Toybox
from minilib.train import with_settings
from minilib.training import Recipe, TrainConfig, TrainingDivergedError, ema_decay_at, train


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line(Recipe):
    """Fits a line to noisy points; pauses so that a test can kill it, or breaks at a step."""

    name: str = "line"
    nan_at: float = -1.0

    def make_model(self):
        return nn.Linear(3, 1)

    def make_dataset(self):
        x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
        return [{"x": row, "y": row.sum()} for row in x]

    def draw(self, batch_size, generator):
        return {"noise": torch.randn(batch_size, generator=generator)}

    def losses(self, model, batch):
        wrong = (model(batch["x"])[:, 0] - batch["y"] - 0.1 * batch["noise"]).square()
        Line.calls += 1
        return wrong * float("nan") if Line.calls > self.nan_at >= 0 else wrong


Line.calls = 0


def config(**changes):
    plain = {"steps": 30, "batch_size": 8, "learning_rate": 0.01, "warmup_steps": 5, "checkpoint_every": 5}
    return TrainConfig(**{**plain, **changes})


def line(nan_at=-1.0, **changes):
    Line.calls = 0
    return Line(train=config(**changes), nan_at=nan_at)


def weights(model):
    return torch.cat([parameter.flatten() for parameter in model.parameters()])


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_training as tests
class Killed(tests.Line):
    def losses(self, model, batch):
        if tests.Line.calls == 17:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().losses(model, batch)
tests.train(Killed(train=tests.config()), Path(sys.argv[1]))
"""


def test_a_run_that_was_killed_goes_on_exactly(tmp_path):
    whole = train(line(), tmp_path / "whole")
    command = [sys.executable, "-c", KILLED.format(tests=str(Path(__file__).parent)), str(tmp_path / "killed")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    assert checkpoints.read_facts(tmp_path / "killed" / checkpoints.CHECKPOINT)["step"] == 15
    resumed = train(line(), tmp_path / "killed", resume=True)
    assert torch.equal(weights(whole), weights(resumed))
    logs = [(tmp_path / run / checkpoints.LOG).read_text().splitlines() for run in ("whole", "killed")]
    without_seconds = [[row.rsplit(",", 1)[0] for row in log] for log in logs]
    assert without_seconds[0] == without_seconds[1] and len(logs[0]) == 31


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pictures(Recipe):
    """A convolution with the channels last in memory, and dropout: what else a resumed run could do differently."""

    name: str = "pictures"

    def make_model(self):
        layers = [nn.Conv2d(4, 8, 3, padding=1), nn.Dropout(0.5), nn.Conv2d(8, 1, 3, padding=1)]
        return nn.Sequential(*layers).to(memory_format=torch.channels_last)

    def make_dataset(self):
        return [{"x": x} for x in torch.randn(24, 4, 6, 6, generator=torch.Generator().manual_seed(0))]

    def draw(self, batch_size, generator):
        return {"noise": torch.randn(batch_size, 1, 6, 6, generator=generator)}

    def losses(self, model, batch):
        return (model(batch["x"]) - batch["x"].mean(1, keepdim=True) - batch["noise"]).square().flatten(1).mean(1)

    def preview(self, model, path):
        """Keeps the checkpoint as it is at this step."""
        path.with_suffix(".kept").write_bytes((path.parent / checkpoints.CHECKPOINT).read_bytes())


def test_dropout_and_memory_layout_go_on_exactly_too(tmp_path):
    recipe = Pictures(train=config(steps=20, sample_every=10, checkpoint_every=10))
    whole = train(recipe, tmp_path / "whole")
    (tmp_path / "resumed").mkdir()
    (tmp_path / "whole" / "step-000010.kept").rename(tmp_path / "resumed" / checkpoints.CHECKPOINT)
    resumed = train(recipe, tmp_path / "resumed", resume=True)
    assert torch.equal(weights(whole), weights(resumed))
    model = recipe.make_model()
    ema, optimizer = training.EMA(model, 0.9), torch.optim.AdamW(model.parameters())
    checkpoints.load_checkpoint(tmp_path / "resumed" / checkpoints.CHECKPOINT, recipe, model, ema, optimizer)
    assert optimizer.state[model[0].weight]["exp_avg"].stride() == model[0].weight.stride()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Half(Line):
    """Only one of its layers learns; another is not used before step 12."""

    name: str = "half"
    leaves_weights_unused: ClassVar[bool] = True

    def make_model(self):
        layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 1), nn.Linear(3, 1)])
        layers[0].requires_grad_(False)
        return layers

    def losses(self, model, batch):
        Line.calls += 1
        both = model[1](model[0](batch["x"])) + (model[2](batch["x"]) if Line.calls > 12 else 0)
        return (both[:, 0] - batch["y"] - 0.1 * batch["noise"]).square()


@pytest.mark.parametrize("steps", [5, 20])
def test_what_does_not_learn_has_no_state_and_goes_on_exactly_too(tmp_path, steps):
    Line.calls = 0
    whole = train(Half(train=config()), tmp_path / "whole")
    Line.calls = 0
    with pytest.raises(KeyboardInterrupt):
        Interrupted.at = steps
        train(Interrupted(train=config()), tmp_path / "cut")
    Line.calls = steps
    resumed = train(Half(train=config()), tmp_path / "cut", resume=True)
    assert torch.equal(weights(whole), weights(resumed))
    start = Half(train=config()).make_model()
    assert not torch.equal(weights(whole), weights(start))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interrupted(Half):
    """Stopped after a number of steps, by hand."""

    at: ClassVar[int] = 0

    def losses(self, model, batch):
        if Line.calls >= self.at:
            raise KeyboardInterrupt
        return super().losses(model, batch)


def test_seeds_change_everything_that_is_random(tmp_path):
    settings = {"batch_size": 8, "dataset_size": 40}
    assert rows_of(0, seed=0, **settings) != rows_of(0, seed=1, **settings)
    noises = [torch.rand(3, generator=generator(seed, 1)) for seed in (0, 1, 2**24, 20240101, 2**32 - 1)]
    assert len({tuple(noise.tolist()) for noise in noises}) == 5


def test_parts_of_a_batch_are_the_batch(tmp_path):
    whole = train(line(), tmp_path / "whole")
    parts = train(line(gradient_accumulation=2), tmp_path / "parts")
    torch.testing.assert_close(weights(whole), weights(parts), rtol=1e-6, atol=1e-6)


TWO = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_training as tests
tests.train(tests.line(), Path(sys.argv[1]))
"""


def test_two_processes_compute_what_one_does(tmp_path):
    whole = train(line(), tmp_path / "one")
    script = tmp_path / "two.py"
    script.write_text(TWO.format(tests=str(Path(__file__).parent)))
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    options = ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    done = subprocess.run(
        [*launch, *options, str(script), str(tmp_path / "two")], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    recipe = line()
    model = recipe.make_model()
    ema, optimizer = training.EMA(model, 0.9), torch.optim.AdamW(model.parameters())
    checkpoints.load_checkpoint(tmp_path / "two" / checkpoints.CHECKPOINT, recipe, model, ema, optimizer)
    torch.testing.assert_close(weights(ema.model), weights(whole), rtol=1e-6, atol=1e-6)
    losses = [
        [float(row.split(",")[1]) for row in (tmp_path / run / checkpoints.LOG).read_text().splitlines()[1:]]
        for run in ("one", "two")
    ]
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-5, atol=1e-6)


@pytest.fixture
def fresh_accelerator():
    """Accelerate fixes the precision of a process with its first run."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_half_precision_trains_and_keeps_its_weights_in_full(tmp_path, fresh_accelerator):
    full = train(line(steps=200), tmp_path / "full")
    AcceleratorState._reset_state(reset_partial_state=True)
    half = train(line(steps=200, mixed_precision="bf16"), tmp_path / "half")
    assert all(parameter.dtype == torch.float32 for parameter in half.parameters())
    assert not torch.equal(weights(full), weights(half))  # it was not computed in float32 after all
    torch.testing.assert_close(weights(full), weights(half), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("capability, slow", [("AVX2", True), ("AVX512", False)])
def test_the_command_says_so_where_half_precision_is_slow(monkeypatch, tmp_path, recwarn, capability, slow):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = []
    monkeypatch.setattr(command, "train", lambda recipe, *_, **__: asked.append(recipe.train.mixed_precision))
    monkeypatch.setattr(command, "save_trained", lambda *_: None)
    for settings in ([], ["--set", "train.mixed_precision=no"]):
        command.main(["sam-toybox", "--folder", str(tmp_path), *settings])
    assert asked == ["bf16", "no"]
    assert sum("--set train.mixed_precision=no" in str(warning.message) for warning in recwarn) == slow


def test_learning_rate_rises_on_a_line_and_falls_like_a_half_cosine():
    settings = config(steps=105, warmup_steps=5, learning_rate=1.0)
    rates = [training.learning_rate_at(step, settings) for step in (0, 4, 5, 55, 104)]
    assert rates[:3] == [0.2, 1.0, 1.0]
    assert rates[3] == pytest.approx(0.5) and 0 < rates[4] < 1e-3


def test_averaged_weights_are_those_of_diffusers():
    torch.manual_seed(0)
    model = nn.Linear(5, 4)
    ours = training.EMA(model, 0.99)
    theirs = EMAModel(model.parameters(), decay=0.99)
    for step in range(50):
        with torch.no_grad():
            model.weight += torch.randn(4, 5)
        ours.update(model, step)
        theirs.step(model.parameters())
    for mine, other in zip(ours.model.parameters(), theirs.shadow_params, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


def test_settings_keep_their_types_and_unknown_ones_are_named():
    recipe = with_settings(line(), ["train.steps=7", "train.learning_rate=1e-3", "train.mixed_precision=bf16"])
    assert (recipe.train.steps, recipe.train.learning_rate, recipe.train.mixed_precision) == (7, 1e-3, "bf16")
    assert with_settings(Zero123Toybox(), ["patches=true"]).patches is True
    for setting, message in {
        "steps": "expected name=value",
        "train.stops=7": "steps",
        "train.steps=many": "train.steps=many",
        "train=1": "cannot be set here",
    }.items():
        with pytest.raises(ValueError, match=message):
            with_settings(line(), [setting])
    with pytest.raises(ValueError, match="patches=1: expected true or false"):
        with_settings(Zero123Toybox(), ["patches=1"])


def test_nan_stops_the_run_and_keeps_the_checkpoint(tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"loss is nan at step 12 .*step 10 is kept.*start anew"):
        train(line(nan_at=12), tmp_path)
    assert checkpoints.read_facts(tmp_path / checkpoints.CHECKPOINT)["step"] == 10


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    train(line(steps=5), tmp_path)
    path = tmp_path / checkpoints.CHECKPOINT
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    recipe = line(steps=5)
    model = recipe.make_model()
    with pytest.raises(OSError, match=r"step 6 .*No space left.*step 5 is kept"):
        ema, optimizer = training.EMA(model, 0.9), torch.optim.AdamW(model.parameters())
        checkpoints.save_checkpoint(path, recipe, model, ema, optimizer, step=6, seconds=1.0)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.partial")) == []


def test_a_log_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    log = checkpoints.Log(tmp_path / checkpoints.LOG, 0)
    log.add(0, 1.0)
    before = log.path.read_text()
    monkeypatch.setattr(
        checkpoints.csv, "writer", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left"))
    )
    with pytest.raises(OSError, match=r"cannot write the log .*log.csv: No space left"):
        log.add(1, 1.0)
    assert log.path.read_text() == before


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    train(line(steps=5), tmp_path)
    with pytest.raises(FileExistsError, match="holds a run at step 5: go on with --resume"):
        train(line(steps=5), tmp_path)
    with pytest.raises(ValueError, match=r"other settings: train.learning_rate is 0.01 there, 0.02 here"):
        train(line(steps=5, learning_rate=0.02), tmp_path, resume=True)
    with pytest.raises(ValueError, match="recipe 'line', expected 'other'"):
        train(dataclasses.replace(line(steps=5), name="other"), tmp_path, resume=True)
    train(line(steps=5, sample_every=3, workers=0), tmp_path, resume=True)  # changes no number
    path = tmp_path / checkpoints.CHECKPOINT
    whole = path.read_bytes()
    for lacks, message in {
        "model.weight": "1 missing: weight",
        "optimizer.0": "state of 1 parameters, expected 2",
    }.items():
        facts = json.dumps(checkpoints.read_facts(path))
        kept = {name: value for name, value in load(whole).items() if not name.startswith(lacks)}
        path.write_bytes(to_bytes(kept, {"facts": facts}))
        with pytest.raises(ValueError, match=message):
            train(line(steps=5), tmp_path, resume=True)
    path.write_bytes(whole[:50])
    with pytest.raises(ValueError, match="is damaged"):
        train(line(steps=5), tmp_path, resume=True)


def test_every_example_once_a_pass():
    rows = [row for step in range(10) for row in rows_of(step, batch_size=8, dataset_size=40, seed=3)]
    assert sorted(rows[:40]) == sorted(rows[40:]) == list(range(40))
    assert rows[:40] != rows[40:]


def test_average_has_a_ramp():
    assert [ema_decay_at(step, 0.5) for step in (0, 7, 8, 1000)] == [0.1, 8 / 17, 0.5, 0.5]
