"""The shipped protocol machines: what wrote them, and what they answer."""

import runpy
from pathlib import Path

import pytest

from lrnn_theory import languages
from lrnn_theory.cascade import decompose
from lrnn_theory.languages import PROTOCOLS


@pytest.fixture(scope="module")
def make_protocols():
    return runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "make_protocols.py"))


def test_shipped_protocols_are_what_the_generator_writes(make_protocols):
    machines = make_protocols["machines"]()
    assert tuple(sorted(machines)) == PROTOCOLS
    for name, machine in machines.items():
        file = make_protocols["FOLDER"] / f"{name}.dot"
        assert file.read_text() == make_protocols["to_dot"](name, machine)
    assert {file.stem for file in make_protocols["FOLDER"].iterdir()} == set(PROTOCOLS)


SESSIONS = {
    "bluetooth_pairing": [
        ("scan_request", "scan_response"),
        ("connect", "connected"),
        ("pairing_request", "pairing_failed"),
        ("feature_request", "feature_response"),
        ("pairing_request", "pairing_response"),
        ("public_key", "public_key"),
        ("confirm", "random"),
        ("key_check", "key_check"),
        ("encrypt", "encrypted"),
        ("data", "data"),
        ("disconnect", "disconnected"),
        ("connect", "connected"),
        ("encrypt", "encrypted"),
    ],
    "dtls_server": [
        ("ClientHello", "HelloVerifyRequest"),
        ("ClientHello(cookie)", "ServerHello"),
        ("ClientKeyExchange", "Ack"),
        ("Certificate", "-"),
        ("CertificateVerify", "-"),
        ("Finished", "Ack"),
        ("ChangeCipherSpec", "Finished"),
        ("ApplicationData", "ApplicationData(1)"),
        ("KeyUpdate", "Ack"),
        ("ApplicationData", "ApplicationData(2)"),
        ("CloseNotify", "CloseNotify"),
    ],
    "mqtt_broker": [
        ("Subscribe", "SubAck"),
        ("Connect(will)", "ConnAck"),
        ("Publish(QoS2)", "PubRec"),
        ("Drop", "closed+deliver"),
        ("Connect", "ConnAck(resumed)"),
        ("Release", "PubComp+deliver"),
        ("Publish(retain)", "PubAck+deliver"),
        ("Subscribe", "SubAck+retained"),
    ],
    "smtp": [
        ("MAIL", "503"),
        ("EHLO", "250"),
        ("MAIL", "530"),
        ("STARTTLS", "220"),
        ("EHLO", "250"),
        ("AUTH", "235"),
        ("MAIL", "250"),
        ("DATA", "503"),
        ("RCPT", "250"),
        ("DATA", "354"),
        ("QUIT", "-"),
        ("DOT", "250"),
        ("QUIT", "221"),
        ("EHLO", "closed"),
    ],
    "tcp": [
        ("ACTIVE_OPEN", "SYN"),
        ("SYN+ACK", "ACK"),
        ("SEND", "DATA"),
        ("CLOSE", "FIN"),
        ("FIN", "ACK"),
        ("ACK", "-"),
        ("TIMEOUT", "-"),
        ("SYN", "RST"),
    ],
    "tcp_server": [
        ("SYN", "RST"),
        ("LISTEN", "-"),
        ("SYN", "SYN+ACK"),
        ("ACK+PSH(next)", "SACK"),
        ("ACK+PSH", "ACK"),
        ("ACK+PSH(next)", "ACK(full)"),
        ("ACCEPT", "-"),
        ("SEND", "ACK+PSH"),
        ("RECEIVE", "-"),
        ("RECEIVE", "-"),
        ("CLOSE_CONNECTION", "FIN+ACK"),
        ("FIN+ACK", "ACK"),
        ("SYN", "SYN+ACK"),
        ("CLOSE", "RST"),
    ],
    "tls": [
        ("ClientHello", "ServerHello+CertificateRequest"),
        ("EmptyCertificate", "-"),
        ("ClientKeyExchange", "-"),
        ("ChangeCipherSpec", "-"),
        ("Finished", "ChangeCipherSpec+Finished"),
        ("ApplicationData", "ApplicationData"),
        ("Finished", "Alert"),
        ("ClientHello", "closed"),
    ],
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocol_sessions(name):
    automaton = languages.protocol(name)
    sent, expected = zip(*SESSIONS[name], strict=True)
    answers = automaton.transduce(automaton.encode(sent))
    assert [automaton.output_symbols[a] for a in answers] == list(expected)


@pytest.mark.parametrize(("name", "shape"), [("tcp_server", (14, 59)), ("dtls_server", (12, 51))])
def test_large_protocols_are_tangled(name, shape):
    automaton = languages.protocol(name)
    assert automaton.delta.shape == shape
    assert decompose(automaton).tail is not None
