"""Questions and updates to one name server over one connection, signed where there is a key."""

import secrets
from collections.abc import Sequence

import dns.tsig

from failover.dns.packets import QR, Malformed, Packet, Writer
from failover.dns.proof import Proof, Signer
from failover.dns.records import to_type
from failover.dns.wire import Connection, Deadline, show_server
from failover.errors import TimedOut, Unreadable

_MESSAGE_MAX = 65535
_IDS = 1 << 16
_BLIND = frozenset({1, 2, 4, 5})
"""FORMERR, SERVFAIL, NOTIMP and REFUSED: who says so may not even have read the question."""


class Conversation:
    """Holds a Connection, used by `with` as it is, and raises what it raises.

    `timeout_s` bounds connecting, each exchange of some messages and each message of a stream; `deadline` everything.
    Whatever is returned answers what was asked, and is proven where there is a key: else Unreadable is raised, or
    AccessRefused where the server refuses the key.
    """

    def __init__(
        self, server: tuple[str, int], key: dns.tsig.Key | None, *, timeout_s: float, deadline: Deadline, what: str
    ) -> None:
        self._key = key
        self._signer = None if key is None else Signer(key)
        self._timeout_s, self._deadline = timeout_s, deadline
        self._what, self._server = what, show_server(server)
        self._connection = Connection(server, timeout_s=self._share_s(), what=what)

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, pairs: Sequence[tuple[str, str]]) -> list[Packet]:
        """The answers to (name, type), in their order. Raises Rejected for what cannot be asked."""
        return self.exchange([_question(number % _IDS, *pair) for number, pair in enumerate(pairs)])

    def exchange(self, wires: Sequence[bytes]) -> list[Packet]:
        """Messages of any kind, with their answers. Those that are under way together have different ids."""
        signed = [self._signed(wire) for wire in wires]
        answers = self._connection.exchange([w for w, _ in signed], self._deadline, timeout_s=self._timeout_s)
        return [
            self._proven(answer, wire, Proof(self._key, mac))
            for wire, (_, mac), answer in zip(wires, signed, answers, strict=True)
        ]

    def stream(self, name: str, type: str) -> "Stream":
        """Ask for what comes in many messages: a zone."""
        question = _question(secrets.randbelow(_IDS), name, type)
        wire, mac = self._signed(question)
        self._connection.send([wire], Deadline(self._share_s()))
        return Stream(self, question, Proof(self._key, mac, stream=True))

    def next(self, question: bytes, proof: Proof, *, follows: bool) -> Packet:
        """The next message of a stream; only its first one has to repeat the question (RFC 5936, section 2.2.1)."""
        wire = self._connection.receive(Deadline(self._share_s()))
        return self._proven(wire, question, proof, follows=follows)

    def finish(self, proof: Proof) -> None:
        """The stream is over. Raises Unreadable when its end is not proven."""
        proof.finish(self._what, self._server)

    def _share_s(self) -> float:
        try:
            return min(self._timeout_s, self._deadline.left_s())
        except TimeoutError as error:
            raise TimedOut(self._what, self._server, "not done within its deadline") from error

    def _signed(self, wire: bytes) -> tuple[bytes, bytes]:
        return (wire, b"") if self._signer is None else self._signer.sign(wire)

    def _proven(self, wire: bytes, question: bytes, proof: Proof, *, follows: bool = False) -> Packet:
        try:
            answer, asked = Packet(wire), Packet(question)
        except Malformed as error:
            raise Unreadable(self._what, self._server, str(error)) from error
        proof.check(answer, self._what, self._server)
        blind = answer.question is None and (follows or answer.rcode in _BLIND)
        if not answer.flags & QR or (answer.id, answer.opcode) != (asked.id, asked.opcode):
            raise Unreadable(self._what, self._server, "it is no answer to what was asked")
        if answer.question != asked.question and not blind and not asked.opcode:
            raise Unreadable(self._what, self._server, "the answer belongs to another question")
        return answer


class Stream:
    """An answer of many messages."""

    def __init__(self, conversation: Conversation, question: bytes, proof: Proof) -> None:
        self._conversation, self._question, self._proof = conversation, question, proof
        self._started = False

    def next(self) -> Packet:
        """One more message. It waits for one: who has seen the end does not call it again."""
        packet = self._conversation.next(self._question, self._proof, follows=self._started)
        self._started = True
        return packet

    def finish(self) -> None:
        """It is over. Raises Unreadable when its end is not proven."""
        self._conversation.finish(self._proof)


def _question(id: int, name: str, type: str) -> bytes:
    writer = Writer(id, 0, room=_MESSAGE_MAX)
    writer.question(name, to_type(type))
    return writer.finish(1, 0, 0, 0)
