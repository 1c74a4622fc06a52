"""PromptBars: choose the words of a prompt and see which picture fits it, as HTML that needs nothing but a browser."""

import base64
import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minilib.interactive.fragment import asset, element, text
from minilib.interactive.pictures import as_bytes, data_uri, webp

LEVELS = 32767


class PromptBars:
    """Pictures, a prompt whose words can be chosen, and a bar for how well each picture fits it.

    Below, the chosen picture with every other word in one of the places: a zero-shot classifier at work. Shown by a
    notebook's last line or by `display`. All cosines are inside the HTML; the first prompt's are visible even where
    scripts do not run.

    Args:
        images: the pictures, float (3, h, w) in [-1, 1] or bytes (h, w, 3).
        cosines: of pictures and prompts, in [-1, 1]: shape (pictures, words in the first place, in the second, …).
        words: name of each place → the words that may stand there; a prompt is one of each, in order, with spaces.
        alts: what each picture shows, in a few words.
        alt: what all of them show.
        scale: what cosines are multiplied with before the softmax over words, 1/temperature.
        start: the first words, by number; by default the first of each place.
        vary: the place whose words are compared at first; by default the last.
        caption: a sentence below, plain text with $mathematics$. Leave it out where the page adds a numbered one.
        size: width of a picture on the screen, in CSS pixels.
    Attributes:
        kilobytes: size of the fragment in the page.
    Raises:
        TypeError: an image that is neither a tensor nor an array.
        ValueError: cosines of another shape or range, no pictures, a place without words, a start or place that does
            not exist, another number of `alts` than pictures, an empty alt text, a scale that is not positive or a size
            below 1.
    """

    def __init__(
        self,
        images: Sequence[Tensor | np.ndarray],
        cosines: Float[Tensor, "n ..."],
        words: Mapping[str, Sequence[str]],
        *,
        alts: Sequence[str],
        alt: str,
        scale: float,
        start: Sequence[int] = (),
        vary: str = "",
        caption: str = "",
        size: int = 72,
    ):
        shape = (len(images), *(len(some) for some in words.values()))
        if 0 in shape or not words:
            raise ValueError(f"expected pictures, and words for each place, got {shape[0]} and {dict(words)}")
        if tuple(cosines.shape) != shape:
            raise ValueError(
                f"expected cosines of shape {shape}: pictures, {', '.join(words)}; got {tuple(cosines.shape)}"
            )
        if not float(cosines.abs().max()) <= 1.0001:
            raise ValueError(
                f"expected cosines in [-1, 1], got {float(cosines.min()):.3g} to {float(cosines.max()):.3g}"
            )
        start, vary = list(start) or [0] * len(words), vary or list(words)[-1]
        if len(start) != len(words) or not all(0 <= i < n for i, n in zip(start, shape[1:], strict=True)):
            raise ValueError(f"expected a start below {shape[1:]}, one number for each place, got {tuple(start)}")
        if vary not in words:
            raise ValueError(f"expected vary to be one of {list(words)}, got {vary!r}")
        if len(alts) != shape[0]:
            raise ValueError(f"expected an alt text for each of {shape[0]} pictures, got {len(alts)}")
        if not alt.strip() or not all(one.strip() for one in alts):
            raise ValueError("expected alt texts that say what the pictures show, got an empty one")
        if not scale > 0 or size < 1:
            raise ValueError(f"expected scale > 0 and size >= 1, got {scale} and {size}")
        self._summary = f"{shape[0]} pictures, {int(np.prod(shape[1:]))} prompts"

        values = (cosines.detach().cpu().double().clamp(-1, 1) * LEVELS).round().to(torch.int16)
        first = [float(one[tuple(start)]) / LEVELS for one in values]
        high = max(float(values.max()) / LEVELS, 1e-9)
        buttons = [
            element(
                "button",
                element("span", class_="promptbars-picture", style=_background(image, f"image {i}")),
                element("span", class_="promptbars-bar", style=f"--share: {max(value, 0.0) / high:.3f}"),
                element("span", f"{value:.2f}", class_="promptbars-value"),
                type="button",
                aria_pressed="true" if i == int(np.argmax(first)) else "false",
                aria_label=f"{one}: cosine {value:.2f}",
                data_alt=one,
            )
            for i, (image, one, value) in enumerate(zip(images, alts, first, strict=True))
        ]
        choices = [
            element(
                "label",
                text(name),
                element(
                    "select",
                    *(
                        element("option", text(word) or "–", value=i, selected=i == chosen)
                        for i, word in enumerate(some)
                    ),
                ),
            )
            for (name, some), chosen in zip(words.items(), start, strict=True)
        ]
        prompt = " ".join(some[i] for some, i in zip(words.values(), start, strict=True)).strip()
        self._html = element(
            "figure",
            element("style", asset("promptbars.css")),
            element("div", *choices, class_="promptbars-words"),
            element("output", text(prompt), class_="promptbars-prompt", aria_live="polite"),
            element("div", *buttons, class_="promptbars-pictures"),
            element("p", class_="promptbars-about", aria_live="polite"),
            element("div", class_="promptbars-others", role="list"),
            element("figcaption", text(caption)) if caption else "",
            element("script", asset("promptbars.js")),
            class_="promptbars",
            role="group",
            aria_label=f"Prompt bars: {alt}",
            data_words=json.dumps({name: list(some) for name, some in words.items()}),
            data_cosines=base64.b64encode(values.numpy().astype("<i2").tobytes()).decode(),
            data_scale=f"{scale:.4g}",
            data_vary=list(words).index(vary),
            style=f"--size: {size}px",
        )

    @property
    def kilobytes(self) -> float:
        """Size of the fragment in the page, in kB."""
        return len(self._html.encode()) / 1000

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return f"PromptBars({self._summary}, {self.kilobytes:.0f} kB)"


def _background(image: Tensor | np.ndarray, name: str) -> str:
    return f"background-image: url({data_uri(webp(as_bytes(image, name=name)), 'webp')})"
