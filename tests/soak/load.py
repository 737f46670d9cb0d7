"""Load on a server in which every reply is looked at: it must be the picture of its own seed, come once,
and come at all."""

import array
import asyncio
import collections
import dataclasses
import json
import time

SHOWN_FAULTS = 20


@dataclasses.dataclass
class Outcome:
    """What became of the requests of one load."""

    sent: int = 0
    right: int = 0
    refused: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by code
    faults: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # lost, ...
    examples: list = dataclasses.field(default_factory=list)
    times_s: array.array = dataclasses.field(default_factory=lambda: array.array("f"))
    refusal_times_s: array.array = dataclasses.field(default_factory=lambda: array.array("f"))
    seconds: float = 0.0

    def fault(self, kind, what):
        self.faults[kind] += 1
        if len(self.examples) < SHOWN_FAULTS:
            self.examples.append(f"{kind}: {what}")

    def add(self, other):
        self.sent += other.sent
        self.right += other.right
        self.refused += other.refused
        self.faults += other.faults
        self.examples = (self.examples + other.examples)[:SHOWN_FAULTS]
        self.times_s += other.times_s
        self.refusal_times_s += other.refusal_times_s
        self.seconds += other.seconds

    def figures(self):
        """For people: rounded, without what is zero."""
        figures = {
            "requests": self.sent,
            "right": self.right,
            **{kind: self.faults[kind] for kind in ("lost", "doubled", "wrong")},
            "per_s": round(self.right / self.seconds, 1) if self.seconds else 0,
            "p50_ms": percentile_ms(self.times_s, 0.5),
            "p99_ms": percentile_ms(self.times_s, 0.99),
        }
        if self.refused:
            figures["refused"] = dict(self.refused)
        return figures


def percentile_ms(times_s, share):
    ordered = sorted(times_s)
    return round(ordered[int(share * (len(ordered) - 1))] * 1000, 3) if ordered else None


class Pictures:
    """The requests that a load repeats, one a seed, and what each must bring."""

    def __init__(self, server, prompt="a red apple", seeds=1024, **fields):
        self.bodies = [
            json.dumps({"prompt": prompt, "seed": seed, **fields}).encode() for seed in range(seeds)
        ]
        # Asked for one after the other: nothing can be mixed up.
        replies = [server.generate(prompt, seed=seed, **fields) for seed in range(seeds)]
        assert all(reply.status_code == 200 for reply in replies)
        assert [int(reply.headers["X-Seed"]) for reply in replies] == list(range(seeds))
        is_json = fields.get("response_format") == "b64_json"
        self.expected = [json.dumps(reply.json()["images"]).encode() if is_json else reply.content
                         for reply in replies]
        assert len(set(self.expected)) > 0.9 * seeds, "pictures of different seeds must differ"

    def request(self, number):
        """The bytes of request `number`, and its seed."""
        seed = number % len(self.bodies)
        head = (
            b"POST /generate-image HTTP/1.1\r\nHost: soak\r\nAccept: image/png\r\nX-Request-Id: %d\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (number, len(self.bodies[seed]))
        )
        return head + self.bodies[seed], seed


class Client(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, load):
        self.load = load
        self.buffer = bytearray()
        self.number = None  # of the request that waits for its reply
        self.is_fresh = True
        self.closes = False

    def connection_made(self, transport):
        self.transport = transport
        self.load.free(self)

    def send(self, number, due):
        self.number, self.due, self.began = number, due, time.monotonic()
        request, self.seed = self.load.pictures.request(number)
        self.load.outcome.sent += 1
        self.transport.write(request)

    def data_received(self, data):
        self.buffer += data
        head_end = self.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self.buffer[: head_end + 2])
        length = int(field(head, b"content-length"))
        if len(self.buffer) < head_end + 4 + length:
            return
        body = bytes(self.buffer[head_end + 4 : head_end + 4 + length])
        del self.buffer[: head_end + 4 + length]
        self._take(head, body)

    def _take(self, head, body):
        outcome = self.load.outcome
        if self.number is None:
            return outcome.fault("doubled", head[:200])
        self.load.judge(self, head, body)
        self.number, self.is_fresh = None, False
        self.closes = field(head, b"connection").lower() == b"close"
        if self.buffer:
            outcome.fault("doubled", bytes(self.buffer[:200]))
        if self.closes:
            self.transport.close()
        else:
            self.load.free(self)

    def connection_lost(self, error):
        if self.number is not None:
            # A connection that the server never took up is the backlog's loss, and told apart.
            kind = "never_taken" if self.is_fresh and not self.buffer else "lost"
            self.load.outcome.fault(kind, f"request {self.number}: {error or 'closed'}")
            self.load.ended()
        self.load.gone(self)


