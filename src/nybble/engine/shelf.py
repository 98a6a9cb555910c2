"""What recomputed layers keep between forward and backward: on the device, or on the host.

Tensors of a kind lie in one block: between other tensors, each would leave a hole behind it.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

Kinds = tuple[Tensor, ...]


class Shelf(Protocol):
    """A stack of entries: of each kind a tensor [tokens, width], or of the first kinds only."""

    def put(self, *kinds: Tensor) -> None: ...

    def close(self) -> None: ...

    def take(self) -> Kinds: ...


class _Places:
    """Where in `blocks`, of each kind [entries, tokens, width], an entry's tensors lie."""

    def __init__(self, blocks: Sequence[Tensor]) -> None:
        self.blocks = blocks
        self.filled = [0] * len(blocks)
        self.entries: list[int] = []

    def push(self, kinds: int) -> Kinds:
        """Room for an entry of so many kinds."""
        self.entries.append(kinds)
        room = tuple(self.blocks[kind][self.filled[kind]] for kind in range(kinds))
        for kind in range(kinds):
            self.filled[kind] += 1
        return room

    def pop(self) -> Kinds:
        """The entry that was pushed last."""
        kinds = self.entries.pop()
        for kind in range(kinds):
            self.filled[kind] -= 1
        return tuple(self.blocks[kind][self.filled[kind]] for kind in range(kinds))


class DeviceShelf:
    """A stack in blocks on the device."""

    def __init__(self, blocks: Sequence[Tensor]) -> None:
        self.places = _Places(blocks)

    def put(self, *kinds: Tensor) -> None:
        """Keep copies."""
        for room, x in zip(self.places.push(len(kinds)), kinds, strict=True):
            room.copy_(x)

    def close(self) -> None:
        """Nothing is on its way."""

    def take(self) -> Kinds:
        """The entry that was put last."""
        return self.places.pop()


class HostShelf:
    """A stack in `blocks`, which are pinned memory of the host.

    Copies run on `stream`, beside the computation: an entry leaves while the next two layers are
    computed, and is fetched while the layer above it is differentiated.
    """

    AT_ONCE = 2

    def __init__(self, blocks: Sequence[Tensor], stream: torch.cuda.Stream) -> None:
        self.places = _Places(blocks)
        self.stream = stream
        self.leaving: list[tuple[torch.cuda.Event, Kinds]] = []
        self.coming: Kinds | None = None

    def put(self, *kinds: Tensor) -> None:
        """Begin to copy an entry out; the one `AT_ONCE` before it has left by then."""
        if len(self.leaving) == self.AT_ONCE:
            left, _ = self.leaving.pop(0)
            torch.cuda.current_stream().wait_event(left)
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for room, x in zip(self.places.push(len(kinds)), kinds, strict=True):
                room.copy_(x, non_blocking=True)
            left = torch.cuda.Event()  # type: ignore[no-untyped-call]
            left.record(self.stream)
        self.leaving.append((left, kinds))

    def close(self) -> None:
        """The last entry was put: let go of those that were on their way, before memory peaks."""
        # A capture must not wait for a stream that nothing was sent to.
        if self.leaving:
            torch.cuda.current_stream().wait_stream(self.stream)
            self.leaving.clear()

    def take(self) -> Kinds:
        """The entry that was put last; the one before it is fetched meanwhile."""
        if self.coming is None:
            self._fetch()
        # What the copying stream writes may be used after this.
        torch.cuda.current_stream().wait_stream(self.stream)
        entry, self.coming = self.coming, None
        assert entry is not None
        if self.places.entries:
            self._fetch()
        return entry

    def _fetch(self) -> None:
        rooms = self.places.pop()
        self.coming = tuple(torch.empty_like(room, device=self.stream.device) for room in rooms)
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for x, room in zip(self.coming, rooms, strict=True):
                x.copy_(room, non_blocking=True)
