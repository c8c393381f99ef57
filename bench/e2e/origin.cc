// SPDX-License-Identifier: Apache-2.0
//
// The origin of the benchmarks: answers /bytes/N with N bytes, swallows request bodies that have a
// Content-Length, keeps connections alive. It must never be what is measured, so it parses the
// minimum, bodies leave by sendfile, and what it swallows is never copied out of the kernel.
// Not an HTTP server: requests come from proxies under test, whole heads, one at a time.
//
// It listens on 127.0.0.1 and on 127.0.1.1 to 127.0.1.50, so that there can be many endpoints.
//
// Usage: bench_origin LISTEN_PORT
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr size_t kHeadLimit = 8 * 1024;
constexpr size_t kSmallBody = 8 * 1024;  // up to here head and body leave in one send
constexpr size_t kLargestBody = 16 << 20;
constexpr int kMaxEvents = 512;

struct Connection {
  int fd = -1;
  bool writable = false;
  bool close_after = false;
  bool dead = false;
  size_t swallow = 0;  // request body bytes still to come
  size_t answer = 0;   // size of the answer once the body is swallowed
  off_t body_at = 0;   // of the answer being sent
  size_t body_left = 0;
  size_t held = 0;  // bytes of an incomplete head
  char head[kHeadLimit];
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

constexpr uint32_t kFirstOfMore = 0x7f000100;  // 127.0.1.0
constexpr uint32_t kMoreAddresses = 50;

class Origin {
 public:
  explicit Origin(int port) {
    body_ = memfd_create("body", MFD_CLOEXEC);
    if (ftruncate(body_, kLargestBody) != 0) die("memfd");
    const std::vector<char> page(1 << 20, 'x');
    for (size_t at = 0; at < kLargestBody; at += page.size()) {
      if (pwrite(body_, page.data(), page.size(), static_cast<off_t>(at)) < 0) die("memfd");
    }
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    listen_on(INADDR_LOOPBACK, port);
    for (uint32_t i = 1; i <= kMoreAddresses; ++i) listen_on(kFirstOfMore + i, port);
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
    if (event.data.ptr == nullptr) {
      accept_all();
      return;
    }
    Connection& c = *static_cast<Connection*>(event.data.ptr);
    if (c.dead) return;
    if (event.events & EPOLLOUT) c.writable = true;
    const bool closing = event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if ((event.events & EPOLLOUT) && c.body_left > 0 && !send_body(c)) return retire(c);
    if (((event.events & EPOLLIN) || closing) && !read_all(c, closing)) retire(c);
  }

  // A short read means drained, unless the peer has closed. False: the connection is over.
  bool read_all(Connection& c, bool closing) {
    for (;;) {
      const bool swallowing = c.swallow > 0;
      const size_t room = swallowing ? c.swallow : kHeadLimit - c.held;
      if (room == 0) return false;
      // MSG_TRUNC drops the bytes inside the kernel.
      const ssize_t got =
          swallowing ? recv(c.fd, nullptr, room, MSG_TRUNC) : recv(c.fd, c.head + c.held, room, 0);
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      const size_t length = static_cast<size_t>(got);
      if (!(swallowing ? take_body(c, length) : take_head(c, length))) return false;
      if (length < room && !closing) return true;
    }
  }

  bool take_body(Connection& c, size_t length) {
    c.swallow -= length;
    return c.swallow > 0 || answer(c);
  }

  bool take_head(Connection& c, size_t length) {
    c.held += length;
    const void* end = memmem(c.head, c.held, "\r\n\r\n", 4);
    if (end == nullptr) return true;
    const size_t head = static_cast<size_t>(static_cast<const char*>(end) - c.head) + 4;
    const size_t surplus = c.held - head;
    c.held = 0;
    c.head[head - 1] = '\0';
    c.close_after = strcasestr(c.head, "\nconnection: close") != nullptr;
    c.answer = 0;
    if (const char* size = std::strstr(c.head, "/bytes/")) {
      c.answer = std::min(std::strtoul(size + 7, nullptr, 10), kLargestBody);
    }
    const char* body = strcasestr(c.head, "\ncontent-length:");
    c.swallow = body == nullptr ? 0 : std::strtoul(body + 16, nullptr, 10);
    if (surplus > c.swallow) return false;  // pipelining is not what this measures
    c.swallow -= surplus;
    return c.swallow > 0 || answer(c);
  }

  bool answer(Connection& c) {
    char out[kSmallBody + 256];
    size_t length = static_cast<size_t>(std::snprintf(
        out, 256,
        "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: %zu\r\n%s\r\n",
        c.answer, c.close_after ? "Connection: close\r\n" : ""));
    const bool small = c.answer <= kSmallBody;
    if (small) {
      std::memset(out + length, 'x', c.answer);
      length += c.answer;
    }
    c.body_at = 0;
    c.body_left = small ? 0 : c.answer;
    const ssize_t sent = send(c.fd, out, length, MSG_NOSIGNAL | (small ? 0 : MSG_MORE));
    // A connection that cannot take one head after an exchange is not worth a buffer here.
    if (sent != static_cast<ssize_t>(length)) return false;
    return small ? !c.close_after : send_body(c);
  }

  bool send_body(Connection& c) {
    while (c.body_left > 0 && c.writable) {
      const ssize_t sent = sendfile(c.fd, body_, &c.body_at, c.body_left);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent < 0) {
        c.writable = false;
        return true;
      }
      c.body_left -= static_cast<size_t>(sent);
    }
    return c.body_left > 0 || !c.close_after;
  }

  void listen_on(uint32_t ip, int port) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(ip);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener, 4096) != 0) {
      die("listen");
    }
    listeners_.push_back(listener);
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener, &event);
  }

  void accept_all() {
    for (const int listener : listeners_) accept_from(listener);
  }

  void accept_from(int listener) {
    for (;;) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
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

  int body_ = -1;
  std::vector<int> listeners_;
  int epoll_ = -1;
  std::vector<Connection*> dead_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_origin LISTEN_PORT\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);  // sendfile has no MSG_NOSIGNAL
  Origin origin(std::atoi(argv[1]));
  origin.run();
}
