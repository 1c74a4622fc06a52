"""Library code runs on fake CUDA tensors: a tensor on the wrong device, or a value read back, shows without a GPU."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from minilib.diffusion import guidance, losses, samplers, schedules
from minilib.diffusion.flow import flow_euler, flow_path, flow_times
from minilib.diffusion.ideal import ideal_x0
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.unet import UNet, UNetConfig, record_attention
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


def test_network_losses_and_samplers():
    process = GaussianDiffusion(schedules.linear_betas(10))
    config = UNetConfig(block_out_channels=(8, 8), attention=(False, True), norm_num_groups=4, num_class_embeds=3)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        for name, buffer in list(process.named_buffers()):
            setattr(process, name, mode.from_tensor(buffer).to("cuda"))
        with torch.device("cuda"):
            unet = UNet(config)
        x0, noise = torch.rand(2, 3, 8, 8, device="cuda"), torch.randn(2, 3, 8, 8, device="cuda")
        t, labels = torch.zeros(2, 2, dtype=torch.long, device="cuda")
        x_t = process.q_sample(x0, t, noise)
        with record_attention(unet) as records:
            said = unet(x_t, t, labels)
        outputs = [said, *(weights[0] for weights in records.values())]
        for kind in ("epsilon", "sample", "v_prediction"):
            outputs.append(losses.simple_loss(process, said, x0, t, noise, prediction_type=kind, snr_gamma=5.0))
        outputs.append(losses.hybrid_loss(process, torch.cat([said, said], 1), x0, t, noise))
        outputs.append(losses.prior_bits(process, x0))
        denoise = guidance.make_denoiser(
            unet, process, prediction_type="v_prediction", labels=labels, guidance_scale=2.0, null_label=2
        )
        times = samplers.sampling_times(10, 3).to("cuda")
        for sampler in (samplers.ddpm, samplers.ddim, samplers.dpm_solver_pp_2m, samplers.euler, samplers.heun):
            outputs.append(sampler(denoise, process, noise, times))
        outputs.append(samplers.ddim(denoise, process, noise, times, eta=1.0))
        outputs.append(guidance.dynamic_threshold(3 * noise))
        outputs += flow_path(x0, noise, torch.rand(2, device="cuda"))
        outputs.append(flow_euler(lambda x, u: x * u.reshape(-1, 1, 1, 1), noise, flow_times(3).to("cuda")))
        assert all(output.device.type == "cuda" for output in outputs)
