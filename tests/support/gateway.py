# SPDX-License-Identifier: Apache-2.0
"""The real binary under test, as a process: started on a config of its own, asked through its admin
socket, stopped by signal. stop() holds it to what it promises about its end: exit code 0, nothing
alive, and nothing that a sanitizer would report."""
import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading

from support import prometheus
from support.client import Client, connect, connect_tls
from support.h2peer import H2Client
from support.waiting import PATIENCE, SLOWNESS, Deadline, eventually

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_NOTHING_ALIVE = "exit live_exchanges=0 live_connections=0 live_blocks=0"
_SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")


def binary():
    """WEIR_BINARY, or the newest that was built here."""
    named = os.environ.get("WEIR_BINARY")
    if named:
        return named
    built = glob.glob(_ROOT + "/out/*/bin/weir") + glob.glob(_ROOT + "/build/*/bin/weir")
    if not built:
        raise RuntimeError("no weir binary: build one, or name it in WEIR_BINARY")
    return max(built, key=os.path.getmtime)


def run_cli(*arguments, stdin=None, env=None, cwd=None):
    """Runs `weir ARGUMENTS` to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([binary(), *arguments], input=stdin, capture_output=True, text=True,
                          timeout=PATIENCE * 3, env={**os.environ, **(env or {})}, cwd=cwd,
                          check=False)
    assert not _SANITIZER.search(done.stderr), done.stderr
    return done.returncode, done.stdout, done.stderr


class Gateway:
    """`descriptors`: all that the process may have. `config` is a dict (written as JSON, which is YAML) or the text of a file. A dict gets the
    keys that a test needs and seldom cares about: admin, access log, one worker, short drain."""

    def __init__(self, config, env=None, wait=True, descriptors=None):
        self.directory = tempfile.mkdtemp(prefix="weir-")
        self.file = os.path.join(self.directory, "weir.yaml")
        self.admin_path = os.path.join(self.directory, "admin.sock")
        self.log_path = os.path.join(self.directory, "access.log")
        self.write(config)
        self.stderr = []
        self.exit_code = None
        self._addresses = {}
        self._changed = threading.Condition()
        self._ended = False
        self._stdout = open(os.path.join(self.directory, "stdout"), "wb")
        limit = descriptors and (
            lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))
        self.process = subprocess.Popen(
            [binary(), "run", "-c", self.file], stdout=self._stdout, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, cwd=self.directory,
            preexec_fn=limit)
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()
        if wait:
            self.wait_for_line(lambda line: line == "ready", "ready")

    # ---- Its config.
    def complete(self, config):
        """`config` with what every test needs."""
        return {
            "workers": 1,
            "admin": {"address": "unix:" + self.admin_path, "metrics": "127.0.0.1:0"},
            "access_log": {"path": self.log_path},
            "shutdown": {"drain": "5s"},
            **config,
        }

    def write(self, config):
        text = config if isinstance(config, str) else json.dumps(self.complete(config), indent=1)
        text = text.replace("@DIR@", self.directory)
        with open(self.file + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(self.file + ".new", self.file)
        self.config = config

    # ---- What it says.
    def _read_stderr(self):
        for raw in self.process.stderr:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            with self._changed:
                self.stderr.append(line)
                found = re.search(r"listening name=(\S+) address=(\S+)", line)
                if found:
                    self._addresses[found[1]] = found[2]
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for_line(self, wanted, what):
        deadline = Deadline()
        with self._changed:
            while True:
                for line in self.stderr:
                    if wanted(line):
                        return line
                if self._ended or deadline.passed():
                    raise AssertionError(f"never said {what}:\n" + self.stderr_text())
                self._changed.wait(deadline.left())

    def stderr_text(self):
        return "\n".join(self.stderr)

    def stdout_text(self):
        with open(self._stdout.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    # ---- Its sockets.
    def address(self, name="main"):
        """(ip, port), or the path of a unix socket."""
        with self._changed:
            text = self._addresses[name]
        if text.startswith("unix:"):
            return text[len("unix:"):]
        host, port = text.rsplit(":", 1)
        return host.strip("[]"), int(port)

    def client(self, name="main", **rest):
        return Client(self.address(name), **rest)

    def h2_client(self, name="main", settings=(), tls=None, sni="a.test", **rest):
        """An HTTP/2 client: by prior knowledge, or over TLS that agrees on h2."""
        if not tls:
            return H2Client(connect(self.address(name), **rest), settings)
        sock = connect_tls(self.address(name), tls, sni, **rest)
        assert sock.selected_alpn_protocol() == "h2", sock.selected_alpn_protocol()
        return H2Client(sock, settings, scheme="https")

    # ---- Its admin side.
    def admin(self, target, method="GET", tcp=False):
        peer = Client(self.address("admin-metrics") if tcp else self.admin_path)
        try:
            return peer.request(method, target, headers=[("Connection", "close")],
                                body=b"" if method == "POST" else None)
        finally:
            peer.close()

    def admin_json(self, target):
        answer = self.admin(target)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def metrics(self):
        answer = self.admin("/metrics", tcp=True)
        assert answer.status == 200, answer
        return prometheus.parse(answer.body.decode())

    def metric(self, name, **labels):
        """The sum over all series of that name that carry these labels; 0 if there are none."""
        return self.metrics().sum(name, **labels)

    def expect_metric(self, value, name, **labels):
        """Waits for it: an exchange is counted a moment after its client has the answer."""
        eventually(lambda: self.metric(name, **labels) == value, f"{name} {labels} is {value}")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def log(self, count, seconds=PATIENCE):
        """The access log's lines as objects, once there are `count` of them."""
        lines = eventually(lambda: len(self.log_lines()) >= count and self.log_lines(),
                           f"{count} lines in the access log", seconds)
        return [json.loads(line) for line in lines]

    def log_lines(self):
        if not os.path.exists(self.log_path):
            return []
        with open(self.log_path, encoding="utf-8") as file:
            return [line for line in file.read().split("\n")[:-1] if line]

    # ---- Changing and ending it.
    def reload(self, config=None):
        """Publishes `config` (or what the file now holds): (exit code, stdout, stderr)."""
        if config is not None:
            self.write(config)
        return run_cli("reload", "-c", self.file)

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, seconds=PATIENCE):
        self.exit_code = self.process.wait(seconds)
        self._reader.join(PATIENCE)
        return self.exit_code

    def stop(self):
        """SIGTERM, and the end that weir promises."""
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
            self.check_end(PATIENCE + 5 * SLOWNESS)

    def check_end(self, seconds=PATIENCE):
        code = self.wait_exit(seconds)
        text = self.stderr_text()
        assert not _SANITIZER.search(text), text
        assert code == 0, f"exit code {code}:\n{text}"
        assert _NOTHING_ALIVE in text, text

    def destroy(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait_exit()
        self._stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)
