"""The bad network does to packets what it says. Needs root, as the kernel does; elsewhere only its queue is tested."""

import os
import socket
import statistics
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_caller.network import BadNetwork, Shape, _Direction, may_shape

FAR_PORT = 40_404


def echo(host: str, port: int, count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((host, port))
        server.settimeout(5)
        for _ in range(count):
            packet, sender = server.recvfrom(2048)
            server.sendto(packet, sender)


PING = """
import socket, sys, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
for number in range(count):
    sent_s = time.monotonic()
    client.sendto(bytes([number]), (host, port))
    try:
        client.recv(2048)
    except TimeoutError:
        continue
    print(time.monotonic() - sent_s)
"""
DOWNLOAD = """
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=25)
client.sendall(b"hello")
client.shutdown(socket.SHUT_WR)
sys.stdout.buffer.write(client.makefile("rb").read())
"""


def there(network: BadNetwork, program: str, *arguments: object) -> bytes:
    argv = network.command(sys.executable, "-c", program, *map(str, arguments))
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=30).stdout


def round_trips_s(network: BadNetwork, count: int) -> list[float]:
    """Of each packet that came back."""
    return [float(line) for line in there(network, PING, network.near, FAR_PORT, count).split()]


def serve_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as incoming:
        connection.sendall(incoming.read().upper() * 1_000)


@pytest.mark.skipif(not may_shape(), reason="network namespaces and TUN devices need root")
def test_packets_take_their_time_and_a_cut_line_carries_nothing() -> None:
    with BadNetwork(Shape(delay_s=0.05)) as network:
        threading.Thread(target=echo, args=(network.near, FAR_PORT, 5), daemon=True).start()
        slow = round_trips_s(network, 5)
        network.shape(Shape(cut=True))
        assert round_trips_s(network, 1) == []
    assert len(slow) == 5
    assert statistics.median(slow) > 0.1


@pytest.mark.skipif(not may_shape(), reason="network namespaces and TUN devices need root")
def test_a_tcp_service_is_reached_there_under_its_own_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=serve_once, args=(listener,), daemon=True).start()
        with BadNetwork(Shape(delay_s=0.02), tcp_ports=[port]) as network:
            assert there(network, DOWNLOAD, port) == b"HELLO" * 1_000


@pytest.mark.skipif(not may_shape(), reason="network namespaces and TUN devices need root")
def test_functions_run_there_in_processes_of_their_own() -> None:
    with BadNetwork() as network, network.workers() as far:
        names = dict(enumerate(name for _, name in far.submit(socket.if_nameindex).result(timeout=30)))
    assert set(names.values()) == {"lo", "badnet0"}


@given(st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_loss_is_about_what_was_asked_for(loss: float, seed: int) -> None:
    read_end, write_end = os.pipe()
    try:
        way = _Direction(write_end, Shape(loss=loss), seed)
        for _ in range(2000):
            way.take(b"x", 0.0)
    finally:
        os.close(read_end)
        os.close(write_end)
    assert abs(way.lost / 2000 - loss) < 0.07
    assert way.lost + way.passed == 2000


def test_a_rate_spreads_packets_and_drops_what_does_not_fit() -> None:
    read_end, write_end = os.pipe()
    way = _Direction(write_end, Shape(rate_bit_s=8000), seed=1)
    for _ in range(10):
        way.take(bytes(125), 0.0)
    # 125 bytes last 0.125 s each; more than 0.3 s do not wait.
    assert (way.passed, way.lost) == (3, 7)
    assert way.send_due(0.0) == 0.125
    assert way.send_due(1.0) is None
    os.close(write_end)
    with os.fdopen(read_end, "rb") as arrived:
        assert len(arrived.read()) == 375
