"""Jupyter's server with only what the book needs, closed to everyone but its reader.

What this server runs is the reader's Python, so nobody else may reach it: it listens on the
loopback address, asks for a token that is new each time, and takes nothing from Jupyter's
configuration files, which may open what is closed here. No other service of Jupyter's runs: no
files, no terminals, no contents.
"""

import os
import secrets
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from lessons.book.live.attempts import Attempts
from lessons.book.live.pages import BlocksHandler, ExerciseHandler, ExercisesHandler, PageHandler

HERE = Path(__file__).parent
LOOPBACK = "127.0.0.1"
IDLE = 3600  # seconds after which a lesson's kernel that nobody looks at is ended


class OneKernel(KernelSpecManager):
    """The only kind of kernel: this Python, whatever kernels the machine has besides."""

    def find_kernel_specs(self):
        return {"lesson": str(HERE)}

    def get_kernel_spec(self, kernel_name):
        if kernel_name != "lesson":
            raise NoSuchKernel(kernel_name)
        argv = [sys.executable, str(HERE / "kernel.py"), "-f", "{connection_file}"]
        return KernelSpec(
            argv=argv, display_name="Python", language="python", resource_dir=str(HERE)
        )


class BookServer(ServerApp):
    """The server; `make` is how to get one."""

    name = "tinyunet-book"
    default_services = ("api", "auth", "kernels", "kernelspecs", "security", "sessions")

    def load_config_file(self, suppress_errors=True):
        """Read no configuration: a file may say 0.0.0.0, or no token."""

    def migrate_config(self):
        """Touch no configuration."""


def make(root, book, exercises, port=0, open_browser=False, page="index.html"):
    """Return a BookServer that is ready to `start()`.

    root: the project; book: the folder of the built pages; exercises: where the reader's answers
    are kept; port: 0 for any that is free.
    """
    scratch = tempfile.mkdtemp(prefix="tinyunet-book-")
    config = Config()
    config.ServerApp.update(
        ip=LOOPBACK,
        port=port,
        port_retries=50,
        root_dir=scratch,
        default_url=f"/{page}",
        open_browser=open_browser,
        allow_remote_access=False,
        local_hostnames=["localhost"],
        allow_origin="",
        allow_origin_pat="",
        allow_credentials=False,
        allow_unauthenticated_access=False,
        disable_check_xsrf=False,
        terminals_enabled=False,
        allow_root=True,  # in a container one is root; what would be let in is the same
        answer_yes=True,  # Ctrl-C ends it, without a question
        kernel_spec_manager_class=OneKernel,
        log_level=40,
    )
    config.IdentityProvider.token = secrets.token_urlsafe(32)
    config.IdentityProvider.cookie_options = {"samesite": "Strict"}
    config.PasswordIdentityProvider.allow_password_change = False
    config.PasswordIdentityProvider.hashed_password = ""
    config.MappingKernelManager.update(
        default_kernel_name="lesson", cull_idle_timeout=IDLE, cull_connected=False
    )
    if os.name == "posix":  # a kernel's own sockets: files of the reader's instead of ports
        config.KernelManager.transport = "ipc"
    server = BookServer(config=config)
    server.initialize(argv=[], find_extensions=False)
    attempts = Attempts(Path(root), Path(exercises))
    server.web_app.add_handlers(
        ".*$",
        [
            (r"/book/lessons/([\w-]+)", BlocksHandler, {"root": Path(root)}),
            (r"/book/exercises", ExercisesHandler, {"attempts": attempts}),
            (r"/book/exercises/(\w+)(?:/(\w+))?", ExerciseHandler, {"attempts": attempts}),
            (r"/live/([\w.-]+)", PageHandler, {"path": str(HERE / "page")}),
            (
                r"/(.+\.(?:html|css|js|json|svg|png|woff2|map|txt))",
                PageHandler,
                {"path": str(book)},
            ),
        ],
    )
    return server


def when_open(server, tell):
    """Call `tell` as soon as the server answers: the first thing its loop does is bind the port."""
    server.io_loop.add_callback(tell)


def address_of(server):
    """Return the address that lets the reader in."""
    page = server.default_url.lstrip("/")
    return f"http://{LOOPBACK}:{server.port}/{page}?token={server.identity_provider.token}"
