"""Write the protocol machines of `lrnn_theory/protocols` as DOT, from the specifications below.

The machines are our own models of servers and devices: what each answers to each message.  Four
are tables, three are step functions, explored from their initial state.  The TCP and the DTLS
server are tangled on purpose: words have over 10^5 different images of the set of states.

    python benchmarks/make_protocols.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "lrnn_theory" / "protocols"

# ---------------------------------------------------------------- tables
# One line a rule: states | letters | output | next state ("same": stay).  `*` means every state or
# every letter, several names are separated by spaces, and the first rule that fits holds.

BLUETOOTH_PAIRING = """
ADVERTISING                | connect         | connected        | CONNECTED
ADVERTISING_BONDED         | connect         | connected        | BONDED
ADVERTISING ADVERTISING_BONDED | scan_request | scan_response   | same
ADVERTISING ADVERTISING_BONDED | *           | -                | same
BONDED ENCRYPTED           | disconnect      | disconnected     | ADVERTISING_BONDED
*                          | disconnect      | disconnected     | ADVERTISING
*                          | connect         | -                | same
*                          | scan_request    | -                | same
*                          | version_request | version_response | same
CONNECTED                  | feature_request | feature_response | FEATURES
CONNECTED                  | pairing_request | pairing_failed   | same
FEATURES                   | pairing_request | pairing_response | PAIRING
CONNECTED FEATURES         | *               | unknown_response | same
PAIRING                    | public_key      | public_key       | KEYS
KEYS                       | confirm         | random           | CONFIRMED
CONFIRMED                  | key_check       | key_check        | AUTHENTICATED
PAIRING KEYS CONFIRMED     | *               | pairing_failed   | FEATURES
AUTHENTICATED BONDED       | encrypt         | encrypted        | ENCRYPTED
AUTHENTICATED BONDED       | pairing_request | pairing_response | PAIRING
AUTHENTICATED BONDED       | *               | unknown_response | same
ENCRYPTED                  | pause           | paused           | BONDED
ENCRYPTED                  | pairing_request | pairing_failed   | BONDED
ENCRYPTED                  | data            | data             | same
ENCRYPTED                  | *               | mic_failure      | ADVERTISING
"""

SMTP = """
CONNECTED                  | EHLO            | 250              | GREETED
CONTENT                    | LINE            | -                | same
CONTENT                    | DOT             | 250              | READY
CONTENT                    | *               | -                | same
CLOSED                     | *               | closed           | same
*                          | QUIT            | 221              | CLOSED
*                          | LINE DOT        | 500              | same
ENCRYPTED                  | EHLO            | 250              | SECURE
GREETED                    | STARTTLS        | 220              | ENCRYPTED
SECURE                     | AUTH            | 235              | READY
READY                      | MAIL            | 250              | SENDER
SENDER RECIPIENT           | RCPT            | 250              | RECIPIENT
RECIPIENT                  | DATA            | 354              | CONTENT
READY SENDER RECIPIENT     | RSET EHLO       | 250              | READY
GREETED SECURE             | RSET EHLO       | 250              | same
GREETED                    | AUTH            | 538              | same
GREETED SECURE             | MAIL            | 530              | same
*                          | *               | 503              | same
"""

TCP = """
CLOSED                     | PASSIVE_OPEN    | -                | LISTEN
CLOSED                     | ACTIVE_OPEN     | SYN              | SYN_SENT
CLOSED                     | SYN SYN+ACK ACK FIN | RST          | same
LISTEN                     | ACTIVE_OPEN SEND | SYN             | SYN_SENT
LISTEN                     | SYN             | SYN+ACK          | SYN_RECEIVED
LISTEN                     | SYN+ACK ACK     | RST              | same
LISTEN                     | CLOSE           | -                | CLOSED
LISTEN                     | RST             | -                | same
SYN_SENT                   | SYN             | SYN+ACK          | SYN_RECEIVED
SYN_SENT                   | SYN+ACK         | ACK              | ESTABLISHED
SYN_SENT                   | ACK             | RST              | same
SYN_SENT                   | CLOSE           | -                | CLOSED
SYN_SENT                   | TIMEOUT         | SYN              | same
SYN_RECEIVED               | ACK             | -                | ESTABLISHED
SYN_RECEIVED               | FIN             | ACK              | CLOSE_WAIT
SYN_RECEIVED               | CLOSE           | FIN              | FIN_WAIT_1
SYN_RECEIVED               | RST             | -                | LISTEN
SYN_RECEIVED               | TIMEOUT         | SYN+ACK          | same
ESTABLISHED CLOSE_WAIT     | SEND            | DATA             | same
ESTABLISHED                | FIN             | ACK              | CLOSE_WAIT
ESTABLISHED                | CLOSE           | FIN              | FIN_WAIT_1
CLOSE_WAIT                 | CLOSE           | FIN              | LAST_ACK
FIN_WAIT_1                 | ACK             | -                | FIN_WAIT_2
FIN_WAIT_1                 | FIN             | ACK              | CLOSING
FIN_WAIT_1 CLOSING LAST_ACK | TIMEOUT        | FIN              | same
FIN_WAIT_2                 | FIN             | ACK              | TIME_WAIT
CLOSING                    | ACK             | -                | TIME_WAIT
LAST_ACK                   | ACK             | -                | CLOSED
TIME_WAIT                  | FIN             | ACK              | same
TIME_WAIT                  | TIMEOUT         | -                | CLOSED
*                          | RST             | -                | CLOSED
*                          | *               | -                | same
"""

TLS = """
HELLO OPEN                 | ClientHello     | ServerHello+CertificateRequest | CERTIFICATE
CLOSED                     | *               | closed           | same
*                          | CloseNotify     | CloseNotify      | CLOSED
*                          | Warning         | -                | same
CERTIFICATE                | Certificate     | -                | KEY_CERTIFIED
CERTIFICATE                | EmptyCertificate | -               | KEY_ANONYMOUS
KEY_CERTIFIED              | ClientKeyExchange | -              | VERIFY
KEY_ANONYMOUS              | ClientKeyExchange | -              | CIPHER
VERIFY                     | CertificateVerify | -              | CIPHER
CIPHER                     | ChangeCipherSpec | -               | FINISHED
FINISHED                   | Finished        | ChangeCipherSpec+Finished | OPEN
OPEN                       | ApplicationData | ApplicationData  | same
*                          | *               | Alert            | CLOSED
"""


@dataclass
class Machine:
    """A Mealy machine under construction: `rules[state][letter] = (output, next state)`."""

    letters: Sequence[str]
    rules: dict[str, dict[str, tuple[str, str]]]


def from_rules(text: str) -> Machine:
    """Read a table; the state named first is the initial one."""
    lines = [[field.split() for field in line.split("|")] for line in text.strip().splitlines()]
    states = list(dict.fromkeys(s for line in lines for s in line[0] + line[3]))
    states = [s for s in states if s not in ("*", "same")]
    letters = [a for a in dict.fromkeys(a for line in lines for a in line[1]) if a != "*"]
    rules: dict[str, dict[str, tuple[str, str]]] = {s: {} for s in states}
    for sources, on, (output,), (target,) in lines:
        for s in states if sources == ["*"] else sources:
            for a in letters if on == ["*"] else on:
                rules[s].setdefault(a, (output, s if target == "same" else target))
    return Machine(letters, rules)


# ---------------------------------------------------------------- step functions


@dataclass(frozen=True)
class Broker:
    """An MQTT broker and two clients: one publishes, with a will; the other subscribes."""

    connected: bool = False
    will: bool = False
    subscribed: bool = False
    retained: bool = False
    pending: bool = False

    LETTERS = (
        "Connect Connect(will) Subscribe Unsubscribe Publish Publish(retain) Publish(clear) "
        "Publish(QoS2) Release Disconnect Drop"
    )

    def step(self, letter: str) -> tuple[str, Broker]:
        """Answer one packet."""
        heard = "+deliver" if self.subscribed else ""
        if letter == "Subscribe":
            seen = "+retained" if self.retained else ""
            return "SubAck" + seen, replace(self, subscribed=True)
        if letter == "Unsubscribe":
            return "UnsubAck", replace(self, subscribed=False)
        offline = replace(self, connected=False, will=False)
        if letter in ("Connect", "Connect(will)"):
            if self.connected:
                return "closed" + (heard if self.will else ""), offline
            resumed = "(resumed)" if self.pending else ""
            will = letter == "Connect(will)"
            return "ConnAck" + resumed, replace(self, connected=True, will=will)
        if not self.connected:
            return "-", self
        match letter:
            case "Disconnect":
                return "closed", replace(offline, pending=False)
            case "Drop":
                return "closed" + (heard if self.will else ""), offline
            case "Release":
                return "PubComp" + (heard if self.pending else ""), replace(self, pending=False)
            case "Publish(QoS2)":
                return "PubRec", replace(self, pending=True)
            case "Publish(retain)":
                return "PubAck" + heard, replace(self, retained=True)
            case "Publish(clear)":
                return "PubAck" + heard, replace(self, retained=False)
            case _:
                return "PubAck" + heard, self


@dataclass(frozen=True)
class TcpServer:
    """A TCP server with one client: its listening socket, the connection, and its buffers.

    Segments of the client acknowledge all that was sent.  `unread` counts segments the application
    has not fetched (at most 3); `ahead` says that the segment after a missing one has arrived;
    `flight` that an answer is not yet acknowledged.
    """

    connection: str = "CLOSED"
    listening: bool = False
    accepted: bool = False
    unread: int = 0
    ahead: bool = False
    flight: bool = False

    LETTERS = (
        "LISTEN ACCEPT CLOSE CLOSE_CONNECTION RECEIVE SEND SYN SYN+ACK ACK ACK+PSH "
        "ACK+PSH(next) FIN+ACK RST ACK+RST"
    )

    def step(self, letter: str) -> tuple[str, TcpServer]:
        """Answer one call of the application or one segment of the client."""
        if letter in ("LISTEN", "ACCEPT", "CLOSE", "CLOSE_CONNECTION", "RECEIVE", "SEND"):
            return self._call(letter)
        return self._segment(letter)

    def _call(self, call: str) -> tuple[str, TcpServer]:
        reset = TcpServer(listening=self.listening)
        ready = self.connection in ("ESTABLISHED", "CLOSE_WAIT")
        if call == "LISTEN":
            return "-", replace(self, listening=True)
        if call == "ACCEPT":
            return "-", replace(self, accepted=self.accepted or (self.listening and ready))
        if call == "CLOSE":
            waiting = ready or self.connection == "SYN_RECEIVED"
            if self.listening and waiting and not self.accepted:
                return "RST", TcpServer()
            return "-", replace(self, listening=False)
        if not self.accepted:
            return "-", self
        if call == "RECEIVE":
            return "-", replace(self, unread=max(0, self.unread - 1))
        if call == "SEND":
            return "-" if self.flight else "ACK+PSH", replace(self, flight=True)
        if self.unread or self.ahead:
            return "RST", reset
        closing = "FIN_WAIT" if self.connection == "ESTABLISHED" else "LAST_ACK"
        return "FIN+ACK", replace(reset, connection=closing)

    def _segment(self, segment: str) -> tuple[str, TcpServer]:
        reset = TcpServer(listening=self.listening)
        connection = self.connection
        if segment in ("RST", "ACK+RST"):
            return "-", self if connection == "TIME_WAIT" and segment == "RST" else reset
        if segment == "SYN" and self.listening and connection in ("CLOSED", "TIME_WAIT"):
            return "SYN+ACK", replace(reset, connection="SYN_RECEIVED")
        if connection == "CLOSED":
            return "RST", self
        if segment in ("SYN", "SYN+ACK"):
            return ("RST", reset) if connection == "SYN_RECEIVED" else ("ACK", self)
        if connection == "LAST_ACK":
            return "-" if segment == "ACK" else "RST", reset
        if connection == "SYN_RECEIVED":
            connection = "ESTABLISHED"
        acked = replace(self, connection=connection, flight=False)
        if segment == "ACK":
            return "-", acked
        if segment == "FIN+ACK":
            if self.ahead:
                return "SACK", acked
            after = {"ESTABLISHED": "CLOSE_WAIT", "FIN_WAIT": "TIME_WAIT"}
            return "ACK", replace(acked, connection=after.get(connection, connection))
        if connection == "FIN_WAIT":
            return "RST", reset
        if connection != "ESTABLISHED":
            return "ACK", acked
        arrived = 2 if segment == "ACK+PSH(next)" else 1 + self.ahead
        if self.unread + arrived > 3:
            return "ACK(full)", acked
        if segment == "ACK+PSH(next)":
            return "SACK", replace(acked, ahead=True)
        return "ACK", replace(acked, unread=self.unread + arrived, ahead=False)


@dataclass(frozen=True)
class DtlsServer:
    """A DTLS server with client authentication, over a network that loses and reorders.

    During a handshake, message number `expected` of the client's flight is next, and one later
    message may be `held`.  `epoch` is 0 without keys; new keys alternate between 1 and 2.
    """

    phase: str = "IDLE"
    epoch: int = 0
    expected: int = 0
    held: int = 0

    FLIGHT = "Certificate ClientKeyExchange CertificateVerify ChangeCipherSpec Finished"
    LETTERS = (
        f"ClientHello ClientHello(cookie) {FLIGHT} ApplicationData KeyUpdate Warning CloseNotify "
        "Timeout"
    )

    def step(self, letter: str) -> tuple[str, DtlsServer]:
        """Answer one datagram or the retransmission timer."""
        flight = self.FLIGHT.split()
        if letter in flight:
            return self._flight(flight.index(letter), len(flight) - 1)
        handshake = DtlsServer("HANDSHAKE", self.epoch)
        match letter, self.phase:
            case "CloseNotify", "OPEN":
                return "CloseNotify", DtlsServer("CLOSING", self.epoch)
            case "CloseNotify", "HANDSHAKE" | "COOKIE":
                return "CloseNotify", DtlsServer()
            case "ClientHello", "IDLE" | "COOKIE" | "CLOSING":
                return "HelloVerifyRequest", DtlsServer("COOKIE")
            case ("ClientHello", "OPEN") | ("ClientHello(cookie)", "COOKIE"):
                return "ServerHello", handshake
            case "ApplicationData", _ if self.epoch:
                return f"ApplicationData({self.epoch})", self
            case "KeyUpdate", "OPEN":
                return "Ack", replace(self, epoch=3 - self.epoch)
            case "Warning", "HANDSHAKE":  # the client gives this handshake up
                return "-", DtlsServer("OPEN" if self.epoch else "IDLE", self.epoch)
            case "Timeout", "HANDSHAKE" if self.held:
                return "Ack", replace(self, held=0)
            case "Timeout", "HANDSHAKE":
                return "ServerHello", self
            case "Timeout", "COOKIE" | "CLOSING":
                return "-", DtlsServer()
        return "-", self

    def _flight(self, number: int, last: int) -> tuple[str, DtlsServer]:
        if self.phase == "OPEN" and number == last:
            return "Finished", self  # a retransmission: our answer was lost
        if self.phase != "HANDSHAKE" or number < self.expected:
            return "-", self
        if number > self.expected:
            return ("-", self) if self.held else ("Ack", replace(self, held=number))
        expected = number + 2 if self.held == number + 1 else number + 1
        if expected > last:
            return "Finished", DtlsServer("OPEN", 2 if self.epoch == 1 else 1)
        held = self.held if self.held > expected else 0
        return "-", replace(self, expected=expected, held=held)


def explore(initial: Any) -> Machine:
    """Every state reachable from `initial`, breadth first."""
    letters = initial.LETTERS.split()
    rules: dict[str, dict[str, tuple[str, str]]] = {}
    names, queue = {initial: state_name(initial)}, [initial]
    for state in queue:
        row = rules[names[state]] = {}
        for letter in letters:
            output, target = state.step(letter)
            if target not in names:
                names[target] = state_name(target)
                queue.append(target)
            row[letter] = (output, names[target])
    return Machine(letters, rules)


def state_name(state: Any) -> str:
    """A readable name: the fields that are not zero."""
    parts = []
    for field, value in vars(state).items():
        if isinstance(value, str):
            parts.append(value)
        elif value:
            parts.append(field if value is True else f"{field}{value}")
    return "_".join(parts) or "idle"


def machines() -> dict[str, Machine]:
    """Every protocol machine by name."""
    return {
        "bluetooth_pairing": from_rules(BLUETOOTH_PAIRING),
        "dtls_server": explore(DtlsServer()),
        "mqtt_broker": explore(Broker()),
        "smtp": from_rules(SMTP),
        "tcp": from_rules(TCP),
        "tcp_server": explore(TcpServer()),
        "tls": from_rules(TLS),
    }


def to_dot(name: str, machine: Machine) -> str:
    """The DOT text of a machine."""
    states = list(machine.rules)
    lines = [f"digraph {name} {{", '__start0 [label="", shape="none"];']
    lines += [f'{s} [label="{s}"];' for s in states]
    lines.append(f"__start0 -> {states[0]};")
    for s, row in machine.rules.items():
        lines += [f'{s} -> {row[a][1]} [label="{a}/{row[a][0]}"];' for a in machine.letters]
    return "\n".join([*lines, "}\n"])


if __name__ == "__main__":
    for name, machine in machines().items():
        (FOLDER / f"{name}.dot").write_text(to_dot(name, machine))
        print(f"{name}: {len(machine.rules)} states, {len(machine.letters)} letters")
