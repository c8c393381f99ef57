// SPDX-License-Identifier: Apache-2.0
//
// Clients that cost memory: many slow uploads, many slow readers, and HTTP/2 connections that ask
// for much and take nothing. One thread. A connection that ends is opened anew a second later, so
// the pressure stays. Prints a JSON line at the end.
//
//   --port P            on 127.0.0.1             --seconds 20       how long
//   --uploads N         POST of --bytes, a piece of 512 bytes every two seconds
//   --readers N         GET --path, a piece of 512 bytes every two seconds, small window
//   --floods N          HTTP/2 by prior knowledge, a hundred streams, a window of nothing
//   --bytes 262144      --path /bytes/262144     --rate 2000        connections opened a second
//
// Each names one of fifty tenants in X-Tenant: slow-0 to slow-49.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kTenants = 50;
constexpr size_t kPiece = 512;
constexpr double kPause = 2.0;  // between two pieces
constexpr double kAgain = 1.0;  // until a connection that ended is opened anew
constexpr int kReceiveBuffer = 4096;
constexpr int kStreams = 100;

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

enum class Kind : uint8_t { kUpload, kReader, kFlood };

struct Options {
  int port = 0;
  double seconds = 20;
  size_t uploads = 0;
  size_t readers = 0;
  size_t floods = 0;
  size_t bytes = 262144;
  std::string path = "/bytes/262144";
  double rate = 2000;
};

struct Connection {
  int fd = -1;
  Kind kind = Kind::kUpload;
  size_t number = 0;
  size_t left = 0;  // of an upload
};

// HPACK (RFC 7541) without a table: each field as a literal that is not indexed.
void put_field(std::string& block, std::string_view name, std::string_view value) {
  block += '\0';
  for (const std::string_view text : {name, value}) {
    block += static_cast<char>(text.size());  // below 127 all
    block += text;
  }
}

