# SPDX-License-Identifier: Apache-2.0
"""The proxies that are compared, each with the fairest configuration that we know for it.

Fair means: one worker, keep-alive to the origin with room for every client, no log (except where the
log is the scenario), no temporary files on disk, splicing where the peer has it; with TLS the same
certificate, 1.3 with AES-128-GCM and X25519, session tickets as each makes them by default.

`settings`: log, routes, workers (weir), alpn (a list: TLS with these protocols), pem (certificate and
key in one file), h2up (HTTP/2 to the origin), upgrade (WebSocket allowed), limits
(limited.Amounts), direct (weir answers itself)."""

import ctypes
import os
import signal
import socket
import subprocess
import time

import limited
import placement
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


def make_certificate(directory):
    """One ECDSA P-256 certificate for everybody: key and certificate in one PEM file."""
    key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "30", "-subj", "/CN=bench.test", "-addext",
                    "subjectAltName=DNS:bench.test", "-keyout", key, "-out", cert],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    with open(cert) as c, open(key) as k:
        return write(os.path.join(directory, "bench.pem"), c.read() + k.read())


def relay_command(tools, directory, port, origin_port, settings):
    return [tools["relay"], str(port), str(origin_port)]


WEIR = """\
workers: {workers}
admin: {{address: "unix:{directory}/admin.sock", metrics: "off"}}
access_log: {log}
listeners:
  bench:
    address: "127.0.0.1:{port}"{tls}
clusters:
  origin:
    endpoints: [{{address: "127.0.0.1:{origin_port}"}}]
    pool: {{max_idle: {pool}}}{protocol}
{limits}routes:
"""
WEIR_TLS = "\n    tls: {{certificates: [{{cert: {pem}, key: {pem}}}], alpn: [{alpn}]}}"


