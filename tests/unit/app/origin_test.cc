// SPDX-License-Identifier: Apache-2.0
// The demo origin over real sockets: one thread, the loop, and a blocking client in another.
#include "app/origin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "app/listeners.h"
#include "config/values.h"
#include "net/address.h"

namespace weir::app {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class OriginTest : public ::testing::Test {
 protected:
  OriginTest()
      : fd_(net::open_listener(net::SocketAddress(any_), false, 64)),
        address_(bound_address(fd_, any_)),
        thread_([this] {
          const Origin origin(loop_, "blue", fd_);
          loop_.run();
        }) {}
  ~OriginTest() override {
    loop_.stop();
    thread_.join();
    ::close(fd_);
  }

  int connect() const {
    const net::SocketAddress to(address_);
    const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd, to.raw(), to.length()), 0);
    return fd;
  }
  /// Sends `text` and reads until the origin ends the connection.
  std::string exchange(std::string_view text) const {
    const int fd = connect();
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    std::string out;
    char room[65536];
    ssize_t n;
    while ((n = ::recv(fd, room, sizeof room, 0)) > 0) out.append(room, static_cast<size_t>(n));
    ::close(fd);
    return n < 0 ? "(reset)" : out;
  }
  static std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  const SystemClock clock_;
  net::Loop loop_{clock_};
  const Address any_ = config::parse_address("127.0.0.1:0").value();
  const int fd_;
  const Address address_;
  std::thread thread_;
};

TEST_F(OriginTest, TellsTheRequest) {
  const std::string answer =
      exchange("GET /x?y=1 HTTP/1.1\r\nHost: a\r\nX-Mine: z\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("origin blue"));
  EXPECT_THAT(answer, HasSubstr("GET /x?y=1\n"));
  EXPECT_THAT(answer, HasSubstr("X-Mine: z\n"));
}

TEST_F(OriginTest, AnswersPipelinedRequestsInOrderAndReadsBodies) {
  const std::string answer = exchange(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /3?close=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  const size_t one = answer.find("POST /1");
  const size_t two = answer.find("POST /2");
  const size_t three = answer.find("GET /3");
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
  EXPECT_NE(three, std::string::npos);
  EXPECT_THAT(answer, HasSubstr("connection 1, request 3"));
}

TEST_F(OriginTest, SendsSizesChunksAndTrailers) {
  const std::string plain = exchange("GET /?size=3MiB&close=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(plain).size(), 3U * 1024 * 1024);
  EXPECT_THAT(plain, HasSubstr("Content-Length: 3145728\r\n"));
  const std::string chunked =
      exchange("GET /?size=10&trailers=1&close=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(body_of(chunked), StartsWith("a\r\nabcdefghij\r\n0\r\nX-Origin-Bytes: 10\r\n\r\n"));
}

TEST_F(OriginTest, SendsNoBodyWhereNoneMayBe) {
  EXPECT_EQ(body_of(exchange("HEAD /?size=100&close=1 HTTP/1.1\r\nHost: a\r\n\r\n")), "");
  const std::string empty = exchange("GET /?status=204&close=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(empty), "");
  EXPECT_EQ(empty.find("Content-Length"), std::string::npos);
}

TEST_F(OriginTest, KnowsOldClients) {
  const std::string answer = exchange("GET /?size=10&chunked=1 HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer.find("chunked\r\n"), std::string::npos);
  EXPECT_EQ(body_of(answer), "abcdefghij");
}

TEST_F(OriginTest, ContinuesWhenAsked) {
  const int fd = connect();
  const std::string_view head =
      "POST /?close=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  ::send(fd, head.data(), head.size(), MSG_NOSIGNAL);
  char room[25];
  ASSERT_EQ(::recv(fd, room, sizeof room, MSG_WAITALL), 25);
  EXPECT_EQ(std::string_view(room, 25), "HTTP/1.1 100 Continue\r\n\r\n");
  ::send(fd, "hi", 2, MSG_NOSIGNAL);
  ASSERT_EQ(::recv(fd, room, 15, MSG_WAITALL), 15);
  EXPECT_EQ(std::string_view(room, 15), "HTTP/1.1 200 OK");
  ::close(fd);
}

TEST_F(OriginTest, ResetsWhenTold) {
  EXPECT_EQ(exchange("GET /?reset=1 HTTP/1.1\r\nHost: a\r\n\r\n"), "(reset)");
}

TEST_F(OriginTest, WaitsWhenTold) {
  const auto begun = std::chrono::steady_clock::now();
  exchange("GET /?delay=60ms&close=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(60));
}

TEST_F(OriginTest, RefusesWhatIsNoRequest) {
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
}

TEST_F(OriginTest, IsHealthy) {
  EXPECT_EQ(body_of(exchange("GET /health?close=1 HTTP/1.1\r\nHost: a\r\n\r\n")), "ok\n");
}

}  // namespace
}  // namespace weir::app