void put_frame(std::string& out, char type, char flags, uint32_t stream, std::string_view payload) {
  const auto size = static_cast<uint32_t>(payload.size());
  for (const uint32_t shift : {16U, 8U, 0U}) out += static_cast<char>(size >> shift & 0xff);
  out += type;
  out += flags;
  for (const uint32_t shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(stream >> shift & 0xff);
  out += payload;
}

std::string flood_bytes(const Options& options, const std::string& tenant) {
  std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  put_frame(out, 4, 0, 0, std::string_view("\0\4\0\0\0\0", 6));  // INITIAL_WINDOW_SIZE 0
  std::string block;
  put_field(block, ":method", "GET");
  put_field(block, ":scheme", "http");
  put_field(block, ":path", options.path);
  put_field(block, ":authority", "flood.test");
  put_field(block, "x-tenant", tenant);
  for (uint32_t i = 0; i < kStreams; ++i) put_frame(out, 1, 5, 2 * i + 1, block);
  return out;
}

class Flood {
 public:
  explicit Flood(const Options& options) : options_(options) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<uint16_t>(options.port));
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    add(Kind::kFlood, options.floods);
    // In turn, so that both stand from the beginning.
    for (size_t i = 0; i < std::max(options.uploads, options.readers); ++i) {
      if (i < options.uploads) add(Kind::kUpload, 1);
      if (i < options.readers) add(Kind::kReader, 1);
    }
  }

  void run() {
    begun_ = now();
    for (Connection& c : connections_) to_open_.push_back({begun_, &c});
    double next_pieces = begun_;
    size_t at = 0;
    while (now() < begun_ + options_.seconds) {
      open_due();
      // All connections once in kPause, spread evenly.
      const double each = kPause / static_cast<double>(std::max<size_t>(connections_.size(), 1));
      for (int i = 0; i < 200 && next_pieces <= now(); ++i, next_pieces += each) {
        piece(connections_[at]);
        at = (at + 1) % connections_.size();
      }
      wait();
    }
    std::printf("{\"opened\": %zu, \"ended\": %zu, \"held\": %zu}\n", opened_, ended_, held());
  }

 private:
  struct Opening {
    double at;
    Connection* connection;
  };

  void add(Kind kind, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      connections_.push_back({-1, kind, connections_.size(), 0});
    }
  }

  size_t held() const {
    return static_cast<size_t>(
        std::ranges::count_if(connections_, [](const Connection& c) { return c.fd >= 0; }));
  }

  void open_due() {
    const double time = now();
    const auto allowed = static_cast<size_t>((time - begun_) * options_.rate) + 1;
    while (!to_open_.empty() && to_open_.front().at <= time && opened_ < allowed) {
      Connection& c = *to_open_.front().connection;
      to_open_.pop_front();
      open(c);
    }
  }

  void open(Connection& c) {
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c.fd < 0) return again(c);
    ++opened_;
    const int size = kReceiveBuffer;
    if (c.kind != Kind::kUpload) setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (connect(c.fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0 &&
        errno != EINPROGRESS) {
      return end(c);
    }
    epoll_event event{};
    event.events = EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &c;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
    c.left = SIZE_MAX;  // nothing said yet
  }

  void begin(Connection& c) {
    const std::string tenant = "slow-" + std::to_string(c.number % kTenants);
    std::string out;
    if (c.kind == Kind::kFlood) {
      out = flood_bytes(options_, tenant);
    } else {
      const bool upload = c.kind == Kind::kUpload;
      out = (upload ? "POST /upload" : "GET " + options_.path) +
            " HTTP/1.1\r\nHost: flood.test\r\n" + "X-Tenant: " + tenant + "\r\n";
      if (upload) out += "Content-Length: " + std::to_string(options_.bytes) + "\r\n";
      out += "\r\n";
    }
    c.left = options_.bytes;
    if (send(c.fd, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
      end(c);
    }
  }

  void piece(Connection& c) {
    if (c.fd < 0 || c.left == SIZE_MAX || c.kind == Kind::kFlood) return;
    char bytes[kPiece] = {};
    ssize_t moved = 0;
    if (c.kind == Kind::kUpload) {
      const size_t size = std::min(kPiece, c.left);
      moved = size == 0 ? 0 : send(c.fd, bytes, size, MSG_NOSIGNAL);
      if (moved > 0) c.left -= static_cast<size_t>(moved);
      if (moved > 0 && c.left == 0) return end(c);
    } else {
      moved = recv(c.fd, bytes, sizeof bytes, 0);
      if (moved == 0) return end(c);
    }
    if (moved < 0 && errno != EAGAIN) end(c);
  }

  void end(Connection& c) {
    if (c.fd >= 0) {
      // A reset: thousands of ports in TIME_WAIT would end the drill before its time.
      const linger now_linger{1, 0};
      setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now_linger, sizeof now_linger);
      close(c.fd);
    }
    ++ended_;
    again(c);
  }

  void again(Connection& c) {
    c.fd = -1;
    to_open_.push_back({now() + kAgain, &c});
  }

  void wait() {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, 2);
    for (int i = 0; i < count; ++i) {
      Connection& c = *static_cast<Connection*>(events[i].data.ptr);
      if (c.fd < 0) continue;
      if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        end(c);
      } else if (c.left == SIZE_MAX && events[i].events & EPOLLOUT) {
        begin(c);
      }
    }
  }

  const Options options_;
  sockaddr_in address_{};
  int epoll_ = -1;
  double begun_ = 0;
  std::vector<Connection> connections_;
  std::deque<Opening> to_open_;
  size_t opened_ = 0;
  size_t ended_ = 0;
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    const std::string value = argv[i + 1];
    if (key == "--port") {
      o.port = std::stoi(value);
    } else if (key == "--seconds") {
      o.seconds = std::stod(value);
    } else if (key == "--uploads") {
      o.uploads = std::stoul(value);
    } else if (key == "--readers") {
      o.readers = std::stoul(value);
    } else if (key == "--floods") {
      o.floods = std::stoul(value);
    } else if (key == "--bytes") {
      o.bytes = std::stoul(value);
    } else if (key == "--path") {
      o.path = value;
    } else if (key == "--rate") {
      o.rate = std::stod(value);
    } else {
      return false;
    }
  }
  return o.port != 0 && argc % 2 == 1 && o.uploads + o.readers + o.floods > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: weir_flood --port P [options: top of flood.cc]\n");
    return 2;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  signal(SIGPIPE, SIG_IGN);
  alarm(600);
  Flood flood(options);
  flood.run();
  return 0;
}
