"""The explorer over HTTP: its answers are the library's, and nobody else can ask."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from unittest import mock

import pytest
from command_line import lrnn as command

pytest.importorskip("starlette", reason="the extra 'explore' is not installed (starlette)")
pytest.importorskip("uvicorn", reason="the extra 'explore' is not installed (uvicorn)")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")

from starlette.testclient import TestClient

from constructions import compile_dfa
from constructions.cli.explorer import process, questions
from constructions.cli.explorer.process import MAX_WAITING, StoppedError, Worker
from constructions.cli.explorer.server import HOST, MAX_QUERY, make_app
from lrnn_theory import Automaton, horizon, languages, scan

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "constructions" / "cli" / "explorer" / "static"


@pytest.fixture(scope="module")
def client():
    with TestClient(make_app(60), base_url=f"http://{HOST}:8765") as client:
        yield client


def ask(client, question, **arguments):
    response = client.get(f"/api/{question}", params=arguments)
    assert response.status_code == 200, response.text
    return response.json()


# -------------------------------------------------------------------- answers


def test_machine(client):
    found = ask(client, "machine", source="(0|10*1)*")
    assert found["construction"] == "parity"
    assert found["table"]["delta"] == [[0, 1], [1, 0]]
    assert found["weights"][0]["matrices"] == [[["1"]], [["-1"]]]
    assert found["word"]
    named = ask(client, "machine", source="@tls", construction="star_free")
    assert named["construction"] == "star_free"
    assert named["table"]["outputs"]


@pytest.mark.parametrize("name", ["iso_date", "tls", "flip_flop", "s4_two_generators", "mod_1"])
def test_run_is_what_automaton_and_network_do(client, name):
    automaton = languages.BESTIARY[name]().minimize()
    found = ask(client, "machine", source=f"@{name}")
    run = ask(client, "run", source=f"@{name}", arithmetic="bfloat16", word=found["word"])
    letters = automaton.encode(found["word"])
    path = [automaton.run(found["word"][:0])]
    for a in letters:
        path.append(int(automaton.delta[a, path[-1]]))
    assert run["path"] == path
    assert run["word"] == [automaton.letters[a] for a in letters]
    lrnn = compile_dfa(automaton)
    outputs = scan(lrnn, letters[None], "bfloat16")[0].tolist()
    names = {"0": "rejected", "1": "accepted"} if automaton.kind == "dfa" else {}
    said = [names.get(s, s) for s in (lrnn.output_symbols[x] for x in outputs)]
    assert run["answers"][1:] == said == run["expected"][1:]
    assert run["wrong"] is None
    assert [len(states[0]) for states in run["states"]] == list(lrnn.widths)


def test_the_format_decides_when_it_breaks(client):
    seven = languages.mod(7)
    lrnn = compile_dfa(seven, "rotation")
    asked = {"source": "@mod(7)", "construction": "rotation"}
    fine = ask(client, "verdict", **asked, arithmetic="float32")
    assert fine["verdict"] == "proved"
    wrong = ask(client, "verdict", **asked, arithmetic="bfloat16")
    first = horizon(lrnn, seven, "bfloat16").minimum
    assert (wrong["verdict"], wrong["length"]) == ("refuted", first)
    run = ask(client, "run", **asked, arithmetic="bfloat16", word=wrong["word"])
    assert run["wrong"] == first
    assert ask(client, "run", **asked, arithmetic="float32", word=wrong["word"])["wrong"] is None


def test_states_that_are_no_numbers_are_text(client):
    asked = {"source": "@mod(7)", "construction": "rotation", "arithmetic": "float8_e4m3"}
    run = ask(client, "run", **asked, word="a" * 400)
    values = [x for state in run["states"][0] for x in state]
    assert any(isinstance(x, str) for x in values)  # it overflows to NaN
    json.dumps(run, allow_nan=False)


def test_details(client):
    found = ask(client, "details", source="(ab)*")
    assert dict(found["profile"])["aperiodic (star-free)"] == "yes"
    assert "star_free" in found["constructions"]
    assert found["spectrum"]["svg"].startswith("<svg")
    assert {row["one"]["answer"] for row in found["architectures"]} <= {"yes", "no", "open"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(languages.BESTIARY))
def test_every_machine(name):
    found = questions.machine(f"@{name}", "")
    run = questions.run(f"@{name}", "", "float32", found["word"])
    assert run["answers"] == run["expected"]
    json.dumps(found, allow_nan=False)


# -------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("question", "arguments", "message"),
    [
        ("machine", {"source": ""}, "Type a regex"),
        ("machine", {}, "Type a regex"),
        ("machine", {"source": "(a"}, "Regex"),
        ("machine", {"source": "(?=a)b"}, "lookahead"),
        ("machine", {"source": "((((a{99}){99}){99}){99})"}, "5000 positions"),
        ("machine", {"source": "(a|b)*a(a|b){14}"}, "5000 states"),
        ("machine", {"source": "a" * 501}, "500 characters"),
        ("machine", {"source": "@nosuch"}, "must be a machine"),
        ("machine", {"source": "@mod(1000000)"}, "200000 table entries"),
        ("machine", {"source": "/etc/passwd.json"}, "reads no files"),
        ("machine", {"source": "secret.dot"}, "reads no files"),
        ("machine", {"source": "w.safetensors"}, "reads no files"),
        ("machine", {"source": "(ab)*", "construction": "parity"}, "does not apply"),
        ("machine", {"source": "(ab)*", "construction": "nosuch"}, "must be one of"),
        ("run", {"source": "(ab)*", "arithmetic": "float33"}, "float33"),
        ("run", {"source": "(ab)*", "arithmetic": "float32", "word": "abc"}, "Unknown letter"),
        ("run", {"source": "a*", "arithmetic": "float32", "word": "a" * 401}, "400 letters"),
        ("verdict", {"source": "(ab)*", "arithmetic": ""}, "arithmetic"),
    ],
)
def test_misuse_is_a_message(client, question, arguments, message):
    response = client.get(f"/api/{question}", params=arguments)
    assert response.status_code == 400
    error = response.json()["error"]
    assert message in error
    assert "\n" not in error


def test_a_question_that_takes_too_long_is_stopped_and_the_next_one_is_answered():
    with TestClient(make_app(3), base_url=f"http://{HOST}") as client:
        start = time.perf_counter()
        response = client.get("/api/machine", params={"source": "@random_automaton(90000)"})
        assert response.status_code == 503
        assert "more than 3 s and was stopped" in response.json()["error"]
        assert client.get("/api/machine", params={"source": "(ab)*"}).status_code == 200
        assert time.perf_counter() - start < 60


def test_a_process_that_ends_is_replaced():
    async def story():
        worker = Worker(60)
        arguments = {"source": "(ab)*"}
        assert "ok" in await worker.ask("machine", arguments)
        assert worker._process is not None
        worker._process.kill()
        with pytest.raises(StoppedError, match="ended"):
            await worker.ask("machine", arguments)
        assert "ok" in await worker.ask("machine", arguments)
        await worker.stop()

    asyncio.run(story())


def test_the_first_answer_needs_no_torch_and_no_pictures_but_the_graph():
    program = (
        "import sys; from constructions.cli.explorer import questions; "
        "questions.machine('(11)*', ''); "
        "print({'torch', 'matplotlib', 'numba', 'sympy'} & set(sys.modules)); "
        "questions.load(); print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("set()\nTrue\n", "")


@pytest.fixture
def asked(monkeypatch):
    """What a worker's process is asked, and for how long at most; it answers at once."""
    requests = []

    async def answer(_worker, _process, request, seconds):
        requests.append((request["question"], seconds))
        return {"ok": {}}

    monkeypatch.setattr(Worker, "_answer", answer)
    return requests


