"""Several processes of one training: how they meet, agree, and notice that one of them is gone.

Every process shows a sign of life in the store where they met, and looks for those of the others.
So a process that was killed is named within seconds, also where an all-reduce would wait for it
for half an hour.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from torch import distributed
from torch._C._distributed_c10d import Store

from nybble.engine.team import team_here
from nybble.runs.errors import EXIT_FAILED, InputError, NybbleError
from nybble.runs.place import Place

BEAT_SECONDS = 1.0
# Without a sign for so long a process counts as gone; loading a model may hold up a thread.
SILENCE_SECONDS = 12.0
# The error is raised by the training itself if it can be; after so long the process just ends.
GRACE_SECONDS = 5.0
# To load and prepare; and for what the first process does alone.
PATIENCE = timedelta(minutes=30)
LEAVE_SECONDS = 20.0

GONE = "gone"
FIX = (
    "Its own output or the system's log says why (often memory); `nybble resume RUN`, started with "
    "torchrun in the same way, goes on from the last checkpoint."
)


class Lookout(threading.Thread):
    """Shows this process' signs of life, and watches those of the others.

    `verdict` says who is gone, once one is.
    """

    def __init__(self, store: Store, place: Place) -> None:
        super().__init__(daemon=True, name="lookout")
        self.store = store
        self.place = place
        self.verdict: str | None = None
        self.found = threading.Event()
        self.stopped = threading.Event()
        self.taken = threading.Event()

    def run(self) -> None:
        """Beat and look, until told to stop or until another process is gone."""
        signs: dict[int, tuple[int, float]] = {}
        beat = 0
        while not self.stopped.wait(BEAT_SECONDS):
            beat += 1
            try:
                self.store.set(f"beat/{self.place.rank}", str(beat))
                self.verdict = self._look(signs)
            except RuntimeError:
                if not self.stopped.is_set():
                    self.verdict = "The process that the others had met at is gone."
            if self.verdict:
                self.found.set()
                break
        if self.verdict and not self.stopped.is_set():
            self._end()

    def _look(self, signs: dict[int, tuple[int, float]]) -> str | None:
        now = time.monotonic()
        if self.store.check([GONE]):
            return str(self.store.get(GONE), "utf-8")
        for rank in range(self.place.size):
            if rank == self.place.rank or not self.store.check([f"beat/{rank}"]):
                continue
            beat = int(self.store.get(f"beat/{rank}"))
            last, since = signs.get(rank, (-1, now))
            if beat != last:
                signs[rank] = (beat, now)
            elif now - since > SILENCE_SECONDS and not self.store.check([f"left/{rank}"]):
                return (
                    f"Process {rank} of {self.place.size} is gone: no sign of it for "
                    f"{SILENCE_SECONDS:.0f} s."
                )
        return None

    def _end(self) -> None:
        """End the process, where its training waits for one that is gone and cannot say so."""
        if not self.taken.wait(GRACE_SECONDS) and not self.stopped.is_set():
            print(f"{self.verdict}\n{FIX}", file=sys.stderr, flush=True)
            os._exit(EXIT_FAILED)

    def take(self) -> str:
        """Wait for the verdict of an all-reduce that failed, to raise it."""
        self.taken.set()
        self.found.wait(SILENCE_SECONDS + 4 * BEAT_SECONDS)
        return self.verdict or "The processes of this training lost one another."


@contextmanager
def joined(place: Place) -> Iterator[None]:
    """Meet the other processes at MASTER_ADDR and MASTER_PORT; one alone meets nobody.

    Raises `NybbleError` that names the process which ended first, when one does.
    """
    if place.size == 1:
        yield
        return
    store = _meet(place)
    lookout = Lookout(store, place)
    lookout.start()
    try:
        yield
        _leave(store, place)
    except (distributed.DistError, RuntimeError) as error:
        if not _lost(error):
            _tell(store, place, error)
            raise
        verdict = lookout.take()
        raise NybbleError(verdict, FIX) from error
    except BaseException as error:
        _tell(store, place, error)
        raise
    finally:
        lookout.stopped.set()
        lookout.join(2 * BEAT_SECONDS)
        # Frees the ports; a group that lost a process may not end in order.
        if sys.exc_info()[0] is None:
            distributed.destroy_process_group()


def of_first(what: str, mine: int) -> int:
    """The first process' value of `what`."""
    team = team_here()
    if team.size == 1:
        return mine
    store = distributed.distributed_c10d._get_default_store()
    if team.leads:
        store.set(f"of_first/{what}", str(mine))
    return int(store.get(f"of_first/{what}"))


def agree(mine: Mapping[str, object]) -> None:
    """Raise `InputError` where this process is about to train otherwise than the first one."""
    team = team_here()
    if team.size == 1:
        return
    store = distributed.distributed_c10d._get_default_store()
    store.set(f"about/{team.rank}", json.dumps(mine, default=str))
    first = json.loads(store.get("about/0"))
    for what, value in json.loads(json.dumps(mine, default=str)).items():
        if first[what] != value:
            raise InputError(
                f"Process {team.rank} of {team.size} has another {what} than the first: {value} "
                f"where that one has {first[what]}.",
                "Start the same command on all machines, with the same data and versions.",
            )


def _meet(place: Place) -> Store:
    import torch

    backend = "nccl" if torch.cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(
            backend, rank=place.rank, world_size=place.size, timeout=PATIENCE
        )
    except (distributed.DistError, RuntimeError, ValueError) as error:
        raise NybbleError(
            f"Process {place.rank} of {place.size} did not meet the others: {error}",
            "Start all of them with torchrun; on several machines, name the same --rdzv-endpoint.",
        ) from error
    store: Store = distributed.distributed_c10d._get_default_store()
    return store


def _lost(error: Exception) -> bool:
    """Whether an all-reduce failed because another process is no longer there."""
    text = str(error).lower()
    return isinstance(error, distributed.DistError) or "gloo" in text or "nccl" in text


def _tell(store: Store, place: Place, error: BaseException) -> None:
    """Let the others know why this process ends, unless they know of a first one."""
    said = " ".join(str(error).splitlines()[:1]) or type(error).__name__
    reason = f"Process {place.rank} of {place.size} ended: {said}"
    try:
        if not store.check([GONE]):
            store.set(GONE, reason)
        time.sleep(2 * BEAT_SECONDS)
    except RuntimeError:
        return


def _leave(store: Store, place: Place) -> None:
    """Say good-bye; the first process, which may hold the store, waits for the others."""
    store.set(f"left/{place.rank}", "1")
    until = time.monotonic() + LEAVE_SECONDS
    others = [f"left/{rank}" for rank in range(place.size)] if place.leads else []
    while others and not store.check(others) and time.monotonic() < until:
        time.sleep(BEAT_SECONDS / 4)
