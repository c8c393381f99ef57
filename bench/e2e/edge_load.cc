// SPDX-License-Identifier: Apache-2.0
//
// Load for what bench_load does not speak: TLS, HTTP/2, WebSocket, and handshakes alone. Closed
// loop, or with --rate open loop: requests are due at a fixed pace whether or not answers come, and
// their time counts from when they were due. One thread. Prints one JSON line, as bench_load does.
//
//   --port P            of the proxy, on 127.0.0.1
//   --mode h1|h2|ws|handshake                      --tls               (handshake always is)
//   --path /bytes/128   what to ask for            --connections 64    how many
//   --streams 32        requests in flight each, h2
//   --rate N            a second; 0 closed loop    --resume            offer the newest session
//   --seconds 5         measured window            --warmup 0.5        seconds before it
//   --requests N        stop after N; no window
//   --hold              open all, one request each, print, wait for stdin to end
//   --watch PID,...     CPU time of these          --core 0            and business of this core
//
// A handshake counts as done when the server has closed as well: the client is through with it one
// flight earlier. --resume begins with requests, since some servers send no ticket before an
// answer.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <memory>
#include <string>

#include "edge_protocol.h"
#include "edge_stream.h"
#include "measure.h"

namespace weir::bench {
namespace {

constexpr uint64_t kMaxErrors = 1000;  // then the run is broken, not slow
constexpr size_t kOpeningAtOnce = 16;  // --hold: so that the proxy needs few upstream connections
constexpr unsigned kHardLimit = 300;   // seconds, whatever happens
constexpr size_t kAll = ~size_t{0};

struct Options {
  int port = 0;
  std::string mode = "h1";
  bool tls = false;
  bool resume = false;
  bool hold = false;
  size_t connections = 64;
  double rate = 0;
  double seconds = 5;
  double warmup = 0.5;
  uint64_t requests = 0;
  std::string watch;
  int core = 0;
  Ask ask;