def test_orbits_are_compiled_while_nobody_asks_however_long_it_takes(asked, monkeypatch):
    async def story():
        worker = Worker(0.01)
        preparing = asyncio.create_task(worker.prepare())
        while len(asked) < 3:
            await asyncio.sleep(0.01)
        await worker.ask("details", {})
        await preparing
        await worker.stop()

    monkeypatch.setattr(process, "QUIET", 0.2)
    asyncio.run(story())
    assert asked == [
        ("machine", 0.01), ("load", None), ("run", 0.01), ("details", 0.01), ("compile", None)
    ]  # fmt: skip


def test_the_time_of_a_question_begins_when_what_it_needs_is_loaded(asked):
    """Loading takes longer than a question may here, and is asked for once."""

    async def story():
        worker = Worker(0.01)
        for question in ("machine", "run", "verdict"):
            await worker.ask(question, {"source": "(ab)*"})
        await worker.stop()
        await worker.ask("run", {"source": "(ab)*"})
        await worker.stop()

    asyncio.run(story())
    load = ("load", None)
    assert asked == [
        ("machine", 0.01), load, ("run", 0.01), ("verdict", 0.01), load, ("run", 0.01)
    ]  # fmt: skip


def test_questions_that_wait_are_few():
    async def story():
        worker = Worker(60)
        asked = [worker.ask("machine", {"source": "(ab)*"}) for _ in range(MAX_WAITING + 3)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = [x for x in answers if isinstance(x, StoppedError)]
        assert len(refused) == 3
        assert "Too many" in str(refused[0])
        await worker.stop()

    asyncio.run(story())


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_memory_is_bounded():
    program = (
        "from constructions.cli.explorer import worker\n"
        "import numpy as np\n"
        "worker.MEMORY = 1 << 30\n"
        "worker._bound_memory()\n"
        "print(worker.answer({'question': 'machine', 'arguments': {'source': 'a*'}}).keys())\n"
        "try: np.ones(1 << 28)\n"
        "except MemoryError: print('bounded')\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.split() == ["dict_keys(['ok'])", "bounded"], ran.stderr


def test_only_this_machine_and_this_page_may_ask(client):
    for host in ("evil.example", "127.0.0.1.evil.example", "192.168.0.1:8765", ""):
        assert client.get("/", headers={"host": host}).status_code == 400, host
    for host in ("127.0.0.1:8765", "localhost:1234", "localhost"):
        assert client.get("/", headers={"host": host}).status_code == 200, host
    for site, code in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 200),
        ("none", 200),
    ]:
        headers = {"sec-fetch-site": site, "origin": "https://evil.example"}
        response = client.get("/api/machines", headers=headers)
        assert response.status_code == code
        assert "access-control-allow-origin" not in response.headers


