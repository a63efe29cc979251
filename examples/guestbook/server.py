"""A guestbook: a small web application that failover's demo mirrors, loses and gets back.

Standard library only, so that a node needs nothing but python3. Start it by `python3 server.py`.

    GET  /          the page: entries, newest first, and a form to sign
    POST /sign      form fields `name` and `message`; answers 303 back to the page
    POST /remove    form fields `id` and `key`: takes an entry away; `key` is the secret GUESTBOOK_KEY
    GET  /healthz   200 `ok`, or 503 with the reason

Every answer says which site gave it (X-Failover-Site) and which release is really on this node's disk
(X-Failover-Release). Environment: FAILOVER_ADDRESS and PORT to listen on, FAILOVER_SITE, GUESTBOOK_KEY, and
GUESTBOOK_DATA, a directory for the entries; without it they live in memory. Entries never lie in the release's own
directory, because they would change the release.
"""

import hashlib
import hmac
import html
import json
import os
import secrets
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlsplit

HERE = Path(__file__).resolve().parent
BODY_BYTES_MAX = 8192
DRAIN_BYTES_MAX = 65536
NAME_LENGTH_MAX = 80
MESSAGE_LENGTH_MAX = 500
ENTRIES_MAX = 1000
ENTRIES_SHOWN = 50
IGNORED = ("__pycache__", ".git")

Entry = dict[str, str]


class Refused(Exception):
    """A request that is not carried out: the status and a sentence for the visitor."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Release:
    """The digest of the files that are really on the disk, read again whenever one of them changes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def digest(self) -> str:
        """`sha256:` and the hash of a text like that of `sha256sum`: a line per file, in order of the paths' bytes."""
        with self._lock:
            lines = [line for _, line in sorted(self._lines())]
        return "sha256:" + hashlib.sha256(b"".join(lines)).hexdigest()

    def _lines(self) -> Iterator[tuple[bytes, bytes]]:
        for path in self._files():
            name = os.fsencode(path.relative_to(self._root).as_posix())
            if path.is_symlink():
                yield name, hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest().encode() + b" @" + name + b"\n"
                continue
            mark = b" *" if path.stat().st_mode & 0o100 else b"  "
            yield name, self._file_digest(path).encode() + mark + name + b"\n"

    def _files(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self._root, onerror=_stop_walking):
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            folders[:] = [name for name in folders if name not in IGNORED]
            for name in files + links:
                if name not in IGNORED and not name.endswith(".pyc"):
                    yield Path(folder, name)

    def _file_digest(self, path: Path) -> str:
        status = path.stat()
        # The change time moves even when somebody puts size and modification time back.
        stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._known.get(str(path))
        if known is None or known[0] != stamp:
            known = (stamp, hashlib.sha256(path.read_bytes()).hexdigest())
            self._known[str(path)] = known
        return known[1]


def _stop_walking(error: OSError) -> None:
    raise error


