"""Byte-pair encoding, from any text to numbers and back (Sennrich et al. 2016; with CLIP's conventions)."""

import html
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import regex
import torch
from jaxtyping import Int
from torch import Tensor

from minilib.errors import require

START, END = "<start_of_text>", "<end_of_text>"
WORD_END = "</w>"
WORDS = regex.compile(rf"{START}|{END}|'s|'t|'re|'ve|'m|'ll|'d|\p{{L}}+|\p{{N}}|[^\s\p{{L}}\p{{N}}]+", regex.IGNORECASE)
"""What counts as a word: English endings, runs of letters, single digits, runs of anything else."""

Pair = tuple[str, str]


@lru_cache
def byte_letters() -> dict[int, str]:
    """A visible letter for each byte: itself where it is printable, one beyond Latin-1 where it is not."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}


def plain(text: str) -> str:
    """Lower case, with single spaces."""
    return " ".join(text.split()).lower()


def repaired(text: str) -> str:
    """`plain`, after repairing broken characters and HTML, as OpenAI did.

    Raises:
        ImportError: ftfy, which does the repair, is not installed.
    """
    fixed = require("ftfy", extra="pretrained").fix_text(text)
    return plain(html.unescape(html.unescape(fixed)))


class Tokenizer:
    """Words become known pieces, the longest that training found useful; any string at all can be encoded.

    The vocabulary is the 256 bytes, the same at the end of a word, one piece for each merge, and the marks of start and
    end, which is the largest number. What follows the end is filled with zeros.

    Args:
        merges: pairs of pieces that become one, the most frequent first; see `learn_merges`.
        context_length: numbers in a sequence, start and end included.
        clean: what is done to a text first.
    Raises:
        ValueError: a context too short for one piece, or a merge of pieces that do not exist before it.
    """

    def __init__(
        self, merges: Sequence[Pair], *, context_length: int = 77, clean: Callable[[str], str] = plain
    ) -> None:
        if context_length < 3:
            raise ValueError(f"expected context_length >= 3: start, a piece, end; got {context_length}")
        letters = list(byte_letters().values())
        pieces = letters + [letter + WORD_END for letter in letters]
        known = set(pieces)
        for first, second in merges:
            if first not in known or second not in known:
                raise ValueError(f"expected merges of pieces that came before, got {first!r} and {second!r}")
            known.add(first + second)
            pieces.append(first + second)
        self.pieces = [*pieces, START, END]
        self.numbers = {piece: number for number, piece in enumerate(self.pieces)}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.context_length = context_length
        self.clean = clean
        self.split = lru_cache(maxsize=2**16)(self._split)

    @property
    def vocab_size(self) -> int:
        """Number of pieces, with start and end."""
        return len(self.pieces)

    @property
    def end(self) -> int:
        """Number of the piece that ends a text."""
        return self.vocab_size - 1

    def _split(self, word: str) -> tuple[str, ...]:
        """The pieces of a word: of all neighbours that may merge, those that were learned first, again and again."""
        if word in (START, END):
            return (word,)
        letters = [byte_letters()[byte] for byte in word.encode()]
        pieces = [*letters[:-1], letters[-1] + WORD_END]
        while len(pieces) > 1:
            best = min(pairwise(pieces), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            pieces = merged(pieces, best)
        return tuple(pieces)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's pieces, without start and end."""
        return [self.numbers[piece] for word in WORDS.findall(self.clean(text)) for piece in self.split(word)]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of pieces, words set apart by spaces; start, end and what follows the end are left out.

        Raises:
            ValueError: a number that is not in the vocabulary.
        """
        pieces = []
        for number in numbers:
            if not 0 <= number < self.vocab_size:
                raise ValueError(f"expected numbers in 0..{self.vocab_size - 1}, got {number}")
            if number == self.end:
                break
            if self.pieces[number] != START:
                pieces.append(self.pieces[number])
        bytes_of = {letter: byte for byte, letter in byte_letters().items()}
        text = "".join(pieces).replace(WORD_END, " ").strip()
        return bytes(bytes_of.get(letter, 32) for letter in text).decode(errors="replace")

    def __call__(self, texts: str | Sequence[str], *, truncate: bool = False) -> Int[Tensor, "b n"]:
        """Texts as rows of equal length.

        Args:
            texts: one or several.
            truncate: cut what is too long, keeping the end mark, instead of refusing it.
        Raises:
            ValueError: no texts, or one that is too long and no `truncate`; says how long it is.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts:
            raise ValueError("expected at least one text, got none")
        rows = torch.zeros(len(texts), self.context_length, dtype=torch.long)
        for row, text in zip(rows, texts, strict=True):
            numbers = [self.end - 1, *self.encode(text), self.end]
            if len(numbers) > self.context_length:
                if not truncate:
                    raise ValueError(
                        f"expected at most {self.context_length} tokens with start and end, got {len(numbers)}:"
                        f" {text[:60]!r}…; shorten the text, or pass truncate=True"
                    )
                numbers = [*numbers[: self.context_length - 1], self.end]
            row[: len(numbers)] = torch.tensor(numbers)
        return rows


def merged(pieces: Sequence[str], pair: Pair) -> list[str]:
    """Pieces in which a pair of neighbours has become one, wherever it stands, from the left."""
    result, i = [], 0
    while i < len(pieces):
        if tuple(pieces[i : i + 2]) == pair:
            result.append(pair[0] + pair[1])
            i += 2
        else:
            result.append(pieces[i])
            i += 1
    return result


def learn_merges(texts: Iterable[str], num_merges: int, *, clean: Callable[[str], str] = plain) -> list[Pair]:
    """The merges that training texts suggest (Sennrich et al. 2016, algorithm 1).

    Again and again the most frequent pair of neighbours becomes one piece; of equally frequent ones the first in the
    alphabet. Words are counted once, so the time depends on how many *different* ones there are.

    Args:
        texts: to learn from.
        num_merges: at most; fewer where every word has become one piece.
        clean: as for `Tokenizer`.
    Raises:
        ValueError: a negative number of merges.
    """
    if num_merges < 0:
        raise ValueError(f"expected num_merges >= 0, got {num_merges}")
    counts = Counter(word for text in texts for word in WORDS.findall(clean(text)))
    words = []
    for word, count in counts.items():
        letters = [byte_letters()[byte] for byte in word.encode()]
        words.append(([*letters[:-1], letters[-1] + WORD_END], count))
    merges: list[Pair] = []
    for _ in range(num_merges):
        pairs: Counter[Pair] = Counter()
        for pieces, count in words:
            for pair in pairwise(pieces):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = [(merged(pieces, best), count) for pieces, count in words]
    return merges
