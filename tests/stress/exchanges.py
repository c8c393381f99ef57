# SPDX-License-Identifier: Apache-2.0
"""The suite of exchanges that the lifetime stress walks through, as lists of wire events.

An event is (what, data):
  "C" / "O"    client / origin sends these bytes
  "c?" / "o?"  client / origin waits until it has received these bytes (since its last wait)
  "Of"         origin shuts down writing
  "find"       origin waits for a request whose target goes on with this, on any connection
  "again"      origin lets its connection go and waits for the same request on another one
@ID@ in the bytes becomes the case's own word, which is how the origin's side knows it. Chunks may
be cut anew on the way, so that only single bytes of chunked data are waited for.
"""
HEAD = "GET /@ID@ HTTP/1.1\r\nHost: a\r\n\r\n"
OK = "HTTP/1.1 200 OK\r\n"
END = "\r\n\r\n"


def post(framing):
    return f"POST /@ID@ HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"


def turn(number):
    """Request and answer `number` of several on a connection."""
    return [("C", f"GET /@ID@/{number} HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("find", f"/{number} "), ("o?", END),
            ("O", f"{OK}Content-Length: 6\r\n\r\nturn-{number}"),
            ("c?", f"turn-{number}")]


BIG = "x" * 150_000

EXCHANGES = {
    "get_length": [
        ("C", "GET /@ID@ HTTP/1.1\r\nHo"), ("C", "st: a\r\n\r\n"), ("o?", END),
        ("O", "HTTP/1.1 200 OK\r\nContent-"), ("O", "Length: 6\r\n\r\nabc"), ("c?", "abc"),
        ("O", "def"), ("c?", "def")],
    "get_chunked": [
        ("C", HEAD), ("o?", END), ("O", OK + "Transfer-Encoding: chunked\r\n\r\n"), ("c?", END),
        ("O", "3\r\nab"), ("c?", "b"), ("O", "c\r\n"), ("c?", "c"), ("O", "0\r\nX-T: 1\r\n"),
        ("O", "\r\n"),
        ("c?", "0\r\n")],
    "post_length": [
        ("C", post("Content-Length: 6")), ("o?", END), ("C", "abc"), ("o?", "abc"), ("C", "def"),
        ("o?", "def"), ("O", OK + "Content-Length: 2\r\n\r\nok"), ("c?", "ok")],
    "post_chunked": [
        ("C", post("Transfer-Encoding: chunked")), ("o?", END), ("C", "3\r\nabc\r"), ("o?", "c"),
        ("C", "\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"), ("o?", "e"), ("o?", "0\r\n"),
        ("O", OK + "Content-Length: 2\r\n\r\nok"), ("c?", "ok")],
    "head": [
        ("C", "HEAD /@ID@ HTTP/1.1\r\nHost: a\r\n\r\n"), ("o?", END),
        ("O", OK + "Content-Length: 99\r\n\r\n"), ("c?", END)],
    "expect_continue": [
        ("C", post("Content-Length: 3\r\nExpect: 100-continue")), ("o?", END), ("c?", " 100 "),
        ("c?", END), ("O", "HTTP/1.1 100 Continue\r\n\r\n"), ("C", "abc"), ("o?", "abc"),
        ("O", OK + "Content-Length: 2\r\n\r\nok"), ("c?", "ok")],
    "early_hints": [
        ("C", HEAD), ("o?", END), ("O", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ("c?", "103"), ("c?", END), ("O", "HTTP/1.1 103 Early Hints\r\n\r\n" + OK),
        ("O", "Content-Length: 2\r\n\r\nok"), ("c?", "ok")],
    "pipelined": [
        ("C", "".join(turn(n)[0][1] for n in (1, 2, 3))),
        *(event for n in (1, 2, 3) for event in turn(n)[1:])],
    "keep_alive": [event for n in (1, 2, 3) for event in turn(n)],
    "retry": [
        ("C", HEAD), ("o?", END),
        ("O", "HTTP/1.1 503 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"),
        ("again", ""), ("o?", END), ("O", OK + "Content-Length: 2\r\n\r\nok"), ("c?", "ok")],
    "early_answer": [
        ("C", post("Content-Length: 100000") + "x" * 500), ("o?", END), ("o?", "xxx"),
        ("O", "HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"), ("Of", ""),
        ("c?", "no"), ("C", "x" * 5000), ("C", "x" * 5000)],
    "close_delimited": [
        ("C", HEAD), ("o?", END), ("O", OK + "X: y\r\n\r\n"), ("c?", END), ("O", "12z"),
        ("c?", "z"),
        ("O", "34y"), ("c?", "y"), ("Of", "")],
    "big_download": [
        ("C", HEAD), ("o?", END), ("O", f"{OK}Content-Length: {4 * len(BIG) + 4}\r\n\r\nhead"),
        ("c?", "head"), ("O", BIG), ("O", BIG), ("c?", "xxx"), ("O", BIG), ("O", BIG),
        ("c?", "xxx")],
    "big_upload": [
        ("C", post(f"Content-Length: {4 * len(BIG) + 4}") + "head"), ("o?", "head"), ("C", BIG),
        ("C", BIG), ("o?", "xxx"), ("C", BIG), ("C", BIG), ("o?", "xxx"),
        ("O", OK + "Content-Length: 2\r\n\r\nok"), ("c?", "ok")],
    "upgrade_refused": [
        ("C", "GET /@ID@ HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"),
        ("C", "Upgrade: websocket\r\n\r\n"), ("c?", " 501 "), ("c?", END)],
    "direct": [
        ("C", "GET /direct?@ID@ HTTP/1.1\r\nHost: a\r\n\r\n"), ("c?", "direct answer"),
        ("C", "POST /direct?@ID@ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"),
        ("C", "bc"), ("c?", "direct answer")],
    "bad_request": [
        ("C", "GET /@ID@ HTTP/1.1\r\nHost: a\r\n"), ("C", "Bad Field: 1\r\n\r\n"),
        ("c?", " 400 ")],
    "bad_answer": [
        ("C", HEAD), ("o?", END), ("O", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"),
        ("O", "Content-Length: 2\r\n\r\nab"), ("c?", " 502 ")],
}


def split_in_two(events):
    """The same exchange with every sending in two parts: twice as many places to break it."""
    for what, data in events:
        if what in ("C", "O") and len(data) > 1:
            half = len(data) // 2
            yield what, data[:half]
            yield what, data[half:]
        else:
            yield what, data
