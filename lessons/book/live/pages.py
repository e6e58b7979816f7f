"""What the server answers: the built pages, the blocks of a lesson, the exercises.

Every handler is one of Jupyter's, which let nobody in without the token, no other site's page in
with the reader's cookie (XSRF, origin), and no name but the loopback's (against DNS rebinding).
"""

import json
import re

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web

from lessons.book.live.blocks import needs

# Scripts and styles from here only. 'unsafe-inline': the theme sets its colours in the page.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' {socket}; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
SCRIPTS = (
    '<link rel="stylesheet" href="/live/live.css">'
    '<script type="module" src="/live/live.js"></script></head>'
)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


class Closed(JupyterHandler):
    """What all pages of the book have in common."""

    @property
    def content_security_policy(self):
        return POLICY.format(socket=f"ws://{self.request.host}")

    def set_default_headers(self):
        super().set_default_headers()
        self.set_header("Referrer-Policy", "no-referrer")  # the first address holds the token
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")


class PageHandler(Closed, web.StaticFileHandler):
    """A file of the built book; a page of HTML gets the page script."""

    @web.authenticated
    async def get(self, path):
        if not path.endswith(".html"):
            return await web.StaticFileHandler.get(self, path)
        self.path = self.parse_url_path(path)
        file = self.get_absolute_path(self.root, self.path)
        file = self.validate_absolute_path(self.root, file)
        if file is None:
            return None
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.xsrf_token  # noqa: B018  reading it sets the cookie that the page script sends back
        return await self.finish(text.replace("</head>", SCRIPTS, 1))

    @web.authenticated
    async def head(self, path):
        return await self.get(path)

    def compute_etag(self):
        return web.RequestHandler.compute_etag(self)

    def data_received(self, chunk):
        """Nothing is sent to a page."""


class BlocksHandler(APIHandler):
    """The Python blocks of a lesson, in order: the text of each and the ones it needs."""

    def initialize(self, root):
        self.root = root

    @web.authenticated
    def get(self, stem):
        path = self.root / "lessons" / f"{stem}.md"
        if not path.is_file():
            raise web.HTTPError(404)
        texts = PYTHON.findall(path.read_text(encoding="utf-8"))
        blocks = [{"text": t, "needs": n} for t, n in zip(texts, needs(texts), strict=True)]
        self.finish(json.dumps(blocks))


class ExercisesHandler(APIHandler):
    """Which exercises there are, and how far the reader is with each."""

    def initialize(self, attempts):
        self.attempts = attempts

    @web.authenticated
    def get(self):
        names = self.attempts.templates
        self.finish(json.dumps({name: self.attempts.status(name) for name in names}))


class ExerciseHandler(APIHandler):
    """One exercise: GET and PUT the answer, POST a check, GET the hint or the solution."""

    def initialize(self, attempts):
        self.attempts = attempts

    def prepare(self):
        if self.path_args and self.path_args[0] not in self.attempts.templates:
            raise web.HTTPError(404)
        return super().prepare()

    @web.authenticated
    def get(self, name, what=""):
        if what == "hint":
            return self.finish(json.dumps({"text": self.attempts.hint(name)}))
        if what == "solution":
            try:
                return self.finish(json.dumps({"text": self.attempts.solution(name)}))
            except PermissionError as error:
                raise web.HTTPError(409, str(error)) from error
        if what:
            raise web.HTTPError(404)
        return self.finish(
            json.dumps(
                {
                    "text": self.attempts.text(name),
                    "template": self.attempts.templates[name],
                    "file": str(self.attempts.path(name)),
                    "status": self.attempts.status(name),
                    "hint": bool(self.attempts.hint(name)),
                }
            )
        )

    def _save(self, name):
        body = self.get_json_body() or {}
        if isinstance(body.get("text"), str):
            self.attempts.save(name, body["text"])

    @web.authenticated
    def put(self, name, what=""):
        if what:
            raise web.HTTPError(405)
        self._save(name)
        self.finish(json.dumps({"status": self.attempts.status(name)}))

    @web.authenticated
    async def post(self, name, what=""):
        if what != "check":
            raise web.HTTPError(405)
        self._save(name)
        self.finish(json.dumps(await self.attempts.check(name)))
