// SPDX-License-Identifier: Apache-2.0
// What a turn of the loop costs beyond the system calls of the sockets in it, and a letter from one
// thread to another. Expected: an echo over a socket pair under 5 us, of which nearly all is the
// kernel's; a posted task under 1 us when the loop is busy anyway.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "net/loop.h"

namespace {

using namespace weir;
using namespace weir::net;

void post(benchmark::State& state) {
  SystemClock clock;
  Loop loop(clock);
  constexpr int kBatch = 100;
  int64_t ran = 0;
  for (auto _ : state) {
    for (int i = 0; i < kBatch; ++i) loop.post([&ran] { ++ran; });
    loop.post([&loop] { loop.stop(); });
    loop.run();
  }
  state.SetItemsProcessed(ran);
}
BENCHMARK(post);

struct Echo final : SocketHandler {
  void on_socket() override {
    if (!socket.readable()) return;
    std::array<char, 256> room;
    const IoResult got = socket.recv(room);
    if (got.status != IoResult::Status::kOk) return;
    const iovec piece{room.data(), got.bytes};
    socket.send({&piece, 1});
    if (--rounds == 0) loop.stop();
  }
  explicit Echo(Loop& owner) : loop(owner) {}
  Loop& loop;
  Socket socket;
  int rounds = 0;
};

// Two sockets that send one message to and fro: each leg is a turn with one event.
void echo_turn(benchmark::State& state) {
  constexpr int kRounds = 1'000;
  SystemClock clock;
  Loop loop(clock);
  Echo one(loop);
  Echo other(loop);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0 ||
      !one.socket.adopt(loop.sockets(), ends[0], one) ||
      !other.socket.adopt(loop.sockets(), ends[1], other)) {
    state.SkipWithError("no sockets");
    return;
  }
  const std::array<char, 128> message{};
  const iovec piece{const_cast<char*>(message.data()), message.size()};
  one.socket.send({&piece, 1});
  for (auto _ : state) {
    one.rounds = kRounds;
    loop.run();
  }
  state.SetItemsProcessed(state.iterations() * 2 * kRounds);
}
BENCHMARK(echo_turn)->Unit(benchmark::kMillisecond);

}  // namespace
