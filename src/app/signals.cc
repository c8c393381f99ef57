// SPDX-License-Identifier: Apache-2.0
#include "app/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "base/check.h"

namespace weir::app {
namespace {

constexpr std::array kCaught{SIGHUP, SIGUSR1, SIGTERM, SIGINT};

std::atomic<int> write_end{-1};
static_assert(std::atomic<int>::is_always_lock_free, "read inside a signal handler");

extern "C" void on_signal(int signal) {
  const int saved = errno;
  const char byte = static_cast<char>(signal);
  // A full pair means that as many signals wait already: this one may go.
  [[maybe_unused]] const ssize_t n =
      ::send(write_end.load(std::memory_order_relaxed), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  errno = saved;
}

void set_action(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(signal, &action, nullptr) == 0);
}

}  // namespace

Signals::Signals(net::Loop& loop, Handler handler) : handler_(std::move(handler)) {
  int pair[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
  CHECK(socket_.adopt(loop.sockets(), pair[0], *this));
  write_end.store(pair[1], std::memory_order_relaxed);
  set_action(SIGPIPE, SIG_IGN);
  for (const int signal : kCaught) set_action(signal, on_signal);
}

Signals::~Signals() {
  for (const int signal : kCaught) set_action(signal, SIG_DFL);
  ::close(write_end.exchange(-1, std::memory_order_relaxed));
}

void Signals::on_socket() {
  std::array<char, 64> bytes;
  while (socket_.readable()) {
    const net::IoResult got = socket_.recv(bytes);
    if (got.status != net::IoResult::Status::kOk) return;
    for (size_t i = 0; i < got.bytes; ++i) handler_(bytes[i]);
  }
}

}  // namespace weir::app
