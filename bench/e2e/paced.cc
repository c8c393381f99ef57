// SPDX-License-Identifier: Apache-2.0
//
// Open-loop HTTP/1.1 load: requests are sent when they are due, whether or not answers come, and a
// latency runs from the moment a request was due, so that a proxy that stalls is not asked less and
// does not look fast. Groups of tenants, each with a rate of its own and connections of its own.
// One thread. Prints a JSON line an interval and one at the end, with counts by outcome and group:
// "ok" is a 2xx that came whole; "refused" no connection; "reset" an answer that broke off or never
// began; "timeout" none in time; everything else is its status.
//
//   --port P            on 127.0.0.1              --seconds 10        how long requests are due
//   --timeout 5000      ms to a whole answer      --lines 0           ms between lines; 0: none
//   --group SPEC        repeatable; comma-separated KEY=VALUE of
//       name=others     tenants=99 (X-Tenant: others-0 ...)   rate=80 (a second, each tenant)
//       path=/          method=GET    body=0 (bytes)          functions=1 (X-Function: f0 ...)
//       from=0, to=1e9  seconds in which they are due         connections=512
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "measure.h"
#include "paced_options.h"

namespace weir::bench {
namespace {

constexpr size_t kHeadLimit = 8192;

uint64_t now_micros() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000 + static_cast<uint64_t>(t.tv_nsec) / 1000;
}

struct Counts {
  uint64_t due = 0;
  std::map<std::string, uint64_t> outcomes;
  Histogram latencies;  // of "ok"
};

struct Group;

struct Connection {
  int fd = -1;
  Group* group = nullptr;
  bool busy = false;
  bool head_done = false;
  bool chunked = false;
  bool until_eof = false;
  bool close_after = false;
  bool dead = false;
  uint64_t due = 0;  // of the request under way, microseconds
  std::string out;   // what the socket has not taken yet
  size_t left = 0;   // of the answer's body
  std::string in;    // an incomplete head, or the tail of a chunked body
  std::string status;
  std::list<std::unique_ptr<Connection>>::iterator self;
};

struct Group {
  explicit Group(GroupOptions o) : options(std::move(o)) {
    interval = 1e6 / (options.rate * static_cast<double>(options.tenants));
  }
  GroupOptions options;
  double interval;
  double next = 0;  // when the next request is due, microseconds
  size_t turn = 0;
  size_t open = 0;
  std::vector<Connection*> idle;
  std::deque<uint64_t> waiting;  // due, and no connection free
  Counts whole;
  Counts recent;
  double first_failure = -1;  // seconds since the beginning; of what did not end in "ok"
  double last_failure = -1;
};

class Paced {
 public:
  explicit Paced(const Options& options) : options_(options) {
    for (const GroupOptions& each : options.groups) groups_.emplace_back(each);
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<uint16_t>(options.port));
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
  }

  int run() {
    begun_ = now_micros();
    end_ = begun_ + static_cast<uint64_t>(options_.seconds * 1e6);
    for (Group& group : groups_) {
      group.next = static_cast<double>(begun_) + group.options.from * 1e6;
    }
    uint64_t next_line = begun_ + options_.lines_ms * 1000;
    while (!finished()) {
      const uint64_t now = now_micros();
      if (options_.lines_ms && now >= next_line) {
        print_recent(next_line);
        next_line += options_.lines_ms * 1000;
      }
      turn();
    }
    if (options_.lines_ms) print_recent(now_micros());
    print("\"end\": true", &Group::whole);
    return 0;
  }

 private:
  bool finished() const {
    const uint64_t now = now_micros();
    if (now < end_) return false;
    return busy_ + waiting() == 0 || now > end_ + (options_.timeout_ms + 500) * 1000;
  }

  size_t waiting() const {
    size_t count = 0;
    for (const Group& group : groups_) count += group.waiting.size();
    return count;
  }

  void turn() {
    const uint64_t now = now_micros();
    uint64_t wake = now + 10'000;
    for (Group& group : groups_) wake = std::min(wake, send_due(group, now));
    expire(now);
    const uint64_t wait = wake > now ? wake - now : 0;
    const timespec timeout{static_cast<time_t>(wait / 1'000'000),
                           static_cast<long>(wait % 1'000'000) * 1000};
    epoll_event events[256];
    const int count = epoll_pwait2(epoll_, events, 256, &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      Connection& c = *static_cast<Connection*>(events[i].data.ptr);
      if (c.dead) continue;
      if (events[i].events & (EPOLLOUT | EPOLLERR)) flush(c);
      if (!c.dead && events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) receive(c);
    }
    graveyard_.clear();
  }

