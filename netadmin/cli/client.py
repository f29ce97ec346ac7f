"""The REST API over http.client: JSON in, JSON out, refusals as sentences."""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from netadmin.cli.errors import Failure, NotFound
from netadmin.cli.target import Target

PAGE = 1000
CONNECT_TIMEOUT = 10.0
# The server itself answers 202 long before; this only ends the wait for one that hangs.
ANSWER_TIMEOUT = 120.0

Params = Iterable[tuple[str, str]]
Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]
_REHEARSAL = [("dry_run", "1")]


@dataclass(frozen=True)
class Answer:
    """`pending`: the change is recorded, but its host has not made it yet (202); `body` is the operation, or the first
    of several."""

    body: Any
    pending: bool = False


class Rehearsed(Exception):
    """A dry run was answered, with what each host would do: [{host, operations, total, problem}]."""

    def __init__(self, plans: list[dict[str, Any]]) -> None:
        super().__init__("This was a dry run.")
        self.plans = plans


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """One server, one optional host to which names are narrowed. With `dry_run` a change only raises `Rehearsed`."""

    def __init__(self, target: Target, host: str | None = None, *, dry_run: bool = False) -> None:
        self.target = target
        self.host = host
        self.dry_run = dry_run

    def get(self, *path: str, params: Params = ()) -> Any:
        return self._request("GET", path, params, None).body

    def fetch(self, path: str) -> str:
        """The text at a plain address of the server, whatever its status; refused only when nobody answers."""
        try:
            _, data = self._exchange("GET", path, None, authorize(self.target), 0.0)
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.target, error) from error
        return data.decode(errors="replace")

    def list_all(self, *path: str, params: Params = ()) -> list[dict[str, Any]]:
        """All results, page after page; a host that does not exist is refused, not one without anything."""
        found = list(self._pages(path, list(params)))
        if self.host and not found:
            self.get("hosts", self.host)
        return found

    def post(self, *path: str, body: Body, wait: float = 0.0) -> Answer:
        """`wait`: seconds that the change itself may take, on top of the usual patience."""
        return self._request("POST", path, (), body, wait)

    def upload(self, *path: str, file: IO[bytes], params: Params = ()) -> Answer:
        """Send what `file` holds, from its beginning to its end."""
        return self._request("POST", path, params, file)

    def patch(self, *path: str, body: Mapping[str, Any]) -> Answer:
        return self._request("PATCH", path, (), body)

    def delete(self, *path: str, params: Params = (), body: Body | None = None) -> Answer:
        return self._request("DELETE", path, params, body)

    def _pages(self, path: tuple[str, ...], params: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            bounds = [("limit", str(PAGE)), ("offset", str(offset))]
            page = self.get(*path, params=[*params, *bounds])
            results = page["results"]
            yield from results
            offset += len(results)
            if not results or offset >= page["count"]:
                return

    def _request(
        self,
        method: str,
        path: tuple[str, ...],
        params: Params,
        body: Body | IO[bytes] | None,
        wait: float = 0.0,
    ) -> Answer:
        rehearsal = self.dry_run and method != "GET"
        target = build_path(("api", "v1", *path), [*params, *(_REHEARSAL if rehearsal else [])], self.host)
        headers = {"Accept": "application/json", **authorize(self.target)}
        content: bytes | IO[bytes] | None = None
        if isinstance(body, Mapping | Sequence):
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        elif body is not None:
            content = body
            headers["Content-Type"] = "application/octet-stream"
        try:
            status, data = self._exchange(method, target, content, headers, wait)
        except TimeoutError as error:
            raise Failure(
                f"The server at {self.target.shown} gave no answer in time; "
                "see `netadmin history` for what became of the change."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.target, error) from error
        answer = read_answer(status, data)
        if rehearsal:
            raise Rehearsed(answer.body["plans"])
        return answer

    def _exchange(
        self,
        method: str,
        target: str,
        content: "bytes | IO[bytes] | None",
        headers: dict[str, str],
        wait: float,
    ) -> tuple[int, bytes]:
        connection = self._open(urlsplit(self.target.url))
        try:
            connection.connect()
            connection.sock.settimeout(ANSWER_TIMEOUT + wait)
            prefix = "" if self.target.socket_path else urlsplit(self.target.url).path
            connection.request(method, prefix + target, body=content, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _open(self, url: Any) -> http.client.HTTPConnection:
        if self.target.socket_path:
            return UnixConnection(self.target.socket_path, CONNECT_TIMEOUT)
        if url.scheme == "https":
            return http.client.HTTPSConnection(url.hostname, url.port, timeout=CONNECT_TIMEOUT)
        return http.client.HTTPConnection(url.hostname, url.port, timeout=CONNECT_TIMEOUT)


def build_path(parts: Iterable[str], params: Params, host: str | None) -> str:
    """`/a/b/?x=y`, all of it escaped; refuses an empty part, which would address something else."""
    steps = [quote(part, safe="") for part in parts]
    if not all(steps):
        raise Failure("A name must not be empty.")
    query = urlencode([*params, *([("host", host)] if host else [])])
    return "/" + "/".join(steps) + "/" + (f"?{query}" if query else "")


def authorize(target: Target) -> dict[str, str]:
    return {"Authorization": f"Bearer {target.token}"} if target.token else {}


def unreachable(target: Target, error: Exception) -> Failure:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Failure(
        f"The server at {target.shown} cannot be reached ({reason}); is it running? Start it with `make run`."
    )


def read_answer(status: int, data: bytes) -> Answer:
    """The body of a success; raises the server's own sentence for everything else."""
    try:
        body = json.loads(data) if data else None
    except ValueError:
        body = None
    if status == 202:
        return Answer(_first_operation(body or {}), pending=True)
    if 200 <= status < 300:
        if data and body is None:
            raise Failure("The answer is not from a netadmin server; check the address.")
        return Answer(body)
    raise refuse(status, body)


def _first_operation(body: Mapping[str, Any]) -> Any:
    return body.get("operation") or next(iter(body.get("operations", ())), {})


def refuse(status: int, body: Any) -> Failure:
    """The failure that stands for an error answer."""
    message = body.get("message") if isinstance(body, dict) else None
    if status == 401:
        return Failure(message or "The server does not know you; sign in with `netadmin login URL`.")
    kind = NotFound if status == 404 and message else Failure
    return kind(str(message or f"The server answered with HTTP status {status}."))
