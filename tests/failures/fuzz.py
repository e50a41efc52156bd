"""Requests that nobody would write, to every route of the demo: collector, dashboard, course site.

Half of them are nearly right, or they would all end at the first check. A seed gives the same requests again; where a
promise is broken, the verdict names the seed.
"""

import json
import random
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.failures.attacks import resident_of
from tests.failures.load import Progress, Result
from tests.processes import API_KEY, DATASET, TOKEN, Process, call, free_pair, until

CANARY = "canary.person@example.org"
PATHS = [
    "/events", "/visitors", "/withdraw", "/livez", "/readyz", "/metrics", "/openapi.json", "/dashboard",
    "/dashboard/data", "/dashboard/event", "/dashboard/static/dashboard.js", "/register", "/contact", "/view-content",
    "/payment-webhook", "/", "/courses/python", "/checkout/x", "/checkout/x/pay", "/thanks/x", "/meta-tracking.js",
    "/static/style.css", "/webhooks/stripe",
]  # fmt: skip
POSTS = {"/events", "/visitors", "/withdraw", "/register", "/contact", "/view-content", "/payment-webhook"}
METHODS = ["GET", "POST", "POST", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "M-SEARCH", "get", "X"]
HOSTILE = [
    "", "\0", "%00", "..", "../../etc/passwd", "é", "\u202e", "😀", "\ud800", "a" * 3_000, "null", "-1", "1e999", "NaN",
    "0" * 400, "<script>", "'; DROP TABLE events;--", "{{7*7}}", "${jndi:ldap://x}", "\r\nX: y", "%0d%0aX:y", "[::1",
    "https://[::1", "http://", "//", "\\", "٣", "\u212a", "1\u0001", CANARY, f"https://x/?e={CANARY}", "%ff%fe", "+",
]  # fmt: skip
NAMES = [
    "origin", "referer", "host", "authorization", "cookie", "user-agent", "x-forwarded-for", "x-forwarded-proto",
    "forwarded", "content-type", "content-encoding", "content-length", "transfer-encoding", "accept", "expect", "range",
    "if-none-match", "if-modified-since", "accept-encoding", "accept-language", "upgrade", "connection", "sec-gpc",
    "stripe-signature", "x-http-method-override", "access-control-request-method", "via", "te", "trailer", "x y", "é",
]  # fmt: skip
KEYS = [
    "event_name", "event_id", "event_time", "user_data", "custom_data", "data", "pixel", "consent", "gpc", "key",
    "action_source", "event_source_url", "email", "em", "phone", "name", "message", "course_id", "fbp", "fbc", "value",
    "currency", "contents", "content_ids", "event_ids", "client_ip_address", "client_user_agent", "external_id",
    "content_data", "content_name", "type", "object", "id", "__proto__", "mobile",
]  # fmt: skip


