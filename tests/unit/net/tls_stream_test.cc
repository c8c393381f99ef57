// SPDX-License-Identifier: Apache-2.0
// Bytes through TLS sockets: the contracts of recv() and send() must hold as without TLS.
#include <sys/socket.h>

#include <array>

#include "tls_pair.h"

namespace weir::net {
namespace {

using Status = IoResult::Status;

class TlsStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    server_context_ = lab_.server(lab_.server_config());
    client_context_ = lab_.client(lab_.client_config());
    ASSERT_TRUE(pair_.shake(*server_context_, *client_context_));
    ASSERT_TRUE(pair_.say(pair_.server, "x"));  // With the ticket.
    ASSERT_EQ(pair_.drain(pair_.client), "x");
    pair_.drain(pair_.server);
    ASSERT_FALSE(pair_.server.readable());
  }
  std::string recv(Socket& socket, size_t room_size) {
    std::string room(room_size, '\0');
    last_ = socket.recv(room);
    room.resize(last_.bytes);
    return room;
  }
  /// Sends all of `bytes` from one socket while the other reads, in pieces of the sizes given.
  std::string transfer(Socket& from, Socket& to, std::string_view bytes, size_t offer,
                       size_t room) {
    std::string got;
    // The caller's bytes move between the offers, as they do when they are held.
    for (int turn = 0; turn < 100'000 && got.size() < bytes.size() + sent_; ++turn) {
      if (sent_ < bytes.size()) {
        const std::string moved(bytes.substr(sent_, offer));
        const IoResult out = from.send(moved);
        if (out.status == Status::kError) return "send failed";
        sent_ += out.bytes;
        partial_ += out.status == Status::kAgain || out.bytes < moved.size() ? 1 : 0;
        if (out.bytes < moved.size()) {
          EXPECT_FALSE(from.writable());
        }
      }
      pair_.set.dispatch();
      if (to.readable()) got += recv(to, room);
      if (got.size() == bytes.size()) break;
    }
    return got;
  }

  TlsLab lab_;
  std::shared_ptr<const TlsServerContext> server_context_;
  std::shared_ptr<const TlsClientContext> client_context_;
  TlsPair pair_;
  IoResult last_;
  size_t sent_ = 0;
  int partial_ = 0;
};

TEST_F(TlsStreamTest, BothWays) {
  EXPECT_TRUE(pair_.say(pair_.client, "hello"));
  EXPECT_EQ(pair_.drain(pair_.server), "hello");
  EXPECT_TRUE(pair_.say(pair_.server, "you"));
  EXPECT_EQ(pair_.drain(pair_.client), "you");
  EXPECT_EQ(pair_.last.status, Status::kAgain);
}

