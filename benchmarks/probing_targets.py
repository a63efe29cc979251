"""What the probers of `probing.py` ask: one small web server for every address, and ways to measure a process."""

import asyncio
import os
import sys
from pathlib import Path

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: targets\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Cache-Control: no-store\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
)
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Target(asyncio.Protocol):
    """Answers `ok` and closes. `/hang` never gets an answer, `/count` is told how many did."""

    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.WriteTransport)
        if data.startswith(b"GET /hang"):
            return
        if data.startswith(b"GET /count"):
            self.transport.write(b"HTTP/1.0 200 OK\r\n\r\n%d" % Target.served)
        else:
            Target.served += 1
            self.transport.write(ANSWER)
        self.transport.close()


async def serve(address: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Target, address, port, backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


def cpu_s(pid: int) -> float:
    """User and system time of a process and all its threads so far (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