  bool handshakes() const { return mode == "handshake"; }
  Kind kind() const {
    return mode == "h2" ? Kind::kHttp2 : mode == "ws" ? Kind::kWebSocket : Kind::kHttp1;
  }
};

struct Connection {
  uint32_t slot = 0;
  bool begun = false;
  bool held = false;       // --hold: has had its request
  bool finishing = false;  // a handshake is through, and the server is to close
  uint64_t started = 0;    // of a handshake
  Stream stream;
  std::unique_ptr<Protocol> protocol;
};

uint64_t now_micros() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000 + static_cast<uint64_t>(t.tv_nsec) / 1000;
}

double own_cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

class Load : public Ledger {
 public:
  explicit Load(const Options& options)
      : options_(options),
        tls_(options.mode == "h2" ? "h2" : "http/1.1"),
        watch_(options.watch, options.core),
        connections_(options.connections) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < connections_.size(); ++i) connections_[i].slot = i;
  }

  int run() {
    const size_t at_once = options_.hold ? kOpeningAtOnce : connections_.size();
    begun_ = now_micros();
    paced_from_ = begun_;
    if (!(options_.handshakes() && options_.rate > 0)) {
      while (opened_ < std::min(at_once, connections_.size())) open(connections_[opened_++]);
    }
    window_begin_ = begun_ + (options_.requests ? 0 : static_cast<uint64_t>(options_.warmup * 1e6));
    window_end_ = window_begin_ + static_cast<uint64_t>(options_.seconds * 1e6);
    while (!finished()) turn();
    const uint64_t ended = now_micros();
    if (actual_begin_ == 0) actual_begin_ = begun_;  // gave up before the window
    report(static_cast<double>(ended - actual_begin_) / 1e6, watch_.read());
    if (options_.hold) {
      char byte = 0;
      while (::read(STDIN_FILENO, &byte, 1) > 0) {
      }
    }
    return errors_ >= kMaxErrors ? 1 : 0;
  }

  bool next(uint64_t& started) override {
    if (options_.rate <= 0) {
      started = now_micros();
      return true;
    }
    if (due_.empty()) return false;
    started = due_.front();
    due_.pop_front();
    return true;
  }

  void done(uint64_t started) override {
    latencies_.add(now_micros() - started);
    ++done_;
  }

  void failed() override { ++errors_; }

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
    done_ = errors_ = 0;
    own_at_begin_ = own_cpu_seconds();
    at_begin_ = watch_.read();
    actual_begin_ = now_micros();
  }

  void turn() {
    epoll_event events[512];
    const int count = epoll_wait(epoll_, events, 512, options_.rate > 0 ? 1 : 10);
    for (int i = 0; i < count; ++i) {
      Connection& c = connections_[events[i].data.u64 & 0xffffffff];
      // The high half is the socket's number: an event of a socket closed in this batch is stale.
      if (c.stream.fd() != static_cast<int>(events[i].data.u64 >> 32)) continue;
      if (!handle(c, events[i].events)) fail(c);
    }
    if (options_.rate > 0) pace();
  }

  // What is due by now, spread over the connections in turn.
  void pace() {
    const uint64_t now = now_micros();
    const double each = 1e6 / options_.rate;
    while (paced_from_ + static_cast<uint64_t>(static_cast<double>(paced_) * each) <= now) {
      due_.push_back(paced_from_ + static_cast<uint64_t>(static_cast<double>(paced_++) * each));
    }
    for (size_t tried = 0; tried < connections_.size() && !due_.empty(); ++tried) {
      Connection& c = connections_[turn_++ % connections_.size()];
      if (options_.handshakes()) {
        if (c.stream.fd() < 0 && next(c.started)) open(c);
      } else if (c.begun && !fill(c, 1)) {
        fail(c);
      }
    }
  }

  void open(Connection& c) {
    c.begun = false;
    if (options_.handshakes() && options_.rate <= 0) c.started = now_micros();
    c.finishing = false;
    c.protocol.reset();
    if (!options_.handshakes() || (options_.resume && tls_.session() == nullptr)) {
      c.protocol = make_protocol(options_.kind(), options_.ask, *this);
    }
    c.stream.open(options_.port, options_.tls ? &tls_ : nullptr, options_.resume);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = static_cast<uint64_t>(c.stream.fd()) << 32 | c.slot;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, c.stream.fd(), &event);
  }

  void fail(Connection& c) {
    ++errors_;
    c.stream.close(true);
    open(c);
  }

  bool handle(Connection& c, uint32_t events) {
    if ((events & EPOLLOUT) && !c.stream.flush()) return false;
    const bool closing = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (!(events & EPOLLIN) && !closing) return c.begun || begin(c);
    c.stream.readable(closing);
    for (;;) {
      const auto chunk = c.stream.read();
      if (!chunk) return c.finishing && shaken(c);
      if (!c.begun && !begin(c)) return false;
      if (chunk->empty()) return true;
      if (c.protocol && !feed(c, *chunk)) return false;
      if (options_.handshakes() && c.protocol && tls_.session() != nullptr) return renew(c);
    }
  }

  bool begin(Connection& c) {
    if (!c.stream.established()) return true;
    c.begun = true;
    cipher_ = c.stream.cipher();
    if (!c.protocol) {
      c.finishing = true;
      c.stream.finish();
      return true;
    }
    if (options_.tls && c.stream.alpn() != (options_.mode == "h2" ? "h2" : "http/1.1"))
      return false;
    std::string out;
    c.protocol->begin(out);
    if (!c.stream.write(out)) return false;
    return options_.rate > 0 || fill(c, kAll);
  }

  bool fill(Connection& c, size_t most) {
    out_.clear();
    c.protocol->fill(out_, most);
    return out_.empty() || c.stream.write(out_);
  }

  bool feed(Connection& c, std::string_view chunk) {
    const uint64_t before = done_;
    out_.clear();
    if (!c.protocol->feed(chunk, out_)) return false;
    if (options_.hold && done_ > before) {
      c.held = true;
      ++held_;
      if (opened_ < connections_.size()) open(connections_[opened_++]);
    }
    if (!c.held && options_.rate <= 0) c.protocol->fill(out_, kAll);
    return out_.empty() || c.stream.write(out_);
  }

  bool shaken(Connection& c) {
    if (options_.resume && !c.stream.resumed()) {
      failed();
    } else {
      done(c.started);
    }
    return renew(c);
  }

  bool renew(Connection& c) {
    c.stream.close(false);
    if (options_.rate <= 0) open(c);
    return true;
  }

  void report(double seconds, const CpuSample& at_end) const {
    const double requests = static_cast<double>(done_);
    const double cpu = static_cast<double>(at_end.process_ns - at_begin_.process_ns) / 1e3;
    const double core = static_cast<double>(at_end.core_total - at_begin_.core_total);
    const double busy = static_cast<double>(at_end.core_busy - at_begin_.core_busy);
    std::printf(
        "{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.3f, \"rps\": %.1f, \"p50_us\": "
        "%llu, \"p99_us\": %llu, \"max_us\": %llu, \"cpu_us\": %.3f, \"busy\": %.3f, "
        "\"load_busy\": %.3f, \"late\": %zu, \"cipher\": \"%s\"}\n",
        static_cast<unsigned long long>(done_), static_cast<unsigned long long>(errors_), seconds,
        requests / seconds, static_cast<unsigned long long>(latencies_.quantile(0.5)),
        static_cast<unsigned long long>(latencies_.quantile(0.99)),
        static_cast<unsigned long long>(latencies_.max()), requests > 0 ? cpu / requests : 0.0,
        core > 0 ? busy / core : 0.0, (own_cpu_seconds() - own_at_begin_) / seconds, due_.size(),
        cipher_.c_str());
    std::fflush(stdout);
  }

  const Options options_;
  TlsClient tls_;
  const CpuWatch watch_;
  std::deque<Connection> connections_;  // a Stream does not move
  int epoll_ = -1;
  std::string out_;
  std::string cipher_;
  size_t opened_ = 0;
  size_t held_ = 0;
  size_t turn_ = 0;
  std::deque<uint64_t> due_;
  uint64_t paced_ = 0;
  uint64_t paced_from_ = 0;
  uint64_t done_ = 0;
  uint64_t errors_ = 0;
  uint64_t begun_ = 0;
  uint64_t window_begin_ = 0;
  uint64_t window_end_ = 0;
  uint64_t actual_begin_ = 0;
  double own_at_begin_ = 0;
  CpuSample at_begin_;
  Histogram latencies_;
};

