"""SAM 2's memory bank: which frames a frame may look at (Ravi et al. 2024, section 4)."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Memory(NamedTuple):
    """What is kept of a frame.

    Attributes:
        features: where the object is in it, a token for each place.
        pointer: what the object is.
    """

    features: Float[Tensor, "b n c"]
    pointer: Float[Tensor, "b d"]


class MemoryBank:
    """The memories of one object in one video.

    A frame looks at all frames that had a prompt, wherever they are, and at its `num_memories` − 1 nearest neighbours
    on the side that tracking comes from: those before it or, in reverse, those after it. It also gets the pointers of
    frames on that side: of all that had a prompt, and of its `max_pointers` − 1 nearest neighbours.

    Args:
        num_memories: 1 for frames with prompts alone, 0 for none at all.
        max_pointers: 0 for none at all.
    Attributes:
        prompted, tracked: memories by the number of their frame.
    Raises:
        ValueError: a negative number.
    """

    def __init__(self, *, num_memories: int, max_pointers: int):
        if num_memories < 0 or max_pointers < 0:
            raise ValueError(f"expected num_memories >= 0 and max_pointers >= 0, got {num_memories} and {max_pointers}")
        self.num_memories, self.max_pointers = num_memories, max_pointers
        self.prompted: dict[int, Memory] = {}
        self.tracked: dict[int, Memory] = {}

    def add(self, frame: int, memory: Memory, *, prompted: bool) -> None:
        """Keeps the memory of a frame, in place of an earlier one; a frame that had a prompt stays one that had."""
        if prompted or frame in self.prompted:
            self.tracked.pop(frame, None)
            self.prompted[frame] = memory
        else:
            self.tracked[frame] = memory

    def memories(self, frame: int, *, reverse: bool = False) -> list[tuple[int, Memory]]:
        """Memories for a frame, each with the number of frames it is away; 0 for one that had a prompt, whose distance
        does not count."""
        if self.num_memories == 0:
            return []
        prompted = [(0, memory) for other, memory in self.prompted.items() if other != frame]
        return prompted + self._neighbours(frame, self.num_memories - 1, reverse)

    def pointers(self, frame: int, *, reverse: bool = False) -> list[tuple[int, Memory]]:
        """Memories whose pointers a frame gets, each with the number of frames it is away."""
        if self.max_pointers == 0:
            return []
        sign = -1 if reverse else 1
        away = {other: sign * (frame - other) for other in self.prompted}
        prompted = [(away[other], memory) for other, memory in self.prompted.items() if away[other] > 0]
        return prompted + self._neighbours(frame, self.max_pointers - 1, reverse)

    def _neighbours(self, frame: int, most: int, reverse: bool) -> list[tuple[int, Memory]]:
        places = {away: frame + away if reverse else frame - away for away in range(1, most + 1)}
        return [(away, self.tracked[other]) for away, other in places.items() if other in self.tracked]
