// SPDX-License-Identifier: Apache-2.0
// TLS as the worker pays for it: handshakes of either side and kind, bytes each way, and what an
// idle connection holds. Certificates come from the test's mint.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "net/socket_set.h"
#include "net/tls_client_context.h"
#include "net/tls_server_context.h"
#include "support/mint.h"

namespace {

using namespace weir;
using namespace weir::net;

struct Silent final : SocketHandler {
  void on_socket() override {}
};
Silent silent;

struct Lab {
  explicit Lab(bool rsa, bool tickets = true) {
    const test::Minted leaf = ca.issue({.names = {"DNS:a.example"}, .rsa = rsa});
    ListenerTlsConfig listener;
    listener.certificates = {{folder.write("a", leaf.cert), folder.write("k", leaf.key), {}}};
    listener.session_tickets.enabled = tickets;
    ClusterTlsConfig cluster;
    cluster.ca = folder.write("ca", ca.pem());
    TlsFindings findings;
    TlsBuild build(make_process_ticket_keys(), std::chrono::system_clock::now());
    server = TlsServerContext::build(listener, build, findings);
    client = TlsClientContext::build(cluster, UpstreamProtocol::kAuto, build, findings);
  }
  test::TempFolder folder;
  test::Authority ca{"CA"};
  std::shared_ptr<const TlsServerContext> server;
  std::shared_ptr<const TlsClientContext> client;
};

double cpu_us() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Pair {
  explicit Pair(SocketSet& set) {
    int ends[2];
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
    server.adopt(set, ends[0], silent);
    client.adopt(set, ends[1], silent);
  }
  void shake(const Lab& lab, TlsSessionCache& cache) {
    const double start = cpu_us();
    server.start_tls(lab.server->new_session());
    server_us += cpu_us() - start;
    client.start_tls(lab.client->new_session("a.example", cache));
    bool done = false;
    while (!done) {
      const double from = cpu_us();
      const Handshake c = client.handshake();
      const double middle = cpu_us();
      const Handshake s = server.handshake();
      const double until = cpu_us();
      client_us += middle - from;
      server_us += until - middle;
      longest_us = std::max(longest_us, until - middle);
      done = c == Handshake::kDone && s == Handshake::kDone;
    }
  }
  /// A request and its answer, so that tickets are out.
  void talk() {
    char room[4096];
    client.send("GET");
    server.recv(room);
    server.send("200");
    client.recv(room);
  }
  Socket server, client;
  double server_us = 0, client_us = 0, longest_us = 0;
};

void handshake(benchmark::State& state, bool rsa, bool resumed) {
  const Lab lab(rsa, resumed);
  SocketSet set;
  TlsSessionCache cache;
  double server = 0, client = 0, longest = 0;
  for (auto _ : state) {
    Pair pair(set);
    pair.shake(lab, cache);
    if (resumed) pair.talk();
    server += pair.server_us;
    client += pair.client_us;
    longest += pair.longest_us;
  }
  const auto average = benchmark::Counter::kAvgIterations;
  state.counters["server_us"] = {server, average};
  state.counters["client_us"] = {client, average};
  state.counters["server_longest_us"] = {longest, average};
}

void full_p256(benchmark::State& state) { handshake(state, false, false); }
void full_rsa2048(benchmark::State& state) { handshake(state, true, false); }
void resumed(benchmark::State& state) { handshake(state, false, true); }
BENCHMARK(full_p256)->Unit(benchmark::kMicrosecond);
BENCHMARK(full_rsa2048)->Unit(benchmark::kMicrosecond);
BENCHMARK(resumed)->Unit(benchmark::kMicrosecond);

// One send() of so many bytes, read with a worker's buffer.
void transfer(benchmark::State& state) {
  const Lab lab(false);
  SocketSet set;
  TlsSessionCache cache;
  Pair pair(set);
  const int room_size = 4 << 20;
  ::setsockopt(pair.server.fd(), SOL_SOCKET, SO_SNDBUF, &room_size, sizeof room_size);
  pair.shake(lab, cache);
  pair.talk();
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  std::vector<char> room(64 * 1024);
  double send_us = 0, recv_us = 0;
  for (auto _ : state) {
    const double start = cpu_us();
    for (size_t sent = 0; sent < bytes.size();) {
      sent += pair.server.send(std::string_view(bytes).substr(sent)).bytes;
      const double middle = cpu_us();
      while (pair.client.recv(room).status == IoResult::Status::kOk) {
      }
      recv_us += cpu_us() - middle;
    }
    send_us += cpu_us() - start;
  }
  send_us -= recv_us;
  const auto average = benchmark::Counter::kAvgIterations;
  state.counters["send_us"] = {send_us, average};
  state.counters["recv_us"] = {recv_us, average};
}
BENCHMARK(transfer)->Arg(100)->Arg(1000)->Arg(16384)->Arg(65536)->Arg(262144);

size_t heap() { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; }

// Bytes that malloc has handed out for each idle connection, the server's side alone.
void idle(benchmark::State& state) {
  const Lab lab(false);
  constexpr size_t kConnections = 400;
  double held = 0;
  for (auto _ : state) {
    SocketSet set;
    std::vector<std::unique_ptr<Pair>> pairs;
    for (size_t i = 0; i < kConnections; ++i) {
      TlsSessionCache cache;
      pairs.push_back(std::make_unique<Pair>(set));
      pairs.back()->shake(lab, cache);
      pairs.back()->talk();
    }
    const size_t before = heap();
    for (const auto& pair : pairs) pair->server.close();
    held = static_cast<double>(before - heap()) / kConnections;
  }
  state.counters["server_bytes"] = held;
}
BENCHMARK(idle)->Iterations(2)->Unit(benchmark::kMillisecond);

}  // namespace
