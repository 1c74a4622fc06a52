"""SAM 2 runs on fake CUDA tensors: a tensor on the wrong device, or a value read back, shows without a GPU."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from minilib.attention.recorder import use_fused
from minilib.segmentation.frames import Prompt
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.memory import MemoryConfig
from minilib.segmentation.sam2 import Sam2, Sam2Config
from minilib.segmentation.video import VideoSegmenter


def test_sam2():
    shape = {"width": 24, "depth": 2, "num_heads": 2, "hidden": 32, "window_size": 3, "global_blocks": (1,)}
    config = Sam2Config(
        encoder=ImageEncoderConfig(image_size=32, patch_size=4, out_channels=16, **shape),
        decoder=MaskDecoderConfig(num_heads=2, hidden=32),
        mask_channels=4,
        memory=MemoryConfig(channels=8, depth=1, hidden=32, fuser_depth=1, fuser_hidden=32),
    )
    with FakeTensorMode():
        with torch.device("cuda"):
            sam2 = Sam2(config)
        frames, mask = torch.rand(2, 3, 3, 32, 32, device="cuda"), torch.rand(2, 32, 32, device="cuda") > 0.5
        points = torch.rand(2, 1, 2, device="cuda")
        click = Prompt(points, torch.ones(2, 1, dtype=torch.long, device="cuda"))
        answers = sam2(frames, {1: click, 2: Prompt(mask=mask)})
        use_fused(sam2, False)
        answers += sam2(frames[:, :2], {0: click}, num_memories=2, pointers=False)
        embedding, bank = sam2.encode_image(frames[:, 0]), sam2.new_bank(3)
        answers.append(sam2.track(embedding, bank, 0, click, previous=answers[0], alone=True))
        segmenter = VideoSegmenter(sam2)
        segmenter.start(frames[0])
        found = [segmenter.add_click(1, 3, 4), segmenter.add_click(1, 9, 9, label=0), segmenter.add_box(2, 3, 4, 9, 9)]
        found += segmenter.propagate(reverse=True)
        outputs = [value for answer in answers for value in answer] + [value for one in found for value in one[1:]]
        assert all(output.device.type == "cuda" for output in outputs)
