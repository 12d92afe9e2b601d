"""Suspects behind HTTP: batches, bounded concurrency, retries, a budget, and a ledger that loses nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Self

import numpy as np

from modelprint.core.access import Access
from modelprint.core.convention import Advice, Convention
from modelprint.core.errors import MisfitError, SuspectError
from modelprint.core.redaction import check_address, shown_url
from modelprint.core.suspect import Answers, Cost, Suspect
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.suspects.dialects import Dialect
from modelprint.suspects.discovery import find_dialect
from modelprint.suspects.interpret import require_scores
from modelprint.suspects.ledger import Ledger
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.proxies import check_carriers
from modelprint.suspects.wire import LostError, StatusError, Wire

BATCH_SIZE = 32
BUDGET = 200  # queries, unless a user says otherwise: whoever answers may charge for each
_SAMPLED = 20  # requests that are built to know how large they are
_REFUSING = frozenset({400, 413, 422})  # what a server says that does not take one of a batch's images
_MOST_REFUSED = 3  # queries; of more, as many must have been answered
logger = logging.getLogger(__name__)


class HttpSuspect(Suspect):
    """A server's model. Queries that the ledger knows are not asked again, nor is the same query twice.

    Args:
        url: as the user gave it; the suspect's identity, but for secrets.
        dialect: what it speaks, and where.
        wire: sends requests.
        ledger: where answers are kept as they arrive; None: in memory.
        batch_size: images per request.
        budget: the most images that are ever sent, those of retries and of the runs that this one resumes included.
            When it is spent, the other queries stay unanswered.
        progress: called with the number of queries answered, and of all.
    """

    free = False
    budget = BUDGET

    def __init__(
        self,
        url: str,
        dialect: Dialect,
        wire: Wire,
        *,
        ledger: Path | None = None,
        batch_size: int = BATCH_SIZE,
        max_sent: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        modality: Modality = IMAGE,
    ) -> None:
        self.modality: Modality = modality
        self.identity = shown_url(url)
        self.access = dialect.access
        self._opened_notes = (*dialect.notes, *dialect.index.outputs.notes)
        self.notes = self._opened_notes
        self.lacking = dialect.index.outputs.lacking
        self.dialect = dialect
        self.wire = wire
        self.batch_size = min(batch_size, dialect.largest_batch or batch_size)
        self.max_sent = max_sent
        self.progress = progress
        self.ledger = Ledger(ledger, suspect=self.identity, endpoint=dialect.endpoint)
        self._resumes: bool | None = None  # an earlier run, which nothing was said of yet; None: nothing was asked
        self._counting = threading.Lock()
        self._refused: dict[str, int] = {}  # the status of each query that was refused when it was sent alone

    @classmethod
    def connect(cls, url: str, options: SuspectOptions) -> Self:
        """Find out what a server speaks, without sending an input.

        Raises:
            SuspectError: no server there, none of the protocols, no such model, other images or classes.
        """
        check_address(url)
        if options.send_token:
            check_carriers(url)
        wire = Wire(
            timeout=options.timeout,
            retries=options.retries,
            backoff=options.backoff,
            connections=options.max_in_flight,
            rate=options.rate,
            send_token=options.send_token,
            token_header=options.token_header,
        )
        with wire:
            dialect = find_dialect(wire, url, options)
        return cls(
            url,
            dialect,
            wire,
            ledger=options.ledger,
            batch_size=options.batch_size or BATCH_SIZE,
            max_sent=options.max_sent,
            progress=options.progress,
            modality=options.modality,
        )

    def cost(self, images: np.ndarray, *, access: Access) -> Cost:
        """What asking would take, beyond what the ledger knows; nothing is sent and nothing written."""
        queries = self.modality.hashes(images)
        known = self.ledger.known(scores=access >= Access.SCORES)
        missing = sorted({query: place for place, query in enumerate(queries) if query not in known}.values())
        if self.max_sent is not None:
            missing = missing[: max(0, self.max_sent - known.sent)]
        batches = [missing[start : start + self.batch_size] for start in range(0, len(missing), self.batch_size)]
        sampled = batches[:: max(1, -(-len(batches) // _SAMPLED))]
        sent = sum(len(self.dialect.request(images[batch], access).body or b"") for batch in sampled)
        per_image = sent / max(1, sum(map(len, sampled)))
        times = [] if self.wire.round_trip is None else [self.wire.round_trip * len(batches) / self.wire.connections]
        times += [] if self.wire.rate is None else [max(0, len(batches) - 1) / self.wire.rate]
        return Cost(
            queries=len(images),
            answered=sum(query in known for query in queries),
            requests=len(batches),
            bytes=round(per_image * len(missing)),
            seconds=max(times, default=None) if batches else 0.0,
        )

    @property
    def repeats(self) -> bool:
        """A server can."""
        return True

    def again(self, inputs: np.ndarray, *, access: Access) -> Answers | None:
        """What the server says now, whatever the ledger knows; not kept. None where it does not answer at once."""
        parts: list[Answers] = []
        with self.ledger, self.wire:
            for start in range(0, len(inputs), self.batch_size):
                batch = inputs[start : start + self.batch_size]
                if self._allowed(len(batch)) < len(batch):
                    return None
                try:
                    body = self.dialect.exchange(self.wire, batch, access)
                    parts.append(self.dialect.answers(body, len(batch), access).restricted(access))
                except (LostError, SuspectError):
                    return None
        joined = parts[0]
        for part in parts[1:]:
            joined = joined.joined(part)
        return joined

    def advice(self, convention: Convention | None = None) -> Advice:
        """Options of servers, or the entry of a mapping file."""
        return Advice(how=self.dialect.preparing, classes="--class-names FILE (`modelprint map-classes` writes it)")

    def finish(self) -> None:
        """Mark the ledger complete, so that the next run starts afresh; call it when the last question was asked."""
        with self.ledger:
            self.ledger.finish()

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        scores = access >= Access.SCORES
        queries = self.modality.hashes(images)
        with self.ledger:
            places = {
                query: place for place, query in enumerate(queries) if not self.ledger.knows(query, scores=scores)
            }
            if self._resumes is None:
                self._resumes = len(self.ledger) > 0
            if self._resumes and places:
                self._resumes = False  # say it once
                logger.warning("%s: continues the run whose answers are in %s", self.identity, self.ledger.place)
            missing = sorted(places.values())
            batches = [missing[start : start + self.batch_size] for start in range(0, len(missing), self.batch_size)]
            try:
                self._collect([(images[batch], [queries[place] for place in batch]) for batch in batches], access)
            except SuspectError as error:
                kind = MisfitError if isinstance(error, MisfitError) else SuspectError
                raise kind(f"{error}. {self._kept(queries, scores)}") from error
            except KeyboardInterrupt:
                logger.warning("%s: stopped. %s", self.identity, self._kept(queries, scores))
                raise
            self._note_refused()
            return self.ledger.answers(queries, scores=scores, classes=self.dialect.classes)

    def _collect(self, batches: list[tuple[np.ndarray, list[str]]], access: Access) -> None:
        """Ask all batches, several at a time; the first failure stops what has not been sent."""
        total = sum(len(queries) for _, queries in batches)
        done = 0
        with self.wire, ThreadPoolExecutor(self.wire.connections) as pool:
            futures = [pool.submit(self._exchange, images, queries, access) for images, queries in batches]
            try:
                for future in as_completed(futures):
                    done += future.result()
                    if self.progress is not None:
                        self.progress(done, total)
            except BaseException:
                self.wire.stopped.set()
                for future in futures:
                    future.cancel()
                raise  # the pool waits for requests on their way, whose answers are still kept
        spent = total - done - sum(query in self._refused for _, queries in batches for query in queries)
        if spent:
            logger.warning(
                "%s: %s images were sent, the most allowed (--max-sent): %d queries stay unanswered",
                self.identity,
                self.max_sent,
                spent,
            )

    def _exchange(self, images: np.ndarray, queries: list[str], access: Access) -> int:
        """Ask one batch until it is answered and kept, or the run stops; how many of its images were answered."""
        try:
            return self._halved(images, queries, access)
        except BaseException:
            self.wire.stopped.set()  # here, so that no other thread begins a request meanwhile
            raise

    def _halved(self, images: np.ndarray, queries: list[str], access: Access) -> int:
        """Ask a batch; one that is refused is asked in halves, so that one image does not cost the others' answers."""
        try:
            return self._repeat(images, queries, access)
        except StatusError as error:
            if error.status not in _REFUSING:
                raise
            if len(queries) == 1:
                self._leave(queries[0], error)
                return 0
        middle = len(queries) // 2
        return sum(self._halved(images[part], queries[part], access) for part in (slice(middle), slice(middle, None)))

    def _leave(self, query: str, error: StatusError) -> None:
        """Leave a query unanswered that the server refuses.

        Raises:
            StatusError: it refuses more than it answers: the request is wrong, not the query.
        """
        with self._counting:
            self._refused[query] = error.status
            if len(self._refused) >= max(_MOST_REFUSED, len(self.ledger) + 1):
                raise error

    def _note_refused(self) -> None:
        """Say in the verdict what was refused."""
        if self._refused:
            statuses = ", ".join(map(str, sorted(set(self._refused.values()))))
            note = f"the server refused {len(self._refused)} queries (status {statuses}), which count as unanswered"
            self.notes = (*self._opened_notes, note)
            logger.warning("%s: %s", self.identity, note)

    def _repeat(self, images: np.ndarray, queries: list[str], access: Access) -> int:
        attempt = 0
        while not self.wire.stopped.is_set():
            allowed = self._allowed(len(images))
            if not allowed:
                return 0
            images, queries = images[:allowed], queries[:allowed]
            try:
                body = self.dialect.exchange(self.wire, images, access)
            except LostError as error:
                if not error.sent:
                    self.ledger.note_sent(-allowed)
                if self.wire.stopped.is_set():
                    break  # another thread's failure tells why
                attempt += 1
                self.wire.pause(error, attempt)
                continue
            answers = self.dialect.answers(body, allowed, access).restricted(access)
            self.ledger.keep(queries, answers)
            require_scores(answers, access, who=self.identity)
            return allowed
        return 0

    def _allowed(self, images: int) -> int:
        """How many of these images may be sent; they are counted as sent."""
        with self._counting:
            if self.max_sent is not None:
                images = min(images, max(0, self.max_sent - self.ledger.sent))
            if images:
                self.ledger.note_sent(images)
            return images

    def _kept(self, queries: list[str], scores: bool) -> str:
        kept = sum(self.ledger.knows(query, scores=scores) for query in queries)
        advice = "the same command resumes there" if self.ledger.path is not None else "they end with this process"
        return f"{kept} of {len(queries)} answers are kept in {self.ledger.place}: {advice}"