bool parse_flag(const std::string& key, Options& o) {
  bool* flag = key == "--tls"      ? &o.tls
               : key == "--resume" ? &o.resume
               : key == "--hold"   ? &o.hold
                                   : nullptr;
  if (flag != nullptr) *flag = true;
  return flag != nullptr;
}

bool parse_value(const std::string& key, const char* value, Options& o) {
  if (key == "--port") {
    o.port = std::atoi(value);
  } else if (key == "--mode") {
    o.mode = value;
  } else if (key == "--path") {
    o.ask.path = value;
  } else if (key == "--connections") {
    o.connections = std::strtoul(value, nullptr, 10);
  } else if (key == "--streams") {
    o.ask.streams = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
  } else if (key == "--rate") {
    o.rate = std::atof(value);
  } else if (key == "--seconds") {
    o.seconds = std::atof(value);
  } else if (key == "--warmup") {
    o.warmup = std::atof(value);
  } else if (key == "--requests") {
    o.requests = std::strtoull(value, nullptr, 10);
  } else if (key == "--watch") {
    o.watch = value;
  } else if (key == "--core") {
    o.core = std::atoi(value);
  } else {
    return false;
  }
  return true;
}

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    if (parse_flag(argv[i], o)) continue;
    if (i + 1 == argc || !parse_value(argv[i], argv[i + 1], o)) return false;
    ++i;
  }
  if (o.handshakes()) o.tls = true;
  o.ask.https = o.tls;
  if (o.ask.path.starts_with("/bytes/")) {
    o.ask.expected = std::strtoul(o.ask.path.c_str() + 7, nullptr, 10);
  }
  const bool known = o.mode == "h1" || o.mode == "h2" || o.mode == "ws" || o.handshakes();
  return known && o.port != 0 && o.connections > 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  weir::bench::Options options;
  if (!weir::bench::parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: bench_edge_load --port P [options at the top of edge_load.cc]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  alarm(weir::bench::kHardLimit);
  weir::bench::Load load(options);
  return load.run();
}
