# SPDX-License-Identifier: Apache-2.0
"""The proxies that are compared, each with the fairest configuration that we know for it.

Fair means: one worker, keep-alive to the origin with room for every client, no log (except where the
log is the scenario), no temporary files on disk, splicing where the peer has it."""

import ctypes
import os
import signal
import socket
import subprocess
import time

from proc import process_tree

# Clients at most in any scenario; the upstream pools must hold as many.
POOL = 1024
ROUTE_HOSTS = 1000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class PeerFailed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def prepare(cores):
    """In the child before exec: pin it, and let it end should this script be killed."""
    os.sched_setaffinity(0, cores)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        return True
    except OSError:
        return False


class Program:
    """A child pinned to some cores, which listens on one port. Stops only itself."""

    def __init__(self, argv, port, cores, log_path, wait=60.0):
        self.port = port
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: prepare(cores))
        deadline = time.monotonic() + wait
        while not accepts(port):
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PeerFailed("%s does not listen: %s" % (argv[0], self.tail()))
            time.sleep(0.02)

    def pids(self):
        return process_tree(self.child.pid)

    def tail(self):
        with open(self.log_path, "rb") as log:
            return log.read()[-2000:].decode("utf-8", "replace")

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def relay_command(tools, directory, port, origin_port, settings):
    return [tools["relay"], str(port), str(origin_port)]


WEIR = """\
workers: {workers}
admin: {{address: "unix:{directory}/admin.sock", metrics: "off"}}
access_log: {log}
listeners:
  bench: {{address: "127.0.0.1:{port}"}}
clusters:
  origin:
    endpoints: [{{address: "127.0.0.1:{origin_port}"}}]
    pool: {{max_idle: {pool}}}
routes:
"""


def weir_routes(count):
    """One catch-all, or `count` routes spread over ROUTE_HOSTS hosts (bench_load --routes)."""
    if not count:
        return "  - {name: all, match: {path: {prefix: /}}, target: {cluster: origin}}\n"
    line = ('  - {{name: r{0}, match: {{hosts: [h{1}.bench.test], path: {{prefix: /svc{2}/}}}}, '
            'target: {{cluster: origin}}}}\n')
    return "".join(line.format(i, i % ROUTE_HOSTS, i // ROUTE_HOSTS) for i in range(count))


def weir_command(tools, directory, port, origin_port, settings):
    log = '{path: "%s/access.log"}' % directory if settings.get("log") else '{path: "off"}'
    config = WEIR.format(workers=settings.get("workers", 1), directory=directory, log=log, port=port,
                         origin_port=origin_port, pool=POOL)
    path = write(os.path.join(directory, "weir.yaml"), config + weir_routes(settings.get("routes", 0)))
    return [tools["weir"], "run", "-c", path]


# Requests stream, as they do through everybody else here. Buffers are nginx's defaults (8 x 4 KiB);
# "nginx-64k" is the same with buffers that hold a 64 KiB answer, at that much memory a connection.
NGINX = """\
user root; daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid {directory}/nginx.pid; error_log stderr crit;
events {{ worker_connections 19000; multi_accept on; }}
http {{
  log_format bench '{{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
    '"path":"$request_uri","status":$status,"bytes":$body_bytes_sent,"us":"$request_time",'
    '"upstream":"$upstream_addr","upstream_us":"$upstream_response_time","agent":"$http_user_agent"}}';
  access_log {log};
  sendfile on; tcp_nodelay on; keepalive_timeout 600s; keepalive_requests 1000000000;
  client_max_body_size 0; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0;
  proxy_request_buffering off; {buffers}
  upstream origin {{
    server 127.0.0.1:{origin_port};
    keepalive {pool}; keepalive_requests 1000000000; keepalive_timeout 600s;
  }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://origin; }} }}
}}
"""
NGINX_LARGE_BUFFERS = ("proxy_buffer_size 16k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; "
                       "client_body_buffer_size 64k;")


def nginx_command(tools, directory, port, origin_port, settings, buffers=""):
    log = "%s/access.log bench buffer=64k flush=1s" % directory if settings.get("log") else "off"
    config = NGINX.format(directory=directory, log=log, origin_port=origin_port, port=port, pool=POOL,
                          buffers=buffers)
    return [tools["nginx"], "-p", directory, "-c", write(os.path.join(directory, "nginx.conf"), config)]


def nginx_large_command(*args):
    return nginx_command(*args, buffers=NGINX_LARGE_BUFFERS)


HAPROXY = """\
global
  nbthread 1
  maxconn 9000
  maxpipes 256
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  option http-keep-alive
  option splice-auto
  http-reuse always
listen bench
  bind 127.0.0.1:{port} backlog 4096
  server origin 127.0.0.1:{origin_port} pool-max-conn {pool}
"""


def haproxy_command(tools, directory, port, origin_port, settings):
    config = HAPROXY.format(port=port, origin_port=origin_port, pool=POOL)
    return [tools["haproxy"], "-db", "-f", write(os.path.join(directory, "haproxy.cfg"), config)]


COMMANDS = {"floor": relay_command, "weir": weir_command, "nginx": nginx_command,
            "nginx-64k": nginx_large_command, "haproxy": haproxy_command}


def start(peer, tools, directory, origin_port, settings, cores):
    os.makedirs(directory, exist_ok=True)
    port = free_port()
    argv = COMMANDS[peer](tools, directory, port, origin_port, settings)
    return Program(argv, port, cores, os.path.join(directory, "log"))