def weir_routes(settings):
    """One catch-all, or `routes` of them spread over ROUTE_HOSTS hosts (bench_load --routes)."""
    count = settings.get("routes", 0)
    if settings.get("placement"):
        return placement.ROUTE
    if settings.get("spread"):
        return placement.SPREAD_ROUTE
    if settings.get("direct"):
        return "  - {name: all, target: {direct: {status: 200, body: %s}}}\n" % ("x" * 128)
    if not count:
        upgrades = ", upgrades: [websocket]" if settings.get("upgrade") else ""
        return "  - {name: all, match: {path: {prefix: /}}, target: {cluster: origin}%s}\n" % upgrades
    line = ('  - {{name: r{0}, match: {{hosts: [h{1}.bench.test], path: {{prefix: /svc{2}/}}}}, '
            'target: {{cluster: origin}}}}\n')
    return "".join(line.format(i, i % ROUTE_HOSTS, i // ROUTE_HOSTS) for i in range(count))


def weir_more(origin_port, settings):
    """Clusters beside `origin`, and what comes after clusters."""
    if settings.get("placement"):
        return placement.clusters(origin_port, POOL) + placement.head()
    if settings.get("spread"):
        return placement.spread_clusters(origin_port, POOL)
    return limited.weir(settings.get("limits"))


def weir_command(tools, directory, port, origin_port, settings):
    log = '{path: "%s/access.log"}' % directory if settings.get("log") else '{path: "off"}'
    alpn = ", ".join(settings.get("alpn", ()))
    tls = WEIR_TLS.format(pem=settings["pem"], alpn=alpn) if alpn else ""
    config = WEIR.format(workers=settings.get("workers", 1), directory=directory, log=log, port=port,
                         origin_port=origin_port, pool=POOL, tls=tls,
                         limits=weir_more(origin_port, settings),
                         protocol="\n    protocol: http2" if settings.get("h2up") else "")
    path = write(os.path.join(directory, "weir.yaml"), config + weir_routes(settings))
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
{zones}  upstream origin {{
    server 127.0.0.1:{origin_port};
    keepalive {pool}; keepalive_requests 1000000000; keepalive_timeout 600s;
  }}
  server {{ listen 127.0.0.1:{port} {listen} backlog=4096; {tls}
    location / {{ {limits} proxy_pass http://origin; {upgrade} }} }}
}}
"""
NGINX_TLS = ("ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.3; "
             "ssl_ecdh_curve X25519; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;")
NGINX_UPGRADE = ("proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
                 "proxy_read_timeout 600s;")
NGINX_LARGE_BUFFERS = ("proxy_buffer_size 16k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; "
                       "client_body_buffer_size 64k;")


def nginx_command(tools, directory, port, origin_port, settings, buffers=""):
    log = "%s/access.log bench buffer=64k flush=1s" % directory if settings.get("log") else "off"
    zones, limits = limited.nginx(settings.get("limits"))
    config = NGINX.format(
        zones=zones, limits=limits,
        directory=directory, log=log, origin_port=origin_port, port=port, pool=POOL, buffers=buffers,
        listen=("ssl http2" if "h2" in settings["alpn"] else "ssl") if settings.get("alpn") else "",
        tls=NGINX_TLS.format(pem=settings["pem"]) if settings.get("alpn") else "",
        upgrade=NGINX_UPGRADE if settings.get("upgrade") else "")
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
{tables}listen bench
  bind 127.0.0.1:{port} {tls} backlog 4096
{limits}  server origin 127.0.0.1:{origin_port} {protocol} pool-max-conn {pool}
"""
HAPROXY_TLS = "ssl crt {pem} alpn {alpn} ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256 curves X25519"


def haproxy_command(tools, directory, port, origin_port, settings):
    alpn = ",".join(settings.get("alpn", ()))
    tables, limits = limited.haproxy(settings.get("limits"))
    config = HAPROXY.format(tables=tables, limits=limits, port=port, origin_port=origin_port, pool=POOL,
                            tls=HAPROXY_TLS.format(pem=settings["pem"], alpn=alpn) if alpn else "",
                            protocol="proto h2" if settings.get("h2up") else "")
    return [tools["haproxy"], "-db", "-f", write(os.path.join(directory, "haproxy.cfg"), config)]


NGHTTPX = """\
frontend=127.0.0.1,{port}{plain}
backend=127.0.0.1,{origin_port};;{protocol}
workers=1
backlog=4096
no-ocsp=yes
tls-min-proto-version=TLSv1.3
tls13-ciphers=TLS_AES_128_GCM_SHA256
ecdh-curves=X25519
frontend-http2-read-timeout=10m
frontend-keep-alive-timeout=10m
backend-keep-alive-timeout=10m
backend-read-timeout=10m
errorlog-file=/dev/stderr
log-level=ERROR
"""


def nghttpx_command(tools, directory, port, origin_port, settings):
    plain = "" if settings.get("alpn") else ";no-tls"
    config = NGHTTPX.format(port=port, plain=plain, origin_port=origin_port,
                            protocol="proto=h2" if settings.get("h2up") else "proto=http/1.1")
    if settings.get("alpn"):
        config += "private-key-file={0}\ncertificate-file={0}\nnpn-list={1}\n".format(
            settings["pem"], ",".join(settings["alpn"]))
    return [tools["nghttpx"], "--conf=" + write(os.path.join(directory, "nghttpx.conf"), config)]


COMMANDS = {"floor": relay_command, "weir": weir_command, "nginx": nginx_command,
            "nginx-64k": nginx_large_command, "haproxy": haproxy_command, "nghttpx": nghttpx_command}
COMMANDS.update((name, weir_command) for name in ("weir-bare", "weir-small", "weir-direct", "weir-spread"))


def start(peer, tools, directory, origin_port, settings, cores):
    os.makedirs(directory, exist_ok=True)
    port = free_port()
    argv = COMMANDS[peer](tools, directory, port, origin_port, settings)
    return Program(argv, port, cores, os.path.join(directory, "log"))
