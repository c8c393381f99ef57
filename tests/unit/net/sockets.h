// SPDX-License-Identifier: Apache-2.0
// The far end of a socket under test, and a handler that remembers that it was called.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "net/socket.h"

namespace weir::net {

/// A plain descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd_; }
  int take() { return std::exchange(fd_, -1); }
  void close() {
    if (fd_ >= 0) ::close(take());
  }
  bool write(std::string_view text) const {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  /// What is there now; empty at the end of the stream or if nothing is.
  std::string read() const {
    char room[4096];
    const ssize_t n = ::recv(fd_, room, sizeof room, MSG_DONTWAIT);
    return n > 0 ? std::string(room, static_cast<size_t>(n)) : std::string();
  }

 private:
  int fd_;
};

/// Two ends of a non-blocking stream.
inline std::pair<Fd, Fd> stream_pair() {
  int ends[2] = {-1, -1};
  ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
  return {Fd(ends[0]), Fd(ends[1])};
}

struct RecordingHandler final : SocketHandler {
  void on_socket() override {
    ++calls;
    if (then) then();
  }
  int calls = 0;
  std::function<void()> then;
};

}  // namespace weir::net
