"""Numbers for Prometheus: as a file for the node exporter's textfile collector, or at an HTTP endpoint.

prometheus-client writes the exposition format; what is measured comes from `core.measures`.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from failover.core.measures import METRICS, Measure

ROUNDS = "failover_rounds"
ROUNDS_HELP = "Rounds of `failover watch` since it began: ok, failed, or skipped because another run held the lock."
Collect = Callable[[], Sequence[Measure]]


class _Families(Collector):
    """Measures as prometheus-client wants them, asked for anew at each scrape."""

    def __init__(self, service: str, collect: Collect, rounds: Mapping[str, int] | None = None) -> None:
        self._service = service
        self._collect = collect
        self._rounds = rounds

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked when the collector is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for measure in self._collect():
            names = [label for label, _ in measure.labels]
            family = families.get(measure.name)
            if family is None:
                family = GaugeMetricFamily(measure.name, METRICS[measure.name], labels=["service", *names])
                families[measure.name] = family
            family.add_metric([self._service, *(value for _, value in measure.labels)], measure.value)
        yield from families.values()
        if self._rounds is not None:
            counter = CounterMetricFamily(ROUNDS, ROUNDS_HELP, labels=["service", "result"])
            for result, count in self._rounds.items():
                counter.add_metric([self._service, result], count)
            yield counter


def exposition(service: str, found: Sequence[Measure]) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Families(service, lambda: found))
    return generate_latest(registry)


def write_textfile(path: Path, service: str, found: Sequence[Measure]) -> None:
    """Replace the file as a whole, readable by all: the collector runs as another user. Raises OSError.

    The collector reads names that end in `.prom` only, so the half-written one is never read.
    """
    number, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as out:
            out.write(exposition(service, found))
            os.fchmod(out.fileno(), 0o644)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise


class Endpoint:
    """An HTTP server for scrapes, on daemon threads. Raises OSError when the address cannot be had."""

    def __init__(self, address: str, port: int, service: str, collect: Collect, rounds: Mapping[str, int]) -> None:
        registry = CollectorRegistry()
        registry.register(_Families(service, collect, rounds))
        self._server, self._thread = start_http_server(port, addr=address, registry=registry)

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