TEST_F(TlsStreamTest, BigTransfersArriveWhole) {
  const std::string bytes = pattern(3'000'000);
  struct Case {
    size_t offer;
    size_t room;
  };
  for (const Case& each : {Case{1 << 20, 64 * 1024}, Case{300'000, 4096}, Case{16384, 16384},
                           Case{16385, 100'000}, Case{40'000, 1000}}) {
    for (const bool down : {true, false}) {
      sent_ = 0;
      Socket& from = down ? pair_.server : pair_.client;
      Socket& to = down ? pair_.client : pair_.server;
      EXPECT_TRUE(transfer(from, to, bytes, each.offer, each.room) == bytes)
          << each.offer << " " << each.room;
    }
  }
  EXPECT_GT(partial_, 10) << "the kernel has refused something, or this shows nothing";
}

TEST_F(TlsStreamTest, ARecordThatIsHalfOutGoesOnWhateverIsOfferedFirst) {
  const std::string bytes = pattern(1'000'000);
  size_t sent = 0;
  std::string got;
  // Fills the kernel, so that a record is stuck, and then offers crumbs.
  while (true) {
    const IoResult out = pair_.server.send(std::string_view(bytes).substr(sent));
    if (out.status == Status::kAgain) break;
    ASSERT_EQ(out.status, Status::kOk);
    sent += out.bytes;
  }
  for (int turn = 0; turn < 1'000'000 && got.size() < bytes.size(); ++turn) {
    const IoResult out = pair_.server.send(std::string_view(bytes).substr(sent, 7));
    ASSERT_NE(out.status, Status::kError);
    sent += out.bytes;
    pair_.set.dispatch();
    if (pair_.client.readable()) got += recv(pair_.client, 50'000);
    if (sent > 400'000) break;
  }
  got += pair_.drain(pair_.client);
  EXPECT_TRUE(got == bytes.substr(0, got.size()));
  EXPECT_GE(got.size(), sent) << "all that counts as sent is out";
}

TEST_F(TlsStreamTest, DecryptedBytesThatWaitKeepTheSocketReadable) {
  ASSERT_TRUE(pair_.say(pair_.client, pattern(10'000)));
  pair_.set.dispatch();
  std::string got = recv(pair_.server, 100);
  EXPECT_EQ(got.size(), 100U);
  EXPECT_TRUE(pair_.server.readable()) << "no event will announce the rest";
  while (pair_.server.readable()) got += recv(pair_.server, 100);
  EXPECT_TRUE(got == pattern(10'000));
  EXPECT_EQ(last_.status, Status::kAgain);
}

TEST_F(TlsStreamTest, RecordsThatWereReadAheadKeepTheSocketReadable) {
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(pair_.say(pair_.client, pattern(1000)));
  pair_.set.dispatch();
  std::string got;
  for (size_t room = 10; pair_.server.readable(); room += 37) got += recv(pair_.server, room);
  EXPECT_EQ(got.size(), 40'000U);
  ASSERT_TRUE(pair_.say(pair_.client, "more"));
  pair_.set.dispatch();
  EXPECT_TRUE(pair_.server.readable());
}

TEST_F(TlsStreamTest, PiecesShareARecord) {
  std::string head(300, 'h'), body(900, 'b'), none;
  const std::array<iovec, 3> pieces{iovec{head.data(), head.size()},
                                    iovec{none.data(), none.size()},
                                    iovec{body.data(), body.size()}};
  const IoResult out = pair_.server.send(std::span<const iovec>(pieces));
  EXPECT_EQ(out.bytes, 1200U);
  // 5 for the header, 1 for the kind, 16 for the tag (RFC 8446, 5.2).
  char wire[4096];
  EXPECT_EQ(::recv(pair_.client.fd(), wire, sizeof wire, MSG_PEEK), 1200 + 22);
  pair_.set.dispatch();
  EXPECT_EQ(recv(pair_.client, 4096), head + body);
}

TEST_F(TlsStreamTest, ManyPiecesLongerThanARecordArriveInOrder) {
  const std::string bytes = pattern(100'000);
  std::vector<iovec> pieces;
  size_t at = 0;
  for (size_t size = 1; at < bytes.size(); size = size * 3 % 20'011 + 1) {
    const size_t n = std::min(size, bytes.size() - at);
    pieces.push_back({const_cast<char*>(bytes.data()) + at, n});
    at += n;
  }
  const IoResult out = pair_.server.send(std::span<const iovec>(pieces));
  ASSERT_EQ(out.status, Status::kOk);
  EXPECT_TRUE(pair_.drain(pair_.client) == bytes.substr(0, out.bytes));
}

TEST_F(TlsStreamTest, AnAnnouncedEndIsNoError) {
  ASSERT_TRUE(pair_.say(pair_.server, "bye"));
  pair_.server.shutdown_write();
  EXPECT_EQ(pair_.drain(pair_.client), "bye");
  EXPECT_EQ(pair_.last.status, Status::kEof);
  EXPECT_EQ(pair_.last.error, 0);
  EXPECT_EQ(pair_.client.recv({}).status, Status::kEof) << "and stays so";
  EXPECT_TRUE(pair_.say(pair_.client, "still here")) << "the other way is open";
  EXPECT_EQ(pair_.drain(pair_.server), "still here");
  EXPECT_EQ(pair_.last.status, Status::kAgain);
}

TEST_F(TlsStreamTest, ClosingAnnouncesTheEnd) {
  ASSERT_TRUE(pair_.say(pair_.server, "bye"));
  pair_.server.close();
  EXPECT_EQ(pair_.drain(pair_.client), "bye");
  EXPECT_EQ(pair_.last.status, Status::kEof);
  EXPECT_EQ(pair_.last.error, 0);
}

TEST_F(TlsStreamTest, AFinWithoutCloseNotifyIsTold) {
  ASSERT_TRUE(pair_.say(pair_.server, "half of it"));
  ::shutdown(pair_.server.fd(), SHUT_WR);
  EXPECT_EQ(pair_.drain(pair_.client), "half of it");
  EXPECT_EQ(pair_.last.status, Status::kEof);
  EXPECT_EQ(pair_.last.error, ECONNRESET);
}

TEST_F(TlsStreamTest, AnAbortAnnouncesNothing) {
  pair_.server.abort();
  pair_.drain(pair_.client);
  EXPECT_NE(pair_.last.error, 0);
}

TEST_F(TlsStreamTest, CloseNotifyWaitsForRoom) {
  const std::string bytes = pattern(2'000'000);
  size_t sent = 0;
  while (true) {
    const IoResult out = pair_.server.send(std::string_view(bytes).substr(sent));
    if (out.status == Status::kAgain) break;
    sent += out.bytes;
  }
  pair_.server.shutdown_write();
  const std::string got = pair_.drain(pair_.client);
  EXPECT_EQ(pair_.last.status, Status::kEof);
  EXPECT_EQ(pair_.last.error, 0) << "not a FIN that cuts";
  EXPECT_TRUE(got == bytes.substr(0, got.size()));
}

TEST_F(TlsStreamTest, ABrokenRecordIsAnErrorAndNamed) {
  ASSERT_EQ(::send(pair_.client.fd(), "\x17\x03\x03\x00\x20nonsense nonsense nonsense nons", 37, 0),
            37);
  pair_.drain(pair_.server);
  EXPECT_EQ(pair_.last.status, Status::kError);
  EXPECT_EQ(pair_.server.tls()->failure(), TlsFailure::kProtocol);
  EXPECT_STREQ(pair_.server.tls()->failure_reason(), "bad record MAC");
}

TEST_F(TlsStreamTest, ANewSocketTakesOverInMidStream) {
  ASSERT_TRUE(pair_.say(pair_.client, pattern(10'000)));
  pair_.set.dispatch();
  std::string got = recv(pair_.server, 100);

  Socket next;
  RecordingHandler handler;
  pair_.server.hand_over(next, handler);
  EXPECT_FALSE(pair_.server.is_open());
  EXPECT_FALSE(pair_.server.is_tls());
  EXPECT_TRUE(next.is_tls());
  EXPECT_TRUE(next.readable());
  const int before = pair_.server_handler.calls;
  pair_.set.dispatch();
  EXPECT_EQ(handler.calls, 1) << "woken for what no event announces";
  got += pair_.drain(next);
  EXPECT_TRUE(got == pattern(10'000));

  ASSERT_TRUE(pair_.say(pair_.client, "on"));
  EXPECT_EQ(pair_.drain(next), "on");
  EXPECT_EQ(handler.calls, 2) << "events go to the new handler";
  EXPECT_EQ(pair_.server_handler.calls, before);
  ASSERT_TRUE(pair_.say(next, "back"));
  EXPECT_EQ(pair_.drain(pair_.client), "back");
  EXPECT_EQ(pair_.set.size(), 2U);
  next.close();
  EXPECT_EQ(pair_.set.size(), 1U);
}

TEST(SocketHandOverTest, APlainConnectionMovesAsWell) {
  SocketSet set;
  auto [near, far] = stream_pair();
  RecordingHandler old_handler, new_handler;
  Socket old_socket, new_socket;
  ASSERT_TRUE(old_socket.adopt(set, near.take(), old_handler));
  set.dispatch();
  const int before = old_handler.calls;
  old_socket.hand_over(new_socket, new_handler);
  far.write("x");
  set.dispatch();
  EXPECT_EQ(new_handler.calls, 1);
  EXPECT_EQ(old_handler.calls, before);
}

}  // namespace
}  // namespace weir::net
