// SPDX-License-Identifier: Apache-2.0
// Admin connections over real sockets; the process behind them is a fake.
#include "admin/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <thread>

#include "config/values.h"
#include "fake_process.h"
#include "net/address.h"

namespace weir::admin {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Its tasks run on the real loop.
class LoopProcess final : public FakeProcess {
 public:
  explicit LoopProcess(net::Loop& loop) : loop_(loop) {}
  void post(Task task) override { loop_.post(std::move(task)); }
  void reload(ReloadDone done) override {
    loop_.post([this, reply = std::move(done)]() mutable { reply(outcome); });
  }
  void write_page(Page page, PageDone done) override {
    loop_.post([work = std::move(page), reply = std::move(done)]() mutable { reply(work()); });
  }

 private:
  net::Loop& loop_;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest()
      : fd_(net::open_listener(net::SocketAddress(config::parse_address("127.0.0.1:0").value()),
                               false, 64)),
        thread_([this] {
          LoopProcess process(loop_);
          Server server(loop_, process);
          server.listen(fd_, Door::kUnixSocket);
          loop_.run();
        }) {}
  ~ServerTest() override {
    loop_.stop();
    thread_.join();
    ::close(fd_);
  }

  int connect() const {
    sockaddr_storage to{};
    socklen_t length = sizeof to;
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&to), &length), 0);
    const int fd = ::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), length), 0);
    return fd;
  }
  static void send(int fd, std::string_view text) {
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  static std::string read_to_end(int fd) {
    std::string out;
    char room[65536];
    ssize_t n;
    while ((n = ::recv(fd, room, sizeof room, 0)) > 0) out.append(room, static_cast<size_t>(n));
    ::close(fd);
    return out;
  }
  std::string exchange(std::string_view text) const {
    const int fd = connect();
    send(fd, text);
    return read_to_end(fd);
  }

  const SystemClock clock_;
  net::Loop loop_{clock_};
  const int fd_;
  std::thread thread_;
};

constexpr std::string_view kClose = "Host: w\r\nConnection: close\r\n\r\n";

TEST_F(ServerTest, AnswersAndClosesWhenAsked) {
  const std::string answer = exchange("GET /readyz HTTP/1.1\r\n" + std::string(kClose));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("content-length: 6\r\n"));
  EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nready\n"));
}

TEST_F(ServerTest, KeepsConnectionsAndAnswersInOrder) {
  const std::string answer = exchange(
      "GET /readyz HTTP/1.1\r\nHost: w\r\n\r\n"
      "GET /stats HTTP/1.1\r\nHost: w\r\n\r\n"
      "GET /nothing HTTP/1.1\r\n" +
      std::string(kClose));
  const size_t ready = answer.find("ready\n");
  const size_t stats = answer.find("\"listeners\"");
  const size_t nothing = answer.find("HTTP/1.1 404");
  EXPECT_LT(ready, stats);
  EXPECT_LT(stats, nothing);
  EXPECT_NE(nothing, std::string::npos);
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  const std::string answer = exchange("HEAD /metrics HTTP/1.1\r\n" + std::string(kClose));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
  EXPECT_THAT(answer, HasSubstr("content-length: "));
}

TEST_F(ServerTest, ReadsAndDropsBodies) {
  const std::string answer = exchange(
      "POST /reload HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\nhello"
      "POST /reload HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /healthz HTTP/1.1\r\n" +
      std::string(kClose));
  EXPECT_EQ(answer.find("HTTP/1.1 422"), 0U);
  EXPECT_NE(answer.find("HTTP/1.1 422", 10), std::string::npos);
  EXPECT_THAT(answer, EndsWith("ok\n"));
}

TEST_F(ServerTest, ContinuesWhenAsked) {
  const int fd = connect();
  send(fd, "POST /reload HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n" +
               std::string(kClose));
  char room[25];
  ASSERT_EQ(::recv(fd, room, sizeof room, MSG_WAITALL), 25);
  EXPECT_EQ(std::string_view(room, 25), "HTTP/1.1 100 Continue\r\n\r\n");
  send(fd, "x");
  EXPECT_THAT(read_to_end(fd), StartsWith("HTTP/1.1 422"));
}

TEST_F(ServerTest, RefusesWhatIsNoRequestAndCloses) {
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(exchange("GET /" + std::string(5000, 'a')), StartsWith("HTTP/1.1 414 "));
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nA: " + std::string(20'000, 'a')),
              StartsWith("HTTP/1.1 431 "));
}

TEST_F(ServerTest, TakesAHeadByteByByte) {
  const int fd = connect();
  for (const char c : "GET /readyz HTTP/1.1\r\n" + std::string(kClose)) send(fd, {&c, 1});
  EXPECT_THAT(read_to_end(fd), EndsWith("ready\n"));
}

TEST_F(ServerTest, AnswersAClientThatHasEndedItsSide) {
  const int fd = connect();
  send(fd, "GET /stats HTTP/1.1\r\nHost: w\r\n\r\n");
  ::shutdown(fd, SHUT_WR);
  EXPECT_THAT(read_to_end(fd), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerTest, SurvivesAClientThatLeavesBeforeItsAnswer) {
  for (int i = 0; i < 50; ++i) {
    const int fd = connect();
    send(fd, "POST /reload HTTP/1.1\r\nHost: w\r\n\r\n");
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd);
  }
  EXPECT_THAT(exchange("GET /readyz HTTP/1.1\r\n" + std::string(kClose)), EndsWith("ready\n"));
}

TEST_F(ServerTest, BoundsItsConnections) {
  std::vector<int> open;
  for (size_t i = 0; i < Server::kMaxConnections; ++i) {
    open.push_back(connect());
    send(open.back(), "GET /readyz HTTP/1.1\r\nHost: w\r\n\r\n");
    char byte;
    EXPECT_EQ(::recv(open.back(), &byte, 1, 0), 1);
  }
  const int more = connect();
  char byte;
  EXPECT_EQ(::recv(more, &byte, 1, 0), 0);
  ::close(more);
  for (const int fd : open) ::close(fd);
}

}  // namespace
}  // namespace weir::admin
