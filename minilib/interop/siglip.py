"""SigLIP and SigLIP 2, as transformers runs them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minilib.errors import require
from minilib.interop.hub import check_source

SIGLIP_CONTEXT = 64
"""Tokens of a text, padding included."""


def load_siglip(source: str) -> Callable[[Sequence[np.ndarray], Sequence[str]], Float[Tensor, "b k"]]:
    """A published SigLIP or SigLIP 2, such as "google/siglip2-base-patch16-224", run by transformers.

    Args:
        source: its name on the hub, or a folder of the same layout.
    Returns:
        A function from photographs, bytes (h, w, 3), and texts, in lower case as these models were trained, to the
        probability that each text fits each photograph, by the sigmoid: they need not sum to 1.
    Raises:
        OSError: no such folder, or no such name, or no network, or a file is missing.
        ValueError: another type of model.
    """
    transformers = require("transformers", extra="pretrained")
    check_source(source)
    kind = transformers.AutoConfig.from_pretrained(source).model_type
    if kind not in ("siglip", "siglip2"):
        raise ValueError(f"expected a model of type siglip or siglip2, got {kind!r}")
    model = transformers.AutoModel.from_pretrained(source)
    processor = transformers.AutoProcessor.from_pretrained(source)

    @torch.no_grad()
    def probabilities(photographs: Sequence[np.ndarray], texts: Sequence[str]) -> Float[Tensor, "b k"]:
        texts = [text.lower() for text in texts]
        for text in texts:
            length = len(processor.tokenizer(text)["input_ids"])
            if length > SIGLIP_CONTEXT:
                raise ValueError(f"expected at most {SIGLIP_CONTEXT} tokens, got {length}: {text[:60]!r}…")
        # These models were trained on texts of this length and have learned what padding means: it is not masked.
        given = processor(
            images=list(photographs), text=texts, padding="max_length", max_length=SIGLIP_CONTEXT, return_tensors="pt"
        )
        given.pop("attention_mask", None)
        return torch.sigmoid(model(**given).logits_per_image)

    return probabilities
