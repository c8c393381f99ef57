// SPDX-License-Identifier: Apache-2.0
//
// The origin of `h2up` and `ws`, on one port: a connection that opens with HTTP/2's preface gets a
// 128 byte answer for each stream; any other is an HTTP/1 upgrade, answered 101, and from there on
// echoed. It must never be what is measured, so request header blocks are not decoded at all.
//
// Usage: bench_edge_origin LISTEN_PORT
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "edge_protocol.h"

namespace weir::bench {
namespace {

constexpr size_t kAnswer = 128;
constexpr size_t kChunk = 64 * 1024;
constexpr int kMaxEvents = 512;
// To RFC 6455's example key, which is the one that the load generator sends.
constexpr std::string_view kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Connection {
  enum class Speaks { kUnknown, kHttp2, kEcho };

  int fd = -1;
  bool dead = false;
  Speaks speaks = Speaks::kUnknown;
  std::string head;
  std::string out;
  h2::Cutter cutter;
  int64_t window = 65535;        // what the proxy lets this connection send
  std::deque<uint32_t> waiting;  // streams to be answered once the window allows
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

class Origin {
 public:
  explicit Origin(int port) {
    // ":status: 200", content-length and type: no dynamic table, so each block is the same.
    block_ = "\x88" + h2::literal(28, std::to_string(kAnswer), false) +
             h2::literal(31, "application/octet-stream", false) + h2::literal(54, "origin", false);
    body_.assign(kAnswer, 'x');
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 4096) != 0) {
      die("listen");
    }
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  }

  [[noreturn]] void run() {
    epoll_event events[kMaxEvents];
    for (;;) {
      const int count = epoll_wait(epoll_, events, kMaxEvents, -1);
      for (int i = 0; i < count; ++i) handle(events[i]);
      for (Connection* connection : dead_) delete connection;
      dead_.clear();
    }
  }

 private:
  void handle(const epoll_event& event) {
    if (event.data.ptr == nullptr) return accept_all();
    Connection& c = *static_cast<Connection*>(event.data.ptr);
    if (c.dead) return;
    const bool closing = event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if ((event.events & EPOLLIN) || closing) {
      if (!read_all(c, closing)) return retire(c);
    }
    if (!flush(c)) retire(c);
  }

  // A short read means drained, unless the peer has closed. False: the connection is over.
  bool read_all(Connection& c, bool closing) {
    static char chunk[kChunk];
    for (;;) {
      const ssize_t got = recv(c.fd, chunk, kChunk, 0);
      if (got < 0) return errno == EAGAIN;
      if (got == 0 || !take(c, {chunk, static_cast<size_t>(got)})) return false;
      if (got < static_cast<ssize_t>(kChunk) && !closing) return true;
    }
  }

  bool take(Connection& c, std::string_view in) {
    if (c.speaks == Connection::Speaks::kEcho) {
      c.out += in;
      return true;
    }
    if (c.speaks == Connection::Speaks::kHttp2) return take_frames(c, in);
    c.head += in;
    if (c.head.starts_with(h2::kPreface)) {
      c.speaks = Connection::Speaks::kHttp2;
      // Streams: as many as a proxy may want. SETTINGS_MAX_CONCURRENT_STREAMS is 3.
      h2::append_frame(c.out, h2::kSettings, 0, 0, std::string{0, 3} + h2::u32(1024));
      return take_frames(c, std::string_view(c.head).substr(h2::kPreface.size()));
    }
    if (c.head.find("\r\n\r\n") == std::string::npos || h2::kPreface.starts_with(c.head))
      return true;
    c.speaks = Connection::Speaks::kEcho;
    c.out += kSwitching;
    return true;
  }

  bool take_frames(Connection& c, std::string_view in) {
    return c.cutter.feed(in, [&](const h2::Frame& frame) {
      const bool message = frame.type == h2::kHeaders || frame.type == h2::kData;
      if (message && (frame.flags & h2::kEndStream)) {
        c.waiting.push_back(frame.stream);
      } else if (frame.type == h2::kSettings && !(frame.flags & h2::kAck)) {
        h2::append_frame(c.out, h2::kSettings, h2::kAck, 0, {});
      } else if (frame.type == h2::kPing && !(frame.flags & h2::kAck)) {
        h2::append_frame(c.out, h2::kPing, h2::kAck, 0, frame.payload);
      } else if (frame.type == h2::kWindowUpdate && frame.stream == 0) {
        c.window += h2::read_u32(frame.payload);
      } else if (frame.type == h2::kGoaway) {
        return false;
      }
      answer(c);
      return true;
    });
  }

  // Streams' own windows are never below one answer here: no proxy asks for less than 64 KiB.
  void answer(Connection& c) {
    while (!c.waiting.empty() && c.window >= static_cast<int64_t>(kAnswer)) {
      const uint32_t stream = c.waiting.front();
      c.waiting.pop_front();
      h2::append_frame(c.out, h2::kHeaders, h2::kEndHeaders, stream, block_);
      h2::append_frame(c.out, h2::kData, h2::kEndStream, stream, body_);
      c.window -= static_cast<int64_t>(kAnswer);
    }
  }

  bool flush(Connection& c) {
    if (c.out.empty()) return true;
    const ssize_t sent = send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    c.out.erase(0, static_cast<size_t>(sent));
    return true;
  }

  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      Connection* c = new Connection;
      c->fd = fd;
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      event.data.ptr = c;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  void retire(Connection& c) {
    c.dead = true;
    close(c.fd);
    dead_.push_back(&c);
  }

  std::string block_;
  std::string body_;
  int listener_ = -1;
  int epoll_ = -1;
  std::vector<Connection*> dead_;
};

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_edge_origin LISTEN_PORT\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  weir::bench::Origin origin(std::atoi(argv[1]));
  origin.run();
}