def test_requests_are_small(client):
    assert client.get("/api/machine", params={"source": "a" * MAX_QUERY}).status_code == 414
    assert client.request("GET", "/api/machine", content=b"x").status_code == 413
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert client.request(method, "/api/machine").status_code == 405
    for path in ("/api/nosuch", "/../server.py", "/static/explorer.js", "/%2e%2e/pyproject.toml"):
        assert client.get(path).status_code == 404


def test_every_response_forbids_what_the_page_does_not_need(client):
    for path in ("/", "/explorer.js", "/style.css", "/api/machines", "/nosuch", "/api/machine"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "'unsafe-eval'" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/explorer.js").headers["content-type"].startswith("text/javascript")


def test_the_page_loads_nothing_from_elsewhere_and_puts_text_in_as_text():
    files = {p.name: p.read_text(encoding="utf-8") for p in STATIC.iterdir()}
    assert set(files) == {"explorer.html", "explorer.css", "explorer.js", "view.js"}
    for name, text in files.items():
        assert "://" not in text, name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, (name, word)


def test_every_control_has_a_name():
    import re

    page = (STATIC / "explorer.html").read_text(encoding="utf-8")
    labels = set(re.findall(r'<label for="([^"]*)"', page))
    for tag in re.findall(r"<(?:input|select|button)\b[^>]*>[^<]*", page):
        name = re.search(r'id="([^"]*)"', tag)
        text = tag.partition(">")[2].strip()
        assert "aria-label" in tag or text or (name and name[1] in labels), tag


# -------------------------------------------------------------------- the command


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server((HOST, 0)) as taken:
        ran = command("explore", "--port", taken.getsockname()[1])
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "cannot listen on 127.0.0.1" in ran.err


def test_without_the_extra_it_is_one_line():
    with mock.patch("constructions.cli.exploring.find_spec", return_value=None):
        ran = command("explore")
    assert ran.code == 2
    assert (
        ran.err
        == "lrnn: The explorer needs starlette and uvicorn: pip install 'lrnn-theory[explore]'.\n"
    )


def test_the_command_serves_and_ends():
    process = subprocess.Popen(
        [sys.executable, "-m", "constructions.cli", "explore", "--port", "0", "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert url.startswith(f"http://{HOST}:")
        with urllib.request.urlopen(url, timeout=30) as response:
            assert b"<!doctype html>" in response.read()
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert "Traceback" not in err


def test_regexes_of_the_first_page(client):
    for source in ("(11)*", "(0|10*1)*", r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"):
        states = Automaton.from_regex(source).n_states
        assert ask(client, "machine", source=source)["states"] == states
