"""Library code runs on fake CUDA tensors: a tensor on the wrong device, or a value read back, shows without a GPU."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from minilib.attention import maps
from minilib.attention.layers import CrossAttention, causal_mask
from minilib.attention.positions import rotary_angles, sinusoidal_2d
from minilib.attention.recorder import record_attention, use_fused
from minilib.attention.vit import ViT, ViTConfig, patchify, unpatchify
from minilib.clip.losses import contrastive_loss, sigmoid_loss
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.clip.zero_shot import calibration_error, classify, recalled
from minilib.diffusion import guidance, losses, samplers, schedules
from minilib.diffusion.flow import flow_euler, flow_path, flow_times
from minilib.diffusion.ideal import ideal_x0
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.unet import UNet, UNetConfig
from minilib.images import from_uint8, to_uint8
from minilib.segmentation import metrics, prompts
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.losses import sam_loss
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.sam import Sam, SamConfig, resize_logits
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
        use_fused(unet, False)
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


def test_attention():
    config = ViTConfig(image_size=16, patch_size=4, width=8, depth=2, num_heads=2, hidden=16, num_registers=1)
    with FakeTensorMode():
        with torch.device("cuda"):
            vit, cross = ViT(config), CrossAttention(8, 2, context_width=6)
        images, tokens = torch.rand(2, 3, 16, 16, device="cuda"), torch.rand(2, 5, 8, device="cuda")
        outputs = [vit(images), vit(torch.rand(2, 3, 24, 16, device="cuda")), unpatchify(patchify(images, 4), (4, 4))]
        outputs.append(cross(tokens, torch.rand(2, 7, 6, device="cuda")))
        angles = rotary_angles(torch.arange(18.0, device="cuda"), 4)
        mask = causal_mask(18, device=images.device)
        outputs.append(vit.blocks[0](torch.rand(2, 18, 8, device="cuda"), mask, angles))
        use_fused(vit, False)
        with record_attention(vit) as records:
            vit(images)
        layers = [weights for (weights,) in records.values()]
        outputs.append(maps.rollout(layers, discard_ratio=0.5))
        outputs.append(maps.attention_distance(layers[0], (4, 4), num_prefix=2))
        outputs.append(maps.patch_map(layers[0][:, :, 0], (4, 4), (16, 16), num_prefix=2))
        assert all(output.device.type == "cuda" for output in outputs)
        assert sinusoidal_2d(2, 2, 8).shape == (4, 8)


def test_clip():
    image = ViTConfig(image_size=8, patch_size=4, width=8, depth=1, num_heads=2, hidden=16, num_classes=0)
    text = TextConfig(vocab_size=20, context_length=5, width=8, depth=1, num_heads=2, hidden=16)
    with FakeTensorMode():
        with torch.device("cuda"):
            clip = CLIP(CLIPConfig(image=image, text=text, embed_dim=6))
        images, ids = torch.rand(3, 3, 8, 8, device="cuda"), torch.zeros(3, 5, dtype=torch.long, device="cuda")
        *features, scale = clip(images, ids)
        outputs = [
            contrastive_loss(*features, scale),
            sigmoid_loss(*features, scale, scale),
            recalled(*features, 2),
            calibration_error(classify(*features, scale), torch.zeros(3, dtype=torch.long, device="cuda")),
        ]
        assert all(output.device.type == "cuda" for output in outputs)


def test_segmentation():
    shape = {"width": 24, "depth": 2, "num_heads": 2, "hidden": 32, "window_size": 3, "global_blocks": (1,)}
    encoder = ImageEncoderConfig(image_size=32, patch_size=4, out_channels=16, **shape)
    generator = torch.Generator().manual_seed(0)
    with FakeTensorMode():
        with torch.device("cuda"):
            sam = Sam(SamConfig(encoder=encoder, decoder=MaskDecoderConfig(num_heads=2, hidden=32), mask_channels=4))
        images, target = torch.rand(2, 3, 32, 32, device="cuda"), torch.rand(2, 32, 32, device="cuda") > 0.5
        points = prompts.first_click(target, generator)
        labels = torch.ones(2, 1, dtype=torch.long, device="cuda")
        logits, iou = sam(images, points, labels)
        outputs = [
            points,
            *prompts.corrective_click(logits[:, 0] > 0, target, generator),
            *sam_loss(logits, iou, target),
        ]
        boxes = prompts.jittered_boxes(target, generator)
        masks = prompts.mask_prompt(target, sam.prompt_encoder.mask_size)
        use_fused(sam, False)
        outputs += sam(images, points, labels, boxes, masks, multimask=False)
        outputs.append(resize_logits(logits, 32, original=(20, 30)))
        for measure in (metrics.mask_iou, metrics.boundary_iou, metrics.contour_f):
            outputs.append(measure(logits[:, 0] > 0, target))
        assert all(output.device.type == "cuda" for output in outputs)
