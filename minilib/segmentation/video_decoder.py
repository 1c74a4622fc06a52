"""SAM 2's mask decoder: also says whether the object is in sight, and what it is (Ravi et al. 2024, section 4)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.segmentation.mask_decoder import MaskDecoder, MaskDecoderConfig, three_layers


class Decoded(NamedTuple):
    """What the decoder says.

    Attributes:
        logits: of the masks, at four times the resolution of the embedding.
        iou: predicted, in (0, 1).
        tokens: what each mask was made of.
        object_score: logit of whether the object is in sight.
    """

    logits: Float[Tensor, "p m s s"]
    iou: Float[Tensor, "p m"]
    tokens: Float[Tensor, "p m d"]
    object_score: Float[Tensor, " p"]


class VideoMaskDecoder(MaskDecoder):
    """A mask decoder with one more token, for the occlusion score, and predicted IoUs that pass a sigmoid.

    It has no skip connections to finer features, which the published models take from Hiera, and does not change from
    one mask to three when that one is unstable.

    Args:
        config, width: as for `MaskDecoder`.
    """

    def __init__(self, config: MaskDecoderConfig, *, width: int):
        super().__init__(config, width=width)
        self.score_token = nn.Parameter(torch.randn(1, width))
        self.score_head = three_layers(width, width, 1)

    def decode(
        self,
        embedding: Float[Tensor, "b d g g"],
        positions: Float[Tensor, "n d"],
        prompts: Float[Tensor, "p t d"],
        dense: Float[Tensor, "q d g g"],
        *,
        multimask: bool = True,
    ) -> Decoded:
        """Masks for each prompt, and the rest; arguments and errors as for `MaskDecoder.forward`."""
        # Attention does not know an order: the token of the score may stand among those of the prompts.
        asked = torch.cat([self.score_token.expand(len(prompts), -1, -1), prompts], dim=1)
        tokens, image = self.ask(embedding, positions, asked, dense)
        logits, iou = self.draw(tokens, image, multimask=multimask)
        end = 1 + len(self.mask_tokens)  # after the token of the IoU and those of the masks
        masks = tokens[:, 2:end] if multimask else tokens[:, 1:2]
        return Decoded(logits, iou.sigmoid(), masks, self.score_head(tokens[:, end])[:, 0])

    def forward(
        self,
        embedding: Float[Tensor, "b d g g"],
        positions: Float[Tensor, "n d"],
        prompts: Float[Tensor, "p t d"],
        dense: Float[Tensor, "q d g g"],
        *,
        multimask: bool = True,
    ) -> tuple[Float[Tensor, "p m s s"], Float[Tensor, "p m"]]:
        """Logits and predicted IoUs of the masks for each prompt, as `MaskDecoder.forward`."""
        return self.decode(embedding, positions, prompts, dense, multimask=multimask)[:2]
