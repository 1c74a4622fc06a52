"""Library code runs on fake CUDA tensors: a tensor on the wrong device, or a value read back, shows without a GPU."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from minilib.diffusion import schedules
from minilib.diffusion.ideal import ideal_x0
from minilib.diffusion.process import GaussianDiffusion
from minilib.images import from_uint8, to_uint8
from minilib.views import cameras


def test_forward_process():
    process = GaussianDiffusion(schedules.linear_betas(10))
    with FakeTensorMode() as mode:
        for name, buffer in list(process.named_buffers()):
            setattr(process, name, mode.from_tensor(buffer).to("cuda"))
        x0, noise = torch.rand(4, 3, 8, 8, device="cuda"), torch.randn(4, 3, 8, 8, device="cuda")
        t = torch.zeros(4, dtype=torch.long, device="cuda")
        x_t = process.q_sample(x0, t, noise)
        outputs = [x_t, process.q_step(x0, t, noise), *process.q_posterior(x0, x_t, t), process.velocity(x0, t, noise)]
        for kind in ("epsilon", "sample", "v_prediction"):
            for convert in (process.predict_x0, process.predict_noise, process.predict_velocity):
                outputs.append(convert(noise, x_t, t, prediction_type=kind))
        outputs.append(ideal_x0(process, x_t, t, torch.rand(5, 3, 8, 8, device="cuda")))
        assert all(output.device.type == "cuda" for output in outputs)


def test_cameras():
    with FakeTensorMode():
        position = torch.ones(5, 3, device="cuda")
        pose = cameras.look_at(position, torch.zeros(5, 3, device="cuda"))
        camera = cameras.Camera(pose[0], torch.eye(3, device="cuda"))
        points = torch.rand(7, 3, device="cuda")
        uv, depth = cameras.project(camera, points)
        assert cameras.unproject(camera, uv, depth).device.type == "cuda"


def test_images():
    with FakeTensorMode():
        picture = torch.zeros(2, 3, 4, 4, device="cuda")
        assert from_uint8(to_uint8(picture, clip=True)).device.type == "cuda"
