"""`tinyunet book`: who is let in, what the blocks need, the reader's answers.

The server runs for real, with a book of two pages. It runs Python for whoever reaches it, so most
of these tests try to get in.
"""

import asyncio
import http.client
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `lessons` is a folder of the project, not an installed package

from lessons.book.live.attempts import Attempts, line_of  # noqa: E402
from lessons.book.live.blocks import names, needs  # noqa: E402

PAGE = "<html><head><title>x</title></head><body>a page</body></html>"
NEEDED = 'the book that runs needs `pip install ".[book]"`'
SERVE = """
import sys
from pathlib import Path
from lessons.book.live.server import address_of, make, when_open
root, book, exercises = map(Path, sys.argv[1:])
server = make(root, book, exercises)
when_open(server, lambda: print(address_of(server), flush=True))
server.start()
"""


class Book:
    """A running server, and how to ask it."""

    def __init__(self, folder, environment):
        (folder / "book" / "lessons").mkdir(parents=True)
        for name in ("index.html", "lessons/01-valid-convolution.html"):
            (folder / "book" / name).write_text(PAGE, encoding="utf-8")
        (folder / "secret.txt").write_text("secret", encoding="utf-8")
        self.exercises = folder / "exercises"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(ROOT), str(folder / "book"), str(self.exercises)],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            self.process.wait(30)
            raise AssertionError(self.process.stderr.read())
        parts = urlsplit(self.address)
        self.port, self.token = parts.port, parts.query.removeprefix("token=")

    def ask(self, method, path, headers=None, body=None, host="127.0.0.1"):
        """Return (status, headers, text); with the token unless `headers` say otherwise."""
        if headers is None:
            headers = {"Authorization": f"token {self.token}"}
        connection = http.client.HTTPConnection(host, self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.ask("GET", path, headers)

    def cookies(self):
        """Return the cookies of a browser that came with the right address."""
        _, headers, _ = self.ask("GET", f"/index.html?token={self.token}", headers={})
        return dict(
            re.match(r"([^=]+)=([^;]*)", one).groups() for one in headers.get_all("Set-Cookie")
        )

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    for module in ("jupyter_server", "ipykernel"):
        pytest.importorskip(module, reason=NEEDED)
    folder = tmp_path_factory.mktemp("live")
    # A configuration that would open everything, where Jupyter looks for one.
    config = folder / "config"
    config.mkdir()
    (config / "jupyter_server_config.py").write_text(
        "c.ServerApp.ip = '0.0.0.0'\nc.ServerApp.allow_origin = '*'\n"
        "c.ServerApp.allow_remote_access = True\nc.ServerApp.disable_check_xsrf = True\n"
        "c.IdentityProvider.token = ''\nc.ServerApp.password = ''\n",
        encoding="utf-8",
    )
    environment = {"JUPYTER_CONFIG_DIR": str(config), "JUPYTER_TOKEN": "guessed"}
    running = Book(folder, environment)
    yield running
    running.close()


def cookie_header(cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


# Who is let in


def test_the_right_address_shows_the_page_with_its_script(book):
    status, headers, text = book.ask("GET", f"/index.html?token={book.token}", headers={})
    assert status == 200
    assert "a page" in text
    assert "/live/live.js" in text
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    cookie = next(c for c in headers.get_all("Set-Cookie") if c.startswith("username-"))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


PATHS = [
    "/",
    "/index.html",
    "/lessons/01-valid-convolution.html",
    "/live/live.js",
    "/book/exercises",
    "/book/exercises/01_conv2d_loops",
    "/book/exercises/01_conv2d_loops/solution",
    "/book/lessons/01-valid-convolution",
    "/api/kernels",
    "/api/sessions",
    "/api/kernelspecs",
    "/api/status",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "wrong", "guessed"])
def test_nobody_gets_in_without_the_token(book, path, token):
    mark = "&" if "?" in path else "?"
    for where in (path, f"{path}{mark}token={token}"):
        headers = {"Authorization": f"token {token}"} if token else {}
        status, _, text = book.get(where, headers)
        assert status in (302, 403), (where, status)
        assert "a page" not in text
        assert "conv2d" not in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/kernels"),
        ("POST", "/api/sessions"),
        ("PUT", "/book/exercises/01_conv2d_loops"),
        ("POST", "/book/exercises/01_conv2d_loops/check"),
    ],
)
def test_another_page_cannot_use_the_readers_cookie(book, method, path):
    """A form or a script of another site comes with the cookie at most, not with the XSRF token."""
    cookies = cookie_header(book.cookies())
    body = json.dumps({"text": "import os", "name": "lesson"})
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        status, headers, _ = book.ask(method, path, {"Cookie": cookies, **origin}, body)
        assert status in (403, 404), origin
        assert "Access-Control-Allow-Origin" not in headers
    assert not (book.exercises / "01_conv2d_loops.py").exists()
    assert json.loads(book.get("/api/kernels")[2]) == []


