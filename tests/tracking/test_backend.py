"""The tests' own servers."""

import socket
import struct
import time
from urllib.parse import urlsplit

import pytest

import wandb_backend
from wandb_backend import Backend


@pytest.mark.parametrize("sent", [b"GE", b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"])
def test_a_client_that_is_killed_in_the_middle_prints_nothing(sent: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with wandb_backend.serving(Backend()) as backend:
        address = urlsplit(backend.url)
        with socket.create_connection((str(address.hostname), address.port or 0)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not closed
            connection.sendall(sent)
            time.sleep(0.2)
        time.sleep(0.2)
    assert capfd.readouterr().err == ""