class Generator:
    def __init__(self, seed: object, origin: str) -> None:
        self.chance, self.origin = random.Random(str(seed)), origin

    def request(self) -> tuple[bytes, bool]:
        """Raw bytes, and whether they are a whole request."""
        chance = self.chance
        if chance.random() < 0.6:
            return self.nearly_right(), True
        body = self.body() if chance.random() < 0.8 else b""
        headers = self.headers()
        target = self.target()
        framing, is_whole = chance.random(), True
        if framing < 0.8:
            headers.append(("Content-Length", str(len(body))))
        elif framing < 0.95:
            headers.append(("Transfer-Encoding", "chunked"))
            cut = chance.randint(0, len(body))
            pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"
            body += b"Authorization: Bearer x\r\n" * (chance.random() < 0.2) + b"\r\n"
        else:
            headers.append(("Content-Length", chance.choice(["-1", "9" * 30, "1e3", "0x10", "", " 5", "5,5", "٣"])))
            is_whole = len(body) >= 5  # the server waits for the rest of what is shorter
        version = chance.choice(["HTTP/1.1"] * 12 + ["HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "", "http/1.1"])
        lines = [f"{chance.choice(METHODS)} {target} {version}", *(f"{name}: {value}" for name, value in headers)]
        raw = "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body
        if chance.random() < 0.03:
            return raw[: chance.randint(1, len(raw))], False
        if chance.random() < 0.03:
            raw, is_whole = bytes(byte ^ (chance.random() < 0.02) * chance.randint(1, 255) for byte in raw), False
        return raw, is_whole

    def nearly_right(self) -> bytes:
        """One thing is wrong with it, or nothing."""
        chance = self.chance
        path = chance.choice(PATHS)
        is_post = path in POSTS
        body = json.dumps(self.event(chance.choice([0, 0, 1]))).encode("utf-8", "surrogatepass") if is_post else b""
        headers = [
            ("Host", "127.0.0.1"),
            chance.choice([("Origin", self.origin), ("Authorization", f"Bearer {API_KEY}")]),
            ("Content-Length", str(len(body))),
        ]
        if is_post:
            headers.append(("X-Forwarded-For", f"198.51.{chance.randint(0, 255)}.{chance.randint(0, 255)}"))
        if chance.random() < 0.3:
            name = chance.choice([name for name in NAMES if name not in ("content-length", "transfer-encoding")])
            headers.append((name, self.hostile()))
        lines = [f"{'POST' if is_post else 'GET'} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body

    def target(self) -> str:
        chance = self.chance
        path = chance.choice(PATHS)
        change = chance.random()
        if change < 0.15:
            path += "/" + self.hostile()
        elif change < 0.2:
            path = "http://x" + path
        elif change < 0.25:
            path = chance.choice(["*", "", "//" + path, path.upper(), path + "/", path.replace("/", "/%2e/"), "?", "#"])
        if chance.random() < 0.2:
            path += f"?{chance.choice(KEYS)}={self.hostile()}&{chance.choice(KEYS)}"
        return path.replace(" ", "%20") if chance.random() < 0.9 else path

    def headers(self) -> list[tuple[str, str]]:
        chance = self.chance
        headers = [("Host", "127.0.0.1")] if chance.random() < 0.95 else []
        if chance.random() < 0.5:
            address = f"198.51.{chance.randint(0, 255)}.{chance.randint(0, 255)}"
            headers.append(("X-Forwarded-For", address if chance.random() < 0.8 else self.hostile()))
        if chance.random() < 0.8:
            headers.append(chance.choice([("Origin", self.origin), ("Authorization", f"Bearer {API_KEY}")]))
        for _ in range(chance.choice([0, 0, 0, 1, 1, 2, 5, 120])):
            name = chance.choice([name for name in NAMES if name not in ("content-length", "transfer-encoding")])
            headers.append((name, self.hostile()))
        return headers

    def body(self) -> bytes:
        chance = self.chance
        kind = chance.random()
        if kind < 0.1:
            return chance.randbytes(chance.randint(0, 200))
        if kind < 0.15:
            return b"[" * chance.randint(1, 5_000) + b"]" * chance.randint(0, 5_000)
        if kind < 0.25:
            return "&".join(f"{chance.choice(KEYS)}={self.hostile()}" for _ in range(4)).encode("utf-8", "ignore")
        document: Any = self.event() if kind < 0.8 else self.value(0)
        if chance.random() < 0.3:
            document = chance.choice([[document], {"data": [document]}, {"data": document}, [document] * 3])
        return json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")

    def event(self, wrong: int = 3) -> dict[str, Any]:
        """`wrong`: so many members may be missing, and others may be there."""
        document: dict[str, Any] = {
            "event_name": self.chance.choice(["Lead", "ViewContent", "Purchase"]),
            "user_data": {"email": CANARY, "client_user_agent": "Mozilla/5.0"},
            "custom_data": {"value": 1, "currency": "EUR"},
        }
        if wrong or self.chance.random() < 0.5:
            document |= {"name": "A", "email": CANARY, "message": "m", "course_id": "python", "key": "k"}
        for name in self.chance.sample(list(document), wrong):
            if self.chance.random() < 0.7:
                del document[name]
        for _ in range(self.chance.randint(0, wrong)):
            place = self.chance.choice([document, document.get("user_data"), document.get("custom_data")])
            if isinstance(place, dict):
                place[self.chance.choice(KEYS)] = self.value(0)
        return document

    def value(self, depth: int) -> Any:
        chance = self.chance
        if depth < 4 and chance.random() < 0.3:
            if chance.random() < 0.5:
                return [self.value(depth + 1) for _ in range(chance.randint(0, 4))]
            return {chance.choice(KEYS): self.value(depth + 1) for _ in range(chance.randint(0, 4))}
        return chance.choice(
            [None, True, 0, -1, 10**400, 1e308, 2**63, -0.0, float("inf"), int(time.time()), self.hostile()]
        )

    def hostile(self) -> str:
        text = self.chance.choice(HOSTILE)
        return text if self.chance.random() < 0.7 else text + self.chance.choice(HOSTILE)


class Client:
    """One connection after the other; as long as one lasts, it is used."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: socket.socket | None = None

    def send(self, raw: bytes, *, is_whole: bool) -> int:
        """The status; 0 when the connection was closed without one."""
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        try:
            self.connection.sendall(raw)
            if not is_whole:
                self.connection.shutdown(socket.SHUT_WR)
            status, is_kept = self._read()
        except TimeoutError:
            self.close()
            raise
        except OSError:
            status, is_kept = 0, False
        if not is_kept or not is_whole or status >= 400:
            self.close()  # what the server thinks of the rest of these bytes is its own affair
        return status

    def _read(self) -> tuple[int, bool]:
        assert self.connection is not None
        got = b""
        while b"\r\n\r\n" not in got:
            if not (more := self.connection.recv(65_536)):
                return 0, False
            got += more
            if got.startswith(b"HTTP/1.1 100"):
                got = got.partition(b"\r\n\r\n")[2]
        head, _, body = got.partition(b"\r\n\r\n")
        status = int(head[9:12])
        head = head.lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return status, status in (204, 304) or (length.isdigit() and len(body) == int(length) and b"close" not in head)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def fuzzed(
    folder: Path, size: int, progress: Progress = lambda _: None, *, seed: object = None, most_seconds: float = 1.0
) -> Result:
    """`size` requests. Broken: a 5xx, an answer that took longer than `most_seconds`, memory, a person anywhere."""
    seed = random.SystemRandom().randrange(10**9) if seed is None else seed
    port = free_pair()
    env = {
        "META_PIXEL_ID": DATASET, "META_ACCESS_TOKEN": TOKEN, "RELAY_API_KEYS": API_KEY,
        "RELAY_TRUSTED_PROXIES": "127.0.0.1/32",
    }  # fmt: skip
    data = folder / "data"
    demo = Process("demo", "--port", str(port), "--data", str(data), log=folder / "demo.log", env=env)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: call("GET", f"{url}/readyz")[0] == 200)
        generator, client = Generator(seed, f"http://127.0.0.1:{port}"), Client(port)
        statuses, worst, failed, memory = Counter[int](), 0.0, list[bytes](), 0
        for n in range(size):
            raw, is_whole = generator.request()
            began = time.perf_counter()
            status = client.send(raw, is_whole=is_whole)
            worst = max(worst, time.perf_counter() - began)
            statuses[status] += 1
            if status >= 500:
                failed.append(raw[:200])
            if n == size // 4:
                memory = resident_of(demo)
            if n % 1_000 == 0:
                progress(f"{n} of {size}")
        grown = resident_of(demo) - memory
        metrics = str(call("GET", f"{url}/metrics")[1])
        kept = b"".join(
            path.read_bytes()
            for path in data.glob("conversion-relay.db*")
            if path.is_file() and "ballast" not in path.name
        )
    finally:
        demo.end()
    log = demo.log.read_text()
    wrong = {
        f"5xx to {failed[:3]}": failed,
        f"{worst:.1f} s": worst > most_seconds,
        f"{grown} MB more": grown > 48,
        "a person in the log": CANARY in log,
        "a person in the file": CANARY.encode() in kept,
        "a person in the metrics": CANARY in metrics,
        "a traceback or an error": any(word in log for word in ("Traceback", '"level": "ERROR"')),
        "hardly anything was let in": not statuses[202] or not statuses[200],
    }
    verdict = "; ".join(what for what, found in wrong.items() if found)
    note = f"worst {worst * 1e3:.0f} ms, {grown} MB more, {dict(sorted(statuses.items()))}"
    return Result(
        "requests made up at random", size, statuses[202], 0, 0, f"seed {seed}: {verdict}" if verdict else "kept", note
    )