def test_a_foreign_origin_may_not_read(book):
    cookies = cookie_header(book.cookies())
    headers = {"Cookie": cookies, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    _, answer, _ = book.get("/book/exercises", headers)
    assert "Access-Control-Allow-Origin" not in answer
    _, answer, _ = book.ask("OPTIONS", "/book/exercises", headers)
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.168.1.5", "0.0.0.0"])
def test_a_name_that_leads_here_by_a_trick_is_refused(book, host):
    """DNS rebinding: a foreign name that points at 127.0.0.1 makes the browser's origin foreign."""
    status, _, text = book.get(
        "/index.html", {"Authorization": f"token {book.token}", "Host": host}
    )
    assert status == 403
    assert "a page" not in text


def other_addresses():
    """Addresses of this machine that are not the loopback's."""
    found = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses an interface
            found.add(probe.getsockname()[0])
        except OSError:
            pass
    return {address for address in found if not address.startswith("127.")}


def test_it_listens_on_the_loopback_only(book):
    addresses = other_addresses()
    if not addresses:
        pytest.skip("this machine has no address but the loopback's")
    for address in addresses:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, book.port), timeout=5).close()


def websocket(book, kernel, headers):
    lines = [
        f"GET /api/kernels/{kernel}/channels HTTP/1.1",
        f"Host: 127.0.0.1:{book.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", book.port), timeout=60) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(4096).split()[1])


def test_a_kernels_socket_opens_for_the_books_own_page_only(book):
    _, _, text = book.ask("POST", "/api/kernels", body=json.dumps({"name": "lesson"}))
    kernel = json.loads(text)["id"]
    cookies = f"Cookie: {cookie_header(book.cookies())}"
    own = f"Origin: http://127.0.0.1:{book.port}"
    try:
        assert websocket(book, kernel, []) == 403
        assert websocket(book, kernel, [own]) == 403
        assert websocket(book, kernel, [cookies, "Origin: http://evil.example"]) == 403
        assert websocket(book, kernel, [cookies, "Origin: null"]) == 403
        other = f"Origin: http://127.0.0.1:{book.port + 1}"  # another program of this machine
        assert websocket(book, kernel, [cookies, other]) == 403
        assert websocket(book, kernel, [cookies, own]) == 101
    finally:
        assert book.ask("DELETE", f"/api/kernels/{kernel}")[0] == 204


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/lessons/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/lessons/..%5c..%5csecret.txt",
        "//etc/hostname.txt",
        "/live/../server.py",
        "/live/..%2fserver.js",
    ],
)
def test_no_file_outside_of_the_book_is_served(book, path):
    status, _, text = book.get(path)
    assert status in (400, 403, 404), status
    assert text != "secret"


@pytest.mark.parametrize(
    "path",
    ["/api/contents", "/files/x.txt", "/api/terminals", "/api/config/x", "/nbconvert/x", "/view/x",
     "/api/shutdown"],
)  # fmt: skip
def test_nothing_else_of_jupyters_server_runs(book, path):
    assert book.get(path)[0] == 404
    assert book.ask("POST", path, body="{}")[0] in (404, 405)


def test_the_only_kernel_is_this_python(book):
    found = json.loads(book.get("/api/kernelspecs")[2])
    assert list(found["kernelspecs"]) == ["lesson"]
    assert found["kernelspecs"]["lesson"]["spec"]["argv"][0] == sys.executable
    status, _, _ = book.ask("POST", "/api/kernels", body=json.dumps({"name": "python3"}))
    assert status in (404, 500)
    assert json.loads(book.get("/api/kernels")[2]) == []


# The exercises behind their addresses


def test_an_answer_is_kept_checked_and_solved(book):
    path = "/book/exercises/01_conv2d_loops"
    told = json.loads(book.get(path)[2])
    assert told["text"] == told["template"]
    assert book.get(f"{path}/solution")[0] == 409  # an attempt comes first
    answer = told["template"].rstrip() + "\n    raise ValueError('not yet')\n"
    status, _, text = book.ask("PUT", path, body=json.dumps({"text": answer}))
    assert (status, json.loads(text)["status"]) == (200, "begun")
    assert (book.exercises / "01_conv2d_loops.py").read_text(encoding="utf-8") == answer
    verdict = json.loads(book.ask("POST", f"{path}/check", body=json.dumps({"text": answer}))[2])
    assert verdict["status"] == "wrong"
    assert "not yet" in verdict["explanation"]
    assert verdict["line"] == answer.count("\n")  # where it was raised
    solution = json.loads(book.get(f"{path}/solution")[2])["text"]
    verdict = json.loads(book.ask("POST", f"{path}/check", body=json.dumps({"text": solution}))[2])
    assert verdict["status"] == "passed", verdict
    assert json.loads(book.get("/book/exercises")[2])["01_conv2d_loops"] == "passed"