  // Sends what is due; when the next is.
  uint64_t send_due(Group& group, uint64_t now) {
    const double end =
        std::min(static_cast<double>(end_), static_cast<double>(begun_) + group.options.to * 1e6);
    while (!group.waiting.empty() && group.open < group.options.connections) {
      open(group, next_waiting(group));
    }
    while (group.next <= static_cast<double>(now) && group.next < end) {
      const auto due = static_cast<uint64_t>(group.next);
      group.next += group.interval;
      ++group.whole.due;
      ++group.recent.due;
      give(group, due);
    }
    return group.next < end ? static_cast<uint64_t>(group.next) : UINT64_MAX;
  }

  void give(Group& group, uint64_t due) {
    if (!group.idle.empty()) {
      Connection& c = *group.idle.back();
      group.idle.pop_back();
      begin(c, due);
      flush(c);
    } else if (group.open < group.options.connections) {
      open(group, due);
    } else {
      group.waiting.push_back(due);
    }
  }

  void open(Group& group, uint64_t due) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      count(group, "no_socket", due);
      return;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.push_front(std::make_unique<Connection>());
    Connection& c = *connections_.front();
    c.self = connections_.begin();
    c.fd = fd;
    c.group = &group;
    ++group.open;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &c;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    begin(c, due);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0 &&
        errno != EINPROGRESS) {
      end(c, "refused");
    }
  }

  void begin(Connection& c, uint64_t due) {
    const GroupOptions& o = c.group->options;
    const size_t turn = c.group->turn++;
    c.busy = true;
    ++busy_;
    c.due = due;
    c.head_done = c.chunked = c.until_eof = c.close_after = false;
    c.in.clear();
    c.status.clear();
    c.out = o.method + " " + o.path + " HTTP/1.1\r\nHost: bench.test\r\nX-Tenant: " + o.name + "-" +
            std::to_string(turn % o.tenants) + "\r\nX-Function: f" +
            std::to_string(turn % o.functions) + "\r\n";
    if (o.body || o.method == "POST" || o.method == "PUT") {
      c.out += "Content-Length: " + std::to_string(o.body) + "\r\n\r\n" + std::string(o.body, 'x');
    } else {
      c.out += "\r\n";
    }
  }

  void flush(Connection& c) {
    if (c.out.empty()) return;
    const ssize_t sent = send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN || errno == ENOTCONN) return;
      end(c, errno == ECONNREFUSED ? "refused" : "reset");
      return;
    }
    c.out.erase(0, static_cast<size_t>(sent));
  }

  void receive(Connection& c) {
    char buffer[65536];
    while (!c.dead) {
      const ssize_t got = recv(c.fd, buffer, sizeof buffer, 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) {
        const bool whole = got == 0 && c.busy && c.head_done && c.until_eof;
        end(c, got < 0 && errno == ECONNREFUSED ? "refused" : whole ? "" : "reset");
        return;
      }
      if (!c.busy || !take(c, {buffer, static_cast<size_t>(got)})) {
        end(c, "reset");
        return;
      }
    }
  }

  // False: not HTTP.
  bool take(Connection& c, std::string_view bytes) {
    if (c.head_done) return take_body(c, bytes);
    c.in += bytes;
    const size_t head = c.in.find("\r\n\r\n");
    if (head == std::string::npos) return c.in.size() < kHeadLimit;
    const std::string rest = c.in.substr(head + 4);
    c.in.resize(head + 2);
    if (!c.in.starts_with("HTTP/1.") || c.in.size() < 13) return false;
    c.status = c.in.substr(9, 3);
    c.head_done = true;
    c.close_after = strcasestr(c.in.c_str(), "\nconnection: close") != nullptr;
    const char* const length = strcasestr(c.in.c_str(), "\ncontent-length:");
    c.chunked = strcasestr(c.in.c_str(), "\ntransfer-encoding: chunked") != nullptr;
    const bool empty = c.status == "204" || c.status == "304" || c.group->options.method == "HEAD";
    c.left = length ? std::strtoul(length + 16, nullptr, 10) : 0;
    if (empty) c.left = 0;
    c.until_eof = !empty && !length && !c.chunked;
    c.in.clear();
    return take_body(c, rest);
  }

  bool take_body(Connection& c, std::string_view bytes) {
    if (c.until_eof) return true;
    if (c.chunked) {  // what ends it is enough here
      c.in += bytes;
      if (c.in.size() > 5) c.in.erase(0, c.in.size() - 5);
      if (c.in == "0\r\n\r\n" || c.in.ends_with("\n0\r\n\r\n")) end(c, "");
      return true;
    }
    if (bytes.size() > c.left) return false;
    c.left -= bytes.size();
    if (c.left == 0) end(c, "");
    return true;
  }

  // `how`: empty for a whole answer. What does not leave the connection good ends it.
  void end(Connection& c, std::string_view how) {
    Group& group = *c.group;
    if (c.busy) {
      --busy_;
      count(group, how.empty() ? (c.status[0] == '2' ? "ok" : c.status) : std::string(how), c.due);
      c.busy = false;
    }
    if (!how.empty() || c.close_after || c.until_eof || !c.out.empty()) {
      std::erase(group.idle, &c);
      close(c.fd);
      --group.open;
      c.dead = true;
      graveyard_.splice(graveyard_.begin(), connections_, c.self);
      return;
    }
    if (group.waiting.empty()) {
      group.idle.push_back(&c);
      return;
    }
    begin(c, next_waiting(group));
    flush(c);
  }

  static uint64_t next_waiting(Group& group) {
    const uint64_t due = group.waiting.front();
    group.waiting.pop_front();
    return due;
  }

  void count(Group& group, const std::string& outcome, uint64_t due) {
    const uint64_t now = now_micros();
    for (Counts* counts : {&group.whole, &group.recent}) {
      ++counts->outcomes[outcome];
      if (outcome == "ok") counts->latencies.add(now - due);
    }
    if (outcome == "ok") return;
    group.last_failure = static_cast<double>(now - begun_) / 1e6;
    if (group.first_failure < 0) group.first_failure = group.last_failure;
  }

  // Every tenth of a second is often enough.
  void expire(uint64_t now) {
    if (now < next_expiry_) return;
    next_expiry_ = now + 100'000;
    const uint64_t limit = options_.timeout_ms * 1000;
    for (Group& group : groups_) {
      while (!group.waiting.empty() && group.waiting.front() + limit < now) {
        count(group, "timeout", next_waiting(group));
      }
    }
    std::vector<Connection*> late;
    for (const auto& c : connections_) {
      if (c->busy && c->due + limit < now) late.push_back(c.get());
    }
    for (Connection* c : late) end(*c, "timeout");
  }

  void print_recent(uint64_t at) {
    char text[64];
    std::snprintf(text, sizeof text, "\"at\": %.3f", static_cast<double>(at - begun_) / 1e6);
    print(text, &Group::recent);
    for (Group& group : groups_) group.recent = Counts{};
  }

  void print(const char* label, Counts Group::*which) const {
    std::printf("{%s, \"groups\": {", label);
    const char* comma = "";
    for (const Group& group : groups_) {
      const Counts& counts = group.*which;
      std::printf("%s\"%s\": {\"due\": %llu, \"outcomes\": {", comma, group.options.name.c_str(),
                  static_cast<unsigned long long>(counts.due));
      const char* inner = "";
      for (const auto& [outcome, number] : counts.outcomes) {
        std::printf("%s\"%s\": %llu", inner, outcome.c_str(),
                    static_cast<unsigned long long>(number));
        inner = ", ";
      }
      std::printf("}, \"p50_us\": %llu, \"p99_us\": %llu, \"max_us\": %llu",
                  static_cast<unsigned long long>(counts.latencies.quantile(0.5)),
                  static_cast<unsigned long long>(counts.latencies.quantile(0.99)),
                  static_cast<unsigned long long>(counts.latencies.max()));
      std::printf(", \"first_failure\": %.3f, \"last_failure\": %.3f}", group.first_failure,
                  group.last_failure);
      comma = ", ";
    }
    std::printf("}}\n");
    std::fflush(stdout);
  }

  const Options options_;
  std::list<Group> groups_;
  sockaddr_in address_{};
  int epoll_ = -1;
  uint64_t begun_ = 0;
  uint64_t end_ = 0;
  uint64_t next_expiry_ = 0;
  size_t busy_ = 0;
  std::list<std::unique_ptr<Connection>> connections_;
  std::list<std::unique_ptr<Connection>> graveyard_;  // events of this turn may still name them
};

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  weir::bench::Options options;
  if (!weir::bench::parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: bench_paced --port P --group SPEC [options: top of paced.cc]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  alarm(weir::bench::kHardLimit);
  weir::bench::Paced paced(options);
  return paced.run();
}
