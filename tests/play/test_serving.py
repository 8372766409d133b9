"""The page over HTTP: this machine only, one line for whatever is wrong, several tabs at a time, Ctrl-C."""

import html
import json
import os
import re
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from forger import cli
from forger.errors import ConfigError
from forger.play import serving
from forger.play.serving import MOST_BYTES, Server
from running import Begun


@pytest.fixture(scope="module")
def server(playing) -> Iterator[Server]:
    with Server(playing["gan"]) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def sent(address: str, body: bytes | None, **headers: str) -> tuple[int, bytes]:
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, given), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with closing(refused):
            return refused.code, refused.read()


def asked(server: Server, **fields: object) -> dict:
    status, body = sent(f"{server.address}ask", json.dumps(fields).encode())
    assert status == 200, body
    return json.loads(body)


def test_the_page_and_an_answer(server):
    status, page = sent(server.address, None)
    assert status == 200
    assert b"<h1" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html.unescape(page.decode()))
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert len(asked(server, what="samples", n=3, seed=1)["pictures"]) == 3


def test_nobody_else_asks(server):
    here = f"127.0.0.1:{server.server_address[1]}"
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        for path, body in (("", None), ("ask", b'{"what": "samples"}')):
            assert sent(server.address + path, body, **headers)[0] == 403
    assert sent(f"{server.address}ask", b'{"what": "samples"}', Origin=f"http://{here}")[0] == 200
    # What a form can send without a browser's asking first.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert sent(f"{server.address}ask", b'{"what": "samples"}', Content_Type=kind)[0] == 415


def test_no_path_but_two(server):
    for path in ("x", "../etc/passwd", "ask", "templates/start.js", "?x=1", "%2e%2e/"):
        assert sent(server.address + path, None)[0] == 404
    assert sent(server.address, b"{}")[0] == 404
    assert sent(f"{server.address}ask/", b"{}")[0] == 404


def test_what_is_too_large_is_not_kept(server):
    status, body = sent(f"{server.address}ask", b"0" * (MOST_BYTES + 1))
    assert status == 413
    assert json.loads(body) == {"error": "too large: a picture has at most 16 MB"}
    for length in ("-1", "1e3", "+5"):
        assert sent(f"{server.address}ask", b"{}", Content_Length=length)[0] in (400, 411)
    assert asked(server, what="samples", n=1)


def test_nonsense_and_failures_are_one_line_each(server, monkeypatch, capfd):
    status, body = sent(f"{server.address}ask", b'{"what": "walk", "from": [NaN]}')
    assert (status, json.loads(body)) == (400, {"error": "no JSON: NaN is no number"})

    def fails(*arguments):
        raise RuntimeError("of the network")

    with monkeypatch.context() as patch:
        patch.setattr("forger.play.answering.answer", fails)
        status, body = sent(f"{server.address}ask", b"{}")
    assert status == 500
    assert "of the network" in json.loads(body)["error"]
    assert "Traceback" not in body.decode() + capfd.readouterr().err
    assert asked(server, what="samples", n=1)


def test_several_tabs_get_what_each_asked_for(server):
    alone = {seed: asked(server, what="samples", n=20, seed=seed) for seed in range(4)}
    with ThreadPoolExecutor(8) as tabs:
        seeds = [number % 4 for number in range(24)]
        answers = tabs.map(lambda seed: asked(server, what="samples", n=20, seed=seed), seeds)
        assert all(answer == alone[seed] for answer, seed in zip(answers, seeds, strict=True))


def test_a_port_that_is_taken_is_one_line(server):
    taken = server.server_address[1]
    with pytest.raises(ConfigError, match=rf"^--port {taken}: Address already in use; leave it out for a free one$"):
        Server(server.playing, taken)


def test_the_model_answers_one_at_a_time(server, monkeypatch):
    at_work, most = [], []

    def slow(playing, body):
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.02)
        at_work.pop()
        return 200, b"{}"

    monkeypatch.setattr(serving, "answered", slow)
    with ThreadPoolExecutor(4) as tabs:
        list(tabs.map(lambda _: sent(f"{server.address}ask", b"{}"), range(8)))
    assert max(most) == 1


def test_the_command_serves_until_it_is_interrupted(runs, tmp_path):
    begun = Begun("play", str(runs["gan"].path), cwd=tmp_path)
    for _ in range(600):
        if (line := begun.out.readline()) or begun.process.exitcode is not None:
            break
        time.sleep(0.1)
    else:
        line = ""
    assert (found := re.match(r"(http://127\.0\.0\.1:\d+/) \(Ctrl\+C ends it\)\n", line)), begun.ended()
    assert b"<h1" in sent(found[1], None)[1]
    assert begun.process.pid is not None
    os.kill(begun.process.pid, signal.SIGINT)
    ended = begun.ended()
    assert ended.returncode == 0
    assert ended.stderr == "\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "play: which run? forger play RUN (--help says more)"),
        (["nowhere"], "nowhere: no such folder; `forger runs` lists runs"),
        (["https://example.org/run"], "https://example.org/run: a URL, and only local files are read"),
        (["RUN", "--port", "0"], "--port 0: must be a whole number of at least 1 and at most 65535"),
        (["RUN", "--checkpoint", "bset"], "--checkpoint bset: no such checkpoint; did you mean 'best'?"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_served(runs, arguments, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["play", *(str(runs["gan"].path) if word == "RUN" else word for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_a_strangers_run_and_one_without_a_checkpoint(runs, tmp_path, capsys):
    shutil.copytree(runs["gan"].path, tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("forger.networks.mlp.Generator", "os.system"))
    assert cli.main(["play", str(tmp_path / "run")]) == 2
    assert "add --trust" in capsys.readouterr().err
    config.write_text(text)
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert cli.main(["play", str(tmp_path / "run")]) == 2
    assert "no checkpoint yet" in capsys.readouterr().err