@pytest.mark.parametrize("name", ["99_none", "..", "secret", "01_conv2d_loops.py"])
def test_only_exercises_have_answers(book, name):
    assert book.get(f"/book/exercises/{name}")[0] == 404
    assert book.ask("PUT", f"/book/exercises/{name}", body='{"text": "x"}')[0] == 404


def test_the_blocks_of_a_lesson(book):
    blocks = json.loads(book.get("/book/lessons/01-valid-convolution")[2])
    assert "import numpy as np" in blocks[0]["text"]
    assert blocks[0]["needs"] == []
    assert blocks[1]["needs"] == [0]
    assert book.get("/book/lessons/no-such-lesson")[0] == 404
    assert book.get("/book/lessons/..%2f..%2fREADME")[0] == 404


# What a block needs


@pytest.mark.parametrize(
    ("text", "binds", "reads"),
    [
        ("import numpy as np\nx = np.ones(2)", {"np", "x"}, set()),
        ("from a.b import c as d, e", {"d", "e"}, set()),
        ("import a.b", {"a"}, set()),
        ("y = x + len(x)", {"y"}, {"x"}),
        ("x += 1", {"x"}, {"x"}),
        ("x[0] = 1", {"x"}, {"x"}),
        ("x.a = 1", {"x"}, {"x"}),
        ("for i in range(n):\n    y = i", {"i", "y"}, {"n"}),
        ("[i for i in x if i > t]", set(), {"x", "t"}),
        ("def f(a, b=c):\n    z = a + g\n    return z", {"f"}, {"c", "g"}),
        ("f = lambda a, *b, **k: a + b + k + w", {"f"}, {"w"}),
        ("class A(B):\n    x = y", {"A"}, {"B", "y"}),
        ("with open(p) as f:\n    t = f.read()", {"f", "t"}, {"p"}),
        ("x = x + 1", {"x"}, {"x"}),
        ("a, (b, *c) = d", {"a", "b", "c"}, {"d"}),
        ("if (n := f()) > 1:\n    print(n)", {"n"}, {"f"}),
        ("%run x.py", set(), set()),
    ],
)
def test_names_that_a_block_binds_and_reads(text, binds, reads):
    assert names(text) == (binds, reads)


def test_a_block_needs_those_that_bind_its_names_and_what_they_need():
    blocks = ["import numpy as np", "x = np.ones(3)", "y = 2", "z = x * 2", "x[0] = y", "print(x)"]
    assert needs(blocks) == [[], [0], [], [0, 1], [0, 1, 2], [0, 1, 2, 4]]


def test_a_new_value_makes_the_old_one_needless():
    assert needs(["x = 1", "x = 2", "print(x)"]) == [[], [], [1]]


# The reader's answers


@pytest.fixture
def attempts(tmp_path):
    return Attempts(ROOT, tmp_path / "mine")


def test_a_template_that_was_not_touched_is_no_attempt(attempts):
    name = next(iter(attempts.templates))
    attempts.save(name, attempts.templates[name])
    assert not attempts.folder.exists()
    attempts.save(name, attempts.templates[name] + "\n# a thought\n")
    assert attempts.status(name) == ""
    with pytest.raises(PermissionError):
        attempts.solution(name)
    with pytest.raises(KeyError):
        attempts.path("../x")


def test_a_verdict_holds_for_the_answer_that_was_checked(attempts):
    name = "01_conv2d_loops"
    solution = (ROOT / "tests" / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    attempts.save(name, solution)
    assert attempts.status(name) == "begun"
    assert asyncio.run(attempts.check(name))["status"] == "passed"
    assert attempts.status(name) == "passed"
    attempts.save(name, solution + "\nx = 1\n")
    assert attempts.status(name) == "begun"


def test_the_line_of_a_diagnosis():
    text = "import x\n\ndef f(a):\n    pass\n\ndef g(a):\n    pass\n"
    assert line_of({"explanation": "g stopped at line 7 of 01_x.py: no"}, text) == 7
    assert line_of({"failed": "g of a batch", "explanation": "your y is flipped"}, text) == 6
    assert line_of({"explanation": "no idea"}, text) == 3
    assert line_of({"explanation": "no idea"}, "x = 1") is None


def test_every_exercise_has_a_hint_and_a_solution(attempts):
    for name in attempts.templates:
        assert attempts.hint(name), name
        assert (ROOT / "tests" / "solutions" / f"{name}.py").is_file()
