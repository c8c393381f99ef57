// SPDX-License-Identifier: Apache-2.0
#include "net/acceptor.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <memory>
#include <optional>
#include <vector>

#include "net/loop.h"
#include "sockets.h"
#include "support/loop_runner.h"

namespace weir::net {
namespace {

class AcceptorTest : public testing::Test, public AcceptHandler {
 protected:
  void SetUp() override {
    ASSERT_GE(listener_.get(), 0);
    acceptor_.emplace(loop_, listener_.get(), *this);
  }
  void on_accept(int fd, const Peer& peer) override {
    accepted_.emplace_back(fd);
    peers_.push_back(peer);
    if (close_after_first_) acceptor_.reset();
  }
  void on_descriptors_exhausted() override { ++exhausted_; }

  SocketAddress address() const {
    sockaddr_in bound{};
    socklen_t length = sizeof bound;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &length);
    return loopback(ntohs(bound.sin_port));
  }
  static SocketAddress loopback(uint16_t port) {
    return SocketAddress::from_ip({false, {127, 0, 0, 1}}, port);
  }
  Fd connect() { return Fd(start_connect(address(), 0)); }

  SystemClock clock_;
  Loop loop_{clock_};
  Fd listener_{open_listener(loopback(0), false, 256)};
  std::optional<Acceptor> acceptor_;
  std::vector<Fd> accepted_;
  std::vector<Peer> peers_;
  int exhausted_ = 0;
  bool close_after_first_ = false;
};

TEST_F(AcceptorTest, HandsOverEachConnectionWithItsPeer) {
  const Fd client = connect();
  EXPECT_TRUE(test::run_until(loop_, [this] { return accepted_.size() == 1; }));
  char text[Peer::kMaxText];
  EXPECT_EQ(peers_[0].ip_text(text), "127.0.0.1");
  EXPECT_NE(peers_[0].port, 0);
  client.write("hi");
  EXPECT_NE(::fcntl(accepted_[0].get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(accepted_[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(AcceptorTest, MoreThanATurnTakesAllArrive) {
  std::vector<Fd> clients;
  for (int i = 0; i < 150; ++i) clients.push_back(connect());
  EXPECT_TRUE(test::run_until(loop_, [this] { return accepted_.size() == 150; }));
}

TEST_F(AcceptorTest, DestroyedItAcceptsNoMoreAndLeavesTheSocketOpen) {
  acceptor_.reset();
  const Fd client = connect();
  EXPECT_TRUE(test::run_until(loop_, [this] {
    loop_.post([] {});
    return ++exhausted_ > 5;
  }));
  EXPECT_TRUE(accepted_.empty());
  const Fd late(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_GE(late.get(), 0) << "the connection waits for whoever accepts next";
}

TEST_F(AcceptorTest, ItMayBeDestroyedByItsHandler) {
  close_after_first_ = true;
  const Fd one = connect();
  const Fd two = connect();
  EXPECT_TRUE(test::run_until(loop_, [this] { return accepted_.size() == 1; }));
  EXPECT_FALSE(acceptor_.has_value());
}

// A deadline that a handler sets from a time before the loop fell asleep would be over at once.
TEST(AcceptorTimeTest, TheHandlerSeesTheTimeAtWhichTheLoopWoke) {
  struct Handler final : AcceptHandler {
    explicit Handler(Loop& owner) : loop(owner) {}
    void on_accept(int fd, const Peer&) override {
      accepted = Fd(fd);
      seen = loop.now();
      loop.stop();
    }
    void on_descriptors_exhausted() override {}
    Loop& loop;
    Fd accepted;
    TimePoint seen{};
  };
  FakeClock clock;
  Loop loop(clock);
  Handler handler(loop);
  const SocketAddress any = SocketAddress::from_ip({false, {127, 0, 0, 1}}, 0);
  const Fd listener(open_listener(any, false, 16));
  const Acceptor acceptor(loop, listener.get(), handler);
  sockaddr_in bound{};
  socklen_t length = sizeof bound;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &length);
  Fd client;
  // Before the loop sleeps, an hour passes and a client comes.
  loop.set_turn_hook([&] {
    if (client.get() >= 0) return;
    clock.advance(std::chrono::hours(1));
    client = Fd(
        start_connect(SocketAddress::from_ip({false, {127, 0, 0, 1}}, ntohs(bound.sin_port)), 0));
  });
  loop.run();
  EXPECT_EQ(handler.seen, clock.now());
}

// Leaves the process without a descriptor while it lives.
class DescriptorFamine {
 public:
  DescriptorFamine() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &low);
    for (;;) {
      const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (fd < 0) break;
      eaten_.emplace_back(fd);
    }
  }
  ~DescriptorFamine() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  void feed_one() { eaten_.pop_back(); }

 private:
  rlimit before_{};
  std::vector<Fd> eaten_;
};

TEST_F(AcceptorTest, WithoutDescriptorsConnectionsAreClosedRatherThanSpunOn) {
  // One in good times: the sanitizer takes its first look at a handler's type through a pipe.
  const Fd early = connect();
  test::run_until(loop_, [this] { return accepted_.size() == 1; });
  const Fd refused = connect();
  const Fd also_refused = connect();
  {
    DescriptorFamine famine;
    EXPECT_TRUE(test::run_until(loop_, [this] { return exhausted_ == 2; }));
    EXPECT_EQ(accepted_.size(), 1U);
    char byte;
    EXPECT_EQ(::recv(refused.get(), &byte, 1, 0), 0) << "closed, not left hanging";
  }
  const Fd client = connect();
  EXPECT_TRUE(test::run_until(loop_, [this] { return accepted_.size() == 2; }))
      << "it recovers by itself";
}

}  // namespace
}  // namespace weir::net
