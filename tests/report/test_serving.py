"""`--serve`: this machine only, the page as of now, and a browser that follows without losing its place."""

import gzip
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from forger.report.serving import Server, _Handler
from report.folders import write_run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    write_run(tmp_path, "one", 0, 1.0)
    with Server([tmp_path]) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
        body = answer.read()
        return gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body


def test_the_page_follows_the_runs(server, tmp_path):
    before = get(f"{server.address}version")
    assert b"one: fd_digits 1.00." in get(server.address)
    assert get(f"{server.address}version") == before
    write_run(tmp_path, "other", 0, 2.0)
    assert get(f"{server.address}version") != before
    assert b"one is ahead of other" in get(server.address)


def test_a_browser_that_goes_away_is_no_error(server, capfd):
    for sent in (b"GET / HT", b"GET / HTTP/1.0\r\nHost: 127.0.0.1:1\r\n\r\n"):
        with socket.create_connection(server.server_address[:2]) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not closed
            connection.sendall(sent)
            time.sleep(0.2)
    assert get(f"{server.address}version")
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_only_this_machine_and_under_its_own_names(server):
    assert server.server_address[0] == "127.0.0.1"
    for host in (f"localhost:{server.server_address[1]}", "127.0.0.1", "localhost"):  # port 80 is not in an address
        assert get(server.address, Host=host)
        assert get(server.address, Host=host, Origin=f"http://{host}")
    for path, headers, code in (
        ("", {"Host": "evil.example:80"}, 403),
        ("", {"Host": "evil.example"}, 403),
        ("", {"Origin": "http://evil.example"}, 403),
        ("", {"Origin": "null"}, 403),
        ("", {"Origin": f"http://localhost:{server.server_address[1]}"}, 403),  # not the name it was asked by
        ("x", {}, 404),
        ("../etc/passwd", {}, 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(server.address + path, **headers)
        assert refused.value.code == code
        refused.value.close()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
    connection.request("POST", "/")
    assert connection.getresponse().status == 501
    connection.close()


def test_a_silent_connection_is_closed(server, monkeypatch, capfd):
    assert _Handler.timeout <= 30
    monkeypatch.setattr(_Handler, "timeout", 0.3)
    for sent in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
        with socket.create_connection(server.server_address[:2], timeout=10) as connection:
            connection.sendall(sent)
            assert connection.recv(1) == b""
    assert capfd.readouterr().err == ""


def test_a_folder_that_is_gone_is_told(server, tmp_path):
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(server.address)
    assert refused.value.code == 503
    assert b"no such folder" in refused.value.read()
    refused.value.close()
    tmp_path.with_name("elsewhere").rename(tmp_path)
    assert get(server.address)


def test_a_browser_follows_and_keeps_its_state(server, tmp_path, browser):
    context = browser.new_context()
    tab = context.new_page()
    heard = []
    tab.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    tab.goto(f"{server.address}#score=is_digits&theme=dark")
    assert tab.locator("h1").inner_text() == "one: is_digits 9.90."
    assert tab.locator("#live").inner_text() == "live"
    # The page asks every three seconds; it must have asked once before anything is new to it.
    with tab.expect_response("**/version", timeout=10_000):
        pass
    write_run(tmp_path, "two", 0, 4.0)
    tab.get_by_text("one is ahead of two").wait_for(timeout=15_000)
    # The headline is in the page that was sent; the state is set by the script that runs after it.
    expect(tab.locator("#score")).to_have_value("is_digits", timeout=15_000)
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark", timeout=15_000)
    assert heard == []
    context.close()


def test_the_command_serves_until_it_is_interrupted(tmp_path):
    write_run(tmp_path / "runs", "one", 0, 1.0)
    program = "import sys; from forger.cli import main; sys.exit(main(['report', '--serve']))"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().split()[0]
        assert b"one: fd_digits" in get(address)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()
    assert os.listdir(tmp_path) == ["runs"]
