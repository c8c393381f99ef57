// SPDX-License-Identifier: Apache-2.0
//
// The floor: a TCP relay that parses nothing. Whatever a proxy of this machine does above the cost
// of this program is the price of being an HTTP proxy.
//
// One thread, one edge-triggered epoll set, sockets registered once. For each client connection one
// connection to the origin; bytes go both ways through one shared 64 KiB buffer: 2 recv + 2 send a
// request. A short read is taken as "drained" (an edge follows whatever comes later), which saves
// the recv that would only say EAGAIN. What the kernel does not take is parked in a block of the
// direction's own; blocks and pairs are recycled, so the steady state allocates nothing.
//
// Usage: bench_relay LISTEN_PORT ORIGIN_PORT
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace {

constexpr size_t kBufferSize = 64 * 1024;
constexpr int kMaxEvents = 512;

struct Block {
  char bytes[kBufferSize];
};

// One socket of a pair. `readable` and `writable` remember edges that were not used up.
struct Side {
  int fd = -1;
  bool readable = false;
  bool writable = false;
  bool peer_closed = false;       // RDHUP seen: a short read does not mean drained
  bool eof = false;               // read to the end, and told the other side
  std::unique_ptr<Block> parked;  // bytes that this side has yet to send
  size_t parked_begin = 0;
  size_t parked_end = 0;
};

struct Pair {
  Side side[2];  // client, origin
  bool dead = false;
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

class Relay {
 public:
  Relay(int listen_port, int origin_port) : origin_(loopback(origin_port)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(listen_port);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 4096) != 0) {
      die("listen");
    }
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = 0;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  }

  [[noreturn]] void run() {
    epoll_event events[kMaxEvents];
    for (;;) {
      const int count = epoll_wait(epoll_, events, kMaxEvents, -1);
      for (int i = 0; i < count; ++i) handle(events[i]);
      bury();
    }
  }

 private:
  // The low bit of the event's word tells which side of the pair it is about.
  void handle(const epoll_event& event) {
    if (event.data.u64 == 0) {
      accept_all();
      return;
    }
    Pair* pair = reinterpret_cast<Pair*>(event.data.u64 & ~uint64_t{1});
    if (pair->dead) return;  // closed by an earlier event of this batch
    Side& side = pair->side[event.data.u64 & 1];
    Side& other = pair->side[(event.data.u64 & 1) ^ 1];
    if (event.events & EPOLLIN) side.readable = true;
    if (event.events & EPOLLOUT) side.writable = true;
    if (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side.readable = side.peer_closed = true;
    const bool alive = (!side.readable || pump(side, other)) &&
                       (!other.parked || pump(other, side)) &&
                       (!other.readable || !side.writable || pump(other, side));
    if (!alive || (side.eof && other.eof)) close_pair(pair);
  }

  // Moves bytes from one side to the other until one of them would block. False on an error.
  bool pump(Side& from, Side& to) {
    if (to.parked && !flush(to)) return false;
    while (from.readable && to.writable && !from.eof && !to.parked) {
      const ssize_t got = recv(from.fd, buffer_, sizeof buffer_, 0);
      if (got < 0) {
        from.readable = false;
        return errno == EAGAIN;
      }
      if (got == 0) {
        from.eof = true;
        shutdown(to.fd, SHUT_WR);
        return true;
      }
      if (static_cast<size_t>(got) < sizeof buffer_ && !from.peer_closed) from.readable = false;
      if (!forward(to, static_cast<size_t>(got))) return false;
    }
    return true;
  }

  bool forward(Side& to, size_t length) {
    const ssize_t sent = send(to.fd, buffer_, length, MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(length)) return true;
    if (sent < 0 && errno != EAGAIN) return false;
    const size_t done = sent < 0 ? 0 : static_cast<size_t>(sent);
    to.writable = false;
    to.parked = take_block();
    to.parked_begin = 0;
    to.parked_end = length - done;
    std::memcpy(to.parked->bytes, buffer_ + done, length - done);
    return true;
  }

  bool flush(Side& to) {
    if (!to.writable) return true;
    const ssize_t sent = send(to.fd, to.parked->bytes + to.parked_begin,
                              to.parked_end - to.parked_begin, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) to.parked_begin += static_cast<size_t>(sent);
    if (to.parked_begin == to.parked_end) {
      blocks_.push_back(std::move(to.parked));
    } else {
      to.writable = false;
    }
    return true;
  }

  void accept_all() {
    for (;;) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) return;
      const int origin = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      no_delay(client);
      no_delay(origin);
      if (connect(origin, reinterpret_cast<const sockaddr*>(&origin_), sizeof origin_) != 0 &&
          errno != EINPROGRESS) {
        close(client);
        close(origin);
        continue;
      }
      add_pair(client, origin);
    }
  }

  void add_pair(int client, int origin) {
    Pair* pair = take_pair();
    pair->side[0].fd = client;
    pair->side[1].fd = origin;
    for (uint64_t i = 0; i < 2; ++i) {
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      event.data.u64 = reinterpret_cast<uint64_t>(pair) | i;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, pair->side[i].fd, &event);
    }
  }

  void close_pair(Pair* pair) {
    pair->dead = true;
    for (Side& side : pair->side) {
      close(side.fd);
      if (side.parked) blocks_.push_back(std::move(side.parked));
    }
    dead_.push_back(pair);
  }

  // Pairs become reusable only after the batch: a later event of it may still name them.
  void bury() {
    free_.insert(free_.end(), dead_.begin(), dead_.end());
    dead_.clear();
  }

  Pair* take_pair() {
    if (free_.empty()) return new Pair;
    Pair* pair = free_.back();
    free_.pop_back();
    *pair = Pair{};
    return pair;
  }

  std::unique_ptr<Block> take_block() {
    if (blocks_.empty()) return std::unique_ptr<Block>(new Block);
    std::unique_ptr<Block> block = std::move(blocks_.back());
    blocks_.pop_back();
    return block;
  }

  sockaddr_in origin_;
  int listener_ = -1;
  int epoll_ = -1;
  std::vector<Pair*> free_;
  std::vector<Pair*> dead_;
  std::vector<std::unique_ptr<Block>> blocks_;
  alignas(64) char buffer_[kBufferSize];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_relay LISTEN_PORT ORIGIN_PORT\n");
    return 2;
  }
  static Relay relay(std::atoi(argv[1]), std::atoi(argv[2]));
  relay.run();
}