class Entries:
    """What visitors wrote, oldest first; kept in `file` when there is one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        if file is not None and file.exists():
            self._entries = json.loads(file.read_text(encoding="utf-8"))

    def newest(self, count: int) -> list[Entry]:
        with self._lock:
            return self._entries[: -count - 1 : -1]

    def sign(self, name: str, message: str) -> Entry:
        now = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        entry = {"id": secrets.token_hex(8), "at": now, "name": name, "message": message}
        with self._lock:
            self._replace([*self._entries, entry][-ENTRIES_MAX:])
        return entry

    def remove(self, id: str) -> bool:
        with self._lock:
            kept = [entry for entry in self._entries if entry["id"] != id]
            found = len(kept) < len(self._entries)
            if found:
                self._replace(kept)
            return found

    def _replace(self, entries: list[Entry]) -> None:
        """On disk first: what the visitor sees as signed stays signed."""
        if self._file is not None:
            fresh = self._file.with_suffix(".new")
            with fresh.open("w", encoding="utf-8") as out:
                json.dump(entries, out)
                out.flush()
                os.fsync(out.fileno())
            os.replace(fresh, self._file)
        self._entries = entries


class Guestbook(ThreadingHTTPServer):
    """The server with what its handlers need."""

    daemon_threads = False  # a stop waits for the requests under way
    request_queue_size = 128

    def __init__(self, address: str, port: int, environment: Mapping[str, str]) -> None:
        data = environment.get("GUESTBOOK_DATA")
        self.site = environment.get("FAILOVER_SITE", "nowhere")
        self.key = environment.get("GUESTBOOK_KEY", "")
        self.release = Release(HERE)
        self.entries = Entries(Path(data) / "entries.json" if data else None)
        self.page = Template((HERE / "page.html").read_text(encoding="utf-8"))
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, port), Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as the standard class does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def release_now(self) -> str:
        """The digest, or a word that equals no digest."""
        try:
            return self.release.digest()
        except OSError:
            return "unreadable"

    def render(self) -> bytes:
        values = {
            "site": html.escape(self.site),
            "release": html.escape(self.release_now()),
            "name_max": str(NAME_LENGTH_MAX),
            "message_max": str(MESSAGE_LENGTH_MAX),
            "entries": "".join(map(_entry_html, self.entries.newest(ENTRIES_SHOWN))) or "<li>Nobody yet. Be the first!",
        }
        return self.page.substitute(values).encode()


def _entry_html(entry: Entry) -> str:
    safe = {key: html.escape(value) for key, value in entry.items()}
    return f'<li id="{safe["id"]}"><b>{safe["name"]}</b> <time>{safe["at"]}</time><p>{safe["message"]}</p>\n'


class Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: Guestbook
    protocol_version = "HTTP/1.1"
    server_version = "guestbook"
    sys_version = ""
    timeout = 5.0

    def do_GET(self) -> None:
        self._answer({"/": self._page, "/healthz": self._healthz})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._answer({"/sign": self._sign, "/remove": self._remove})

    def _answer(self, routes: Mapping[str, Callable[[], None]]) -> None:
        try:
            self._body = self._read_body() if self.command == "POST" else b""
            path = urlsplit(self.path).path
            if path not in ("/", "/healthz", "/sign", "/remove"):
                raise Refused(HTTPStatus.NOT_FOUND, "There is no such page.")
            if path not in routes:
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Not by this method.")
            routes[path]()
        except Refused as refused:
            self._send(refused.status, f"{refused.reason}\n".encode())
        except ConnectionError:
            self.close_connection = True  # the visitor has gone
        except OSError as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"The guestbook cannot work: {error.strerror}.\n".encode())

    def _page(self) -> None:
        self._send(HTTPStatus.OK, self.server.render(), "text/html; charset=utf-8")

    def _healthz(self) -> None:
        self.server.release.digest()
        self._send(HTTPStatus.OK, b"ok")

    def _sign(self) -> None:
        form = self._form()
        name, message = form.get("name", "").strip(), form.get("message", "").strip()
        if not name or not message:
            raise Refused(HTTPStatus.BAD_REQUEST, "Please give a name and a message.")
        if len(name) > NAME_LENGTH_MAX or len(message) > MESSAGE_LENGTH_MAX:
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                f"A name has at most {NAME_LENGTH_MAX} characters, a message {MESSAGE_LENGTH_MAX}.",
            )
        self.server.entries.sign(name, message)
        self._see_page()

    def _remove(self) -> None:
        form = self._form()
        wanted, given = self.server.key.encode(), form.get("key", "").encode()
        if not wanted or not hmac.compare_digest(wanted, given):
            raise Refused(HTTPStatus.FORBIDDEN, "Only the host of this guestbook may take entries away.")
        if not self.server.entries.remove(form.get("id", "")):
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such entry.")
        self._see_page()

    def _read_body(self) -> bytes:
        """The whole body. It is read before anything is refused: unread bytes would reset the connection."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "Please say how long the form is.")
        if int(length) > BODY_BYTES_MAX:
            self.rfile.read(min(int(length), DRAIN_BYTES_MAX))
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A form has at most {BODY_BYTES_MAX} bytes.")
        return self.rfile.read(int(length))

    def _form(self) -> dict[str, str]:
        if self.headers.get_content_type() != "application/x-www-form-urlencoded":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Please send a form.")
        try:
            fields = parse_qs(self._body.decode("ascii"), errors="strict", max_num_fields=10)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "This form cannot be read.") from None
        return {key: values[0] for key, values in fields.items()}

    def _see_page(self) -> None:
        self._send(HTTPStatus.SEE_OTHER, b"", extra={"Location": "/"})

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        kind: str = "text/plain; charset=utf-8",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
            "X-Failover-Site": self.server.site,
            "X-Failover-Release": self.server.release_now(),
            **(extra or {}),
        }
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of reads: health checks would fill the log."""
        if self.command == "POST":
            super().log_request(code, size)


def main() -> None:
    """Serve until SIGTERM or SIGINT; then finish the requests under way and end."""
    environment = os.environ
    address, port = environment.get("FAILOVER_ADDRESS", "127.0.0.1"), int(environment.get("PORT", "8080"))
    server = Guestbook(address, port, environment)

    def stop(_signal: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"guestbook: http://{address}:{server.server_port}/ site {server.site}", file=sys.stderr, flush=True)
    with server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
