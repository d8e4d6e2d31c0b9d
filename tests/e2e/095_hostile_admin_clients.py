"""Clients of the admin port that are slow, silent or mad never disturb the pipeline."""

import socket

import e2e

with e2e.Case() as case:
    relay = case.up()
    host, port = relay.config["admin"]["listen"].split(":")
    socks = []
    for number in range(60):
        try:
            sock = socket.create_connection((host, int(port)), timeout=1)
            sock.sendall((b"GET /metrics HTTP/1.1\r\nX: ", b"\0\xff" * 5000, b"",
                          b"POST /status HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx" * 10)[number % 4])
            socks.append(sock)
        except OSError:
            pass
    assert socks
    case.shop(writers=2).run(30)
    case.drain(20, relay=relay)
    for sock in socks:
        sock.close()
    e2e.wait("the admin port answers again", relay.ready, 20)
    assert relay.admin("/nothing")[0] == 404
    case.stop(relay)
    case.judge()