def field(head, name):
    at = head.lower().find(b"\r\n" + name + b":")
    return head[at + len(name) + 3 : head.index(b"\r\n", at + 2)].strip() if at >= 0 else b""


class Load:
    """`connections` clients send `requests` requests, or for `seconds`: each as soon as it has its reply,
    or, with `rate_per_s`, all together so many a second whether replies come or not."""

    def __init__(self, port, pictures, connections, requests=None, seconds=None, rate_per_s=None):
        self.port, self.pictures, self.connections = port, pictures, connections
        self.requests, self.seconds, self.rate_per_s = requests, seconds, rate_per_s
        self.outcome = Outcome()
        self.next_number = 0
        self.in_flight = 0
        self.idle = collections.deque()  # each takes its turn: none idles until the server closes it
        self.due = collections.deque()
        self.alive = 0
        self.is_over = False
        self.on_reply = lambda: None

    async def run(self):
        self.done = asyncio.Event()
        began = time.monotonic()
        self.ends_at = began + self.seconds if self.seconds else float("inf")
        await asyncio.gather(*(self._connect() for _ in range(self.connections)))
        if self.rate_per_s:
            await self._arrive()
        await self.done.wait()
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    async def _connect(self):
        loop = asyncio.get_running_loop()
        try:
            self.alive += 1
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self.port)
        except OSError:  # nobody listens any more
            self.alive -= 1
            self._end_if_over()

    async def _arrive(self):
        """Requests become due at their time; one that finds no free connection waits for it."""
        began = time.monotonic()
        while self._has_more():
            due = began + self.next_number / self.rate_per_s
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if self.idle:
                self._send(self.idle.popleft(), due)
            else:
                self.due.append((self.next_number, due))
                self.next_number += 1
        self.is_over = True
        self._end_if_over()

    def _has_more(self):
        if self.is_over or time.monotonic() >= self.ends_at:
            return False
        return self.requests is None or self.next_number < self.requests

    def _send(self, client, due):
        self.in_flight += 1
        client.send(self.next_number, due)
        self.next_number += 1

    def free(self, client):
        """Called when a connection has nothing to do."""
        if self.due:
            number, due = self.due.popleft()
            self.in_flight += 1
            client.send(number, due)
        elif self.rate_per_s and not self.is_over:
            self.idle.append(client)
        elif not self.rate_per_s and self._has_more():
            self._send(client, time.monotonic())
        else:
            self.is_over = True
            client.transport.close()

    def judge(self, client, head, body):
        outcome, now = self.outcome, time.monotonic()
        status = int(head.split(b" ", 2)[1])
        if field(head, b"x-request-id") != b"%d" % client.number:
            outcome.fault("wrong", f"request {client.number} got the reply of another: {head[:300]}")
        elif status == 200 and body == self.pictures.expected[client.seed]:
            outcome.right += 1
            outcome.times_s.append(now - client.due)
        elif status in (429, 503, 504):
            outcome.refused[json.loads(body)["error"]["code"]] += 1
            outcome.refusal_times_s.append(now - client.began)
        else:
            outcome.fault("wrong", f"request {client.number} of seed {client.seed}: {head[:300]}")
        self.ended()
        self.on_reply()

    def ended(self):
        self.in_flight -= 1

    def gone(self, client):
        self.alive -= 1
        if client in self.idle:
            self.idle.remove(client)
        if not self.is_over:
            asyncio.get_running_loop().create_task(self._connect())
        self._end_if_over()

    def _end_if_over(self):
        # Without a connection left nothing can come any more.
        if (self.is_over and self.in_flight == 0 and not self.due) or self.alive == 0:
            for client in self.idle:
                client.transport.close()
            self.done.set()


def run_load(port, pictures, **options):
    return asyncio.run(Load(port, pictures, **options).run())
