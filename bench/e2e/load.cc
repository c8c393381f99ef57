// SPDX-License-Identifier: Apache-2.0
//
// Closed-loop HTTP/1.1 load: N connections, each with one request in flight. One thread, cheap
// enough to share a core with the origin: heads are parsed, bodies are dropped inside the kernel,
// uploads leave by sendfile. Prints one JSON line. An answer of another status than expected, or
// without a Content-Length, is an error, and so is a connection that ends early: a fast wrong
// answer must not win.
//
//   --port P            of the proxy, on 127.0.0.1
//   --path /bytes/128   what to ask for            --host bench.test   the Host field
//   --connections 64    how many                   --seconds 5         measured window
//   --warmup 0.5        seconds before the window  --requests N        stop after N; no window
//   --routes N          spread over N routes: host h<i % 1000>.bench.test, path /svc<i / 1000>/...
//   --tenants N         each request in the name of one of them: X-Tenant and X-Function, where
//   --functions 100     a tenant calls four of the functions
//   --expect 200        the status of a good answer
//   --post BYTES        POST with that much body   --new               a connection a request
//   --hold              open all, one request each, print, wait for stdin to end
//   --watch PID,...     CPU time of these          --core 0            and business of this core
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
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "measure.h"

namespace weir::bench {
namespace {

constexpr size_t kHeadLimit = 4096;
constexpr uint64_t kMaxErrors = 1000;  // then the run is broken, not slow
constexpr size_t kOpeningAtOnce = 16;  // --hold: so that the proxy needs few upstream connections
constexpr size_t kRouteHosts = 1000;
constexpr size_t kRouteVariants =
    8192;  // different requests; more would measure this program's cache
constexpr size_t kRouteStride = 7919;  // a prime: neighbours in time are strangers in the table
constexpr size_t kDigits = 5;
constexpr size_t kTenantStride = 7919;
constexpr size_t kCallsOfTenant = 4;  // functions that one tenant calls
constexpr unsigned kHardLimit = 300;  // seconds, whatever happens

struct Options {
  int port = 0;
  std::string path = "/bytes/128";
  std::string host = "bench.test";
  size_t connections = 64;
  double seconds = 5;
  double warmup = 0.5;
  uint64_t requests = 0;
  size_t post = 0;
  size_t routes = 0;
  size_t tenants = 0;
  size_t functions = 100;
  std::string expect = "200";
  bool fresh = false;
  bool hold = false;
  std::string watch;
  int core = 0;
};

enum class Phase { kSending, kHead, kBody, kEof, kHeld };

struct Connection {
  int fd = -1;
  uint32_t slot = 0;
  Phase phase = Phase::kSending;
  bool close_after = false;
  bool head_sent = false;
  bool expected = true;  // the status is the one asked for
  uint64_t started = 0;  // microseconds
  off_t post_at = 0;
  size_t held = 0;  // bytes of an incomplete head
  size_t left = 0;  // of the answer's body
  char head[kHeadLimit];
};

uint64_t now_micros() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000 + static_cast<uint64_t>(t.tv_nsec) / 1000;
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), watch_(options.watch, options.core), connections_(options.connections) {
    make_requests();
    if (options.post) make_body();
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<uint16_t>(options.port));
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
  }

  int run() {
    for (uint32_t i = 0; i < connections_.size(); ++i) connections_[i].slot = i;
    const size_t at_once = options_.hold ? kOpeningAtOnce : connections_.size();
    while (opened_ < std::min(at_once, connections_.size())) open(connections_[opened_++]);
    const uint64_t begun = now_micros();
    window_begin_ = begun + (options_.requests ? 0 : static_cast<uint64_t>(options_.warmup * 1e6));
    window_end_ = window_begin_ + static_cast<uint64_t>(options_.seconds * 1e6);
    while (!finished()) turn();
    const uint64_t ended = now_micros();
    if (actual_begin_ == 0) actual_begin_ = begun;  // gave up before the window
    report(static_cast<double>(ended - actual_begin_) / 1e6, watch_.read());
    if (options_.hold) {
      char byte = 0;
      while (::read(STDIN_FILENO, &byte, 1) > 0) {
      }
    }
    return errors_ >= kMaxErrors ? 1 : 0;
  }

 private:
  bool finished() {
    if (errors_ >= kMaxErrors) return true;
    if (options_.hold) return held_ == connections_.size();
    if (options_.requests) {
      if (actual_begin_ == 0) start_window();
      return done_ >= options_.requests;
    }
    const uint64_t now = now_micros();
    if (actual_begin_ == 0 && now >= window_begin_) start_window();
    return now >= window_end_;
  }

  void start_window() {
    latencies_.clear();
    done_ = errors_ = unexpected_ = 0;
    at_begin_ = watch_.read();
    actual_begin_ = now_micros();
  }

  void turn() {
    epoll_event events[512];
    const int count = epoll_wait(epoll_, events, 512, 10);
    for (int i = 0; i < count; ++i) {
      Connection& c = connections_[events[i].data.u64 & 0xffffffff];
      // The high half is the socket's number: an event of a socket closed in this batch is stale.
      if (c.fd != static_cast<int>(events[i].data.u64 >> 32)) continue;
      const bool closing = events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
      if ((events[i].events & EPOLLOUT) && c.phase == Phase::kSending && !send_request(c)) {
        fail(c);
      } else if (((events[i].events & EPOLLIN) || closing) && !receive(c, closing)) {
        fail(c);
      }
    }
  }

  void open(Connection& c) {
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c.fd < 0) die("socket");
    const int on = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    begin(c, now_micros());
    if (connect(c.fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0 &&
        errno != EINPROGRESS) {
      die("connect");
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = static_cast<uint64_t>(c.fd) << 32 | c.slot;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
  }

  void begin(Connection& c, uint64_t now) {
    c.phase = Phase::kSending;
    c.started = now;
    c.head_sent = false;
    c.post_at = 0;
    c.held = 0;
  }

  void reopen(Connection& c) {
    close(c.fd);
    open(c);
  }

  void fail(Connection& c) {
    ++errors_;
    reopen(c);
  }

  // Five digits at `at`; the request is written once and only its names change.
  static void write_digits(char* at, size_t value) {
    for (char* digit = at + kDigits; digit-- > at; value /= 10) {
      *digit = static_cast<char>('0' + value % 10);
    }
  }

  void name_owner(std::string& request) {
    const size_t tenant = owner_ / kCallsOfTenant;
    const size_t function = (tenant + owner_ % kCallsOfTenant * 7) % options_.functions;
    write_digits(request.data() + tenant_at_, tenant);
    write_digits(request.data() + function_at_, function);
    owner_ = (owner_ + kTenantStride) % (options_.tenants * kCallsOfTenant);
  }

  bool send_request(Connection& c) {
    if (!c.head_sent) {
      std::string& request = requests_[next_];
      if (++next_ == requests_.size()) next_ = 0;
      if (options_.tenants) name_owner(request);
      const ssize_t sent =
          send(c.fd, request.data(), request.size(), MSG_NOSIGNAL | (options_.post ? MSG_MORE : 0));
      if (sent < 0 && errno == EAGAIN) return true;
      if (sent != static_cast<ssize_t>(request.size())) return false;
      c.head_sent = true;
    }
    while (static_cast<size_t>(c.post_at) < options_.post) {
      const ssize_t sent =
          sendfile(c.fd, body_, &c.post_at, options_.post - static_cast<size_t>(c.post_at));
      if (sent < 0) return errno == EAGAIN;
    }
    c.phase = Phase::kHead;
    return true;
  }

  // A short read means drained, unless the peer has closed. False: the exchange failed.
  bool receive(Connection& c, bool closing) {
    for (;;) {
      const bool head = c.phase == Phase::kHead;
      const size_t room = head ? kHeadLimit - c.held : c.phase == Phase::kBody ? c.left : 1;
      if (room == 0) return false;
      // MSG_TRUNC drops the bytes inside the kernel.
      const ssize_t got =
          head ? recv(c.fd, c.head + c.held, room, 0) : recv(c.fd, nullptr, room, MSG_TRUNC);
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return at_eof(c);
      if (c.phase != Phase::kHead && c.phase != Phase::kBody)
        return false;  // bytes nobody asked for
      const size_t length = static_cast<size_t>(got);
      if (!(head ? take_head(c, length) : take_body(c, length))) return false;
      if (length < room && !closing) return true;
      if (c.phase == Phase::kSending) return true;
    }
  }

  bool at_eof(Connection& c) {
    if (c.phase != Phase::kEof) return false;
    complete(c);
    return true;
  }

  bool take_head(Connection& c, size_t length) {
    c.held += length;
    const void* end = memmem(c.head, c.held, "\r\n\r\n", 4);
    if (end == nullptr) return true;
    const size_t head = static_cast<size_t>(static_cast<const char*>(end) - c.head) + 4;
    c.head[head - 1] = '\0';
    const char* size = strcasestr(c.head, "\ncontent-length:");
    if (std::memcmp(c.head, "HTTP/1.1 ", 9) != 0 || size == nullptr) return false;
    c.expected = std::memcmp(c.head + 9, options_.expect.data(), 3) == 0;
    c.close_after = options_.fresh || strcasestr(c.head, "\nconnection: close") != nullptr;
    c.left = std::strtoul(size + 16, nullptr, 10);
    c.phase = Phase::kBody;
    const size_t surplus = c.held - head;
    return surplus <= c.left && take_body(c, surplus);
  }

  bool take_body(Connection& c, size_t length) {
    c.left -= length;
    if (c.left > 0) return true;
    if (c.close_after) {
      c.phase = Phase::kEof;
      return true;
    }
    return complete(c);
  }

  bool complete(Connection& c) {
    const uint64_t now = now_micros();
    latencies_.add(now - c.started);
    ++(c.expected ? done_ : unexpected_);
    if (actual_begin_ != 0 && unexpected_ >= kMaxErrors) errors_ = unexpected_;
    if (options_.hold) {
      c.phase = Phase::kHeld;
      ++held_;
      if (opened_ < connections_.size()) open(connections_[opened_++]);
      return true;
    }
    if (c.phase == Phase::kEof) {
      reopen(c);
      return true;
    }
    begin(c, now);
    return send_request(c);
  }

  void report(double seconds, const CpuSample& at_end) const {
    const double requests = static_cast<double>(done_);
    const double cpu = static_cast<double>(at_end.process_ns - at_begin_.process_ns) / 1e3;
    const double core = static_cast<double>(at_end.core_total - at_begin_.core_total);
    const double busy = static_cast<double>(at_end.core_busy - at_begin_.core_busy);
    std::printf(
        "{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.3f, \"rps\": %.1f, \"p50_us\": "
        "%llu, "
        "\"p99_us\": %llu, \"max_us\": %llu, \"cpu_us\": %.3f, \"busy\": %.3f}\n",
        static_cast<unsigned long long>(done_),
        static_cast<unsigned long long>(errors_ + unexpected_), seconds, requests / seconds,
        static_cast<unsigned long long>(latencies_.quantile(0.5)),
        static_cast<unsigned long long>(latencies_.quantile(0.99)),
        static_cast<unsigned long long>(latencies_.max()), requests > 0 ? cpu / requests : 0.0,
        core > 0 ? busy / core : 0.0);
    std::fflush(stdout);
  }

  void make_requests() {
    const size_t variants = options_.routes ? kRouteVariants : 1;
    for (size_t i = 0; i < variants; ++i) {
      std::string host = options_.host;
      std::string path = options_.path;
      if (options_.routes) {
        const size_t route = i * kRouteStride % options_.routes;
        host = "h" + std::to_string(route % kRouteHosts) + ".bench.test";
        path = "/svc" + std::to_string(route / kRouteHosts) + path;
      }
      std::string request = (options_.post ? "POST " : "GET ") + path +
                            " HTTP/1.1\r\nHost: " + host +
                            "\r\nUser-Agent: bench\r\nAccept: */*\r\n";
      if (options_.tenants) {
        request += "X-Tenant: t00000\r\nX-Function: f00000\r\n";
        tenant_at_ = request.find("t00000") + 1;
        function_at_ = request.find("f00000") + 1;
      }
      if (options_.post) request += "Content-Length: " + std::to_string(options_.post) + "\r\n";
      if (options_.fresh) request += "Connection: close\r\n";
      requests_.push_back(request + "\r\n");
    }
  }

  void make_body() {
    body_ = memfd_create("post", MFD_CLOEXEC);
    const std::vector<char> bytes(options_.post, 'x');
    if (write(body_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      die("memfd");
  }

  const Options options_;
  const CpuWatch watch_;
  std::vector<std::string> requests_;
  size_t next_ = 0;
  size_t owner_ = 0;
  size_t tenant_at_ = 0;
  size_t function_at_ = 0;
  sockaddr_in address_{};
  int epoll_ = -1;
  int body_ = -1;
  std::vector<Connection> connections_;
  size_t opened_ = 0;
  size_t held_ = 0;
  uint64_t done_ = 0;
  uint64_t errors_ = 0;
  uint64_t unexpected_ = 0;  // answers of another status; before the window they may be
  uint64_t window_begin_ = 0;
  uint64_t window_end_ = 0;
  uint64_t actual_begin_ = 0;
  CpuSample at_begin_;
  Histogram latencies_;
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    if (key == "--new") {
      o.fresh = true;
    } else if (key == "--hold") {
      o.hold = true;
    } else if (++i == argc) {
      return false;
    } else if (key == "--port") {
      o.port = std::atoi(argv[i]);
    } else if (key == "--path") {
      o.path = argv[i];
    } else if (key == "--host") {
      o.host = argv[i];
    } else if (key == "--connections") {
      o.connections = std::strtoul(argv[i], nullptr, 10);
    } else if (key == "--seconds") {
      o.seconds = std::atof(argv[i]);
    } else if (key == "--warmup") {
      o.warmup = std::atof(argv[i]);
    } else if (key == "--requests") {
      o.requests = std::strtoull(argv[i], nullptr, 10);
    } else if (key == "--post") {
      o.post = std::strtoul(argv[i], nullptr, 10);
    } else if (key == "--routes") {
      o.routes = std::strtoul(argv[i], nullptr, 10);
    } else if (key == "--tenants") {
      o.tenants = std::strtoul(argv[i], nullptr, 10);
    } else if (key == "--functions") {
      o.functions = std::strtoul(argv[i], nullptr, 10);
    } else if (key == "--expect") {
      o.expect = argv[i];
    } else if (key == "--watch") {
      o.watch = argv[i];
    } else if (key == "--core") {
      o.core = std::atoi(argv[i]);
    } else {
      return false;
    }
  }
  return o.port != 0 && o.functions > 0 && o.expect.size() == 3;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  weir::bench::Options options;
  if (!weir::bench::parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: bench_load --port P [options at the top of load.cc]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);  // sendfile has no MSG_NOSIGNAL
  alarm(weir::bench::kHardLimit);
  weir::bench::Load load(options);
  return load.run();
}
