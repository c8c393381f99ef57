// SPDX-License-Identifier: Apache-2.0
#include "net/socket_set.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <deque>
#include <vector>

#include "net/address.h"
#include "net/pipe_pool.h"
#include "sockets.h"

namespace weir::net {
namespace {

using Status = IoResult::Status;

class SocketSetTest : public testing::Test {
 protected:
  void SetUp() override {
    auto [near, far] = stream_pair();
    far_ = std::move(far);
    ASSERT_TRUE(socket_.adopt(set_, near.take(), handler_));
    set_.dispatch();
    handler_.calls = 0;
  }
  void TearDown() override {
    socket_.close();
    EXPECT_EQ(set_.size(), 0U);
  }
  std::string recv(size_t room_size = 100) {
    std::vector<char> room(room_size);
    const IoResult result = socket_.recv(room);
    last_ = result.status;
    return {room.data(), result.bytes};
  }
  IoResult send(std::string_view text) {
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    return socket_.send({&piece, 1});
  }

  SocketSet set_;
  RecordingHandler handler_;
  Socket socket_;
  Fd far_;
  Status last_ = Status::kOk;
};

TEST_F(SocketSetTest, ANewSocketIsWritableAndNotReadable) {
  EXPECT_TRUE(socket_.is_open());
  EXPECT_TRUE(socket_.writable());
  EXPECT_FALSE(socket_.readable());
  EXPECT_FALSE(socket_.failed());
}

TEST_F(SocketSetTest, ArrivingBytesCallTheHandlerOnceAndAreRemembered) {
  far_.write("hello");
  set_.dispatch();
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 1) << "edge-triggered: a pause is simply not reading";
  EXPECT_TRUE(socket_.readable());
  EXPECT_EQ(recv(), "hello");
  EXPECT_FALSE(socket_.readable()) << "a short read has emptied the queue";
}

TEST_F(SocketSetTest, ASocketThatClosesBetweenCollectingAndHandlingIsLeftOut) {
  far_.write("hello");
  set_.collect();
  EXPECT_EQ(handler_.calls, 0);
  socket_.close();
  set_.handle();
  EXPECT_EQ(handler_.calls, 0);
}

TEST_F(SocketSetTest, AFullReadMayHaveLeftSome) {
  far_.write("hello");
  set_.dispatch();
  EXPECT_EQ(recv(3), "hel");
  EXPECT_TRUE(socket_.readable());
  EXPECT_EQ(recv(2), "lo");
  EXPECT_EQ(recv(), "");
  EXPECT_EQ(last_, Status::kAgain);
  EXPECT_FALSE(socket_.readable());
}

TEST_F(SocketSetTest, BytesAfterAShortReadAreANewEvent) {
  far_.write("one");
  set_.dispatch();
  recv();
  far_.write("two");
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 2);
  EXPECT_EQ(recv(), "two");
}

TEST_F(SocketSetTest, TheLastBytesAndTheEndArriveInOrder) {
  far_.write("bye");
  far_.close();
  set_.dispatch();
  EXPECT_TRUE(socket_.peer_finished());
  EXPECT_EQ(recv(), "bye");
  EXPECT_TRUE(socket_.readable()) << "no further event would announce the end";
  recv();
  EXPECT_EQ(last_, Status::kEof);
}

TEST_F(SocketSetTest, AHalfClosedPeerCanStillBeWrittenTo) {
  ::shutdown(far_.get(), SHUT_WR);
  set_.dispatch();
  EXPECT_TRUE(socket_.peer_finished());
  EXPECT_FALSE(socket_.failed());
  EXPECT_EQ(send("still here").status, Status::kOk);
  EXPECT_EQ(far_.read(), "still here");
}

TEST_F(SocketSetTest, APeerThatHasGoneIsSeenWhilePaused) {
  far_.close();
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 1);
  EXPECT_TRUE(socket_.failed());
}

TEST_F(SocketSetTest, WritingToAPeerThatHasGoneIsAnErrorAndNoSignal) {
  far_.close();
  const IoResult result = send("x");
  EXPECT_EQ(result.status, Status::kError);
  EXPECT_EQ(result.error, EPIPE);
}

TEST_F(SocketSetTest, WhenTheKernelIsFullTheSocketIsNotWritableUntilThePeerReads) {
  const std::string block(1 << 20, 'x');
  while (socket_.writable()) ASSERT_NE(send(block).status, Status::kError);
  set_.dispatch();
  handler_.calls = 0;
  while (!far_.read().empty()) {
  }
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 1);
  EXPECT_TRUE(socket_.writable());
}

TEST_F(SocketSetTest, APartialWriteSaysHowMuch) {
  const std::string block(8 << 20, 'x');
  const IoResult result = send(block);
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_GT(result.bytes, 0U);
  EXPECT_LT(result.bytes, block.size());
}

TEST_F(SocketSetTest, AClosedSocketGetsNoEventHoweverManyAreQueued) {
  far_.write("x");
  socket_.close();
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 0);
  EXPECT_FALSE(socket_.is_open());
}

// Two sockets have events in one batch; whichever comes first closes both and puts a third into the
// freed place. The stale event of that batch must not reach it.
TEST_F(SocketSetTest, AStaleEventDoesNotReachTheNextUserOfItsPlace) {
  auto [near, far] = stream_pair();
  auto [third_near, third_far] = stream_pair();
  RecordingHandler other_handler;
  RecordingHandler third_handler;
  Socket other;
  Socket third;
  ASSERT_TRUE(other.adopt(set_, near.take(), other_handler));
  set_.dispatch();
  handler_.calls = other_handler.calls = 0;
  const auto swap = [&] {
    socket_.close();
    other.close();
    if (!third.is_open()) {
      ASSERT_TRUE(third.adopt(set_, third_near.take(), third_handler));
    }
  };
  handler_.then = swap;
  other_handler.then = swap;
  far_.write("x");
  far.write("x");
  set_.dispatch();
  EXPECT_EQ(handler_.calls + other_handler.calls, 1);
  EXPECT_EQ(third_handler.calls, 0);
  set_.dispatch();
  EXPECT_EQ(third_handler.calls, 1) << "its own first event: writable";
}

TEST_F(SocketSetTest, AnotherHandlerTakesOver) {
  RecordingHandler next;
  socket_.set_handler(next);
  far_.write("x");
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 0);
  EXPECT_EQ(next.calls, 1);
}

TEST_F(SocketSetTest, WakeCallsTheHandlerOnceWithoutAnyEvent) {
  socket_.wake();
  socket_.wake();
  EXPECT_TRUE(set_.has_woken());
  EXPECT_EQ(handler_.calls, 0) << "never inside the call";
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 1);
  EXPECT_FALSE(set_.has_woken());
}

TEST_F(SocketSetTest, ASocketThatWakesItselfWaitsForTheNextTurn) {
  handler_.then = [this] { socket_.wake(); };
  socket_.wake();
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 1);
  EXPECT_TRUE(set_.has_woken());
}

TEST_F(SocketSetTest, AClosedSocketIsNotWoken) {
  socket_.wake();
  socket_.close();
  set_.dispatch();
  EXPECT_EQ(handler_.calls, 0);
}

TEST_F(SocketSetTest, MoreSocketsThanOneBatchAllGetTheirEvents) {
  std::deque<Socket> sockets(600);
  std::deque<RecordingHandler> handlers(600);
  std::vector<Fd> far_ends;
  for (size_t i = 0; i < sockets.size(); ++i) {
    auto [near, far] = stream_pair();
    ASSERT_TRUE(sockets[i].adopt(set_, near.take(), handlers[i]));
    far_ends.push_back(std::move(far));
  }
  for (int i = 0; i < 4; ++i) set_.dispatch();
  for (const RecordingHandler& handler : handlers) EXPECT_EQ(handler.calls, 1);
}

TEST_F(SocketSetTest, ADescriptorThatCannotBePolledIsRefusedAndClosed) {
  const int file = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  Socket socket;
  EXPECT_FALSE(socket.adopt(set_, file, handler_));
  EXPECT_EQ(::fcntl(file, F_GETFD), -1);
  EXPECT_FALSE(socket.is_open());
}

TEST_F(SocketSetTest, AnEndSentByUsIsSeenByThePeerAndReadingGoesOn) {
  socket_.shutdown_write();
  char byte;
  EXPECT_EQ(::recv(far_.get(), &byte, 1, 0), 0);
  far_.write("later");
  set_.dispatch();
  EXPECT_EQ(recv(), "later");
}

TEST_F(SocketSetTest, SplicesFromOneSocketIntoAnother) {
  auto [near, far] = stream_pair();
  RecordingHandler handler;
  Socket out;
  ASSERT_TRUE(out.adopt(set_, near.take(), handler));
  PipePool pipes(1, 1);
  const Pipe pipe = pipes.take();
  far_.write("body");
  EXPECT_EQ(socket_.splice_to_pipe(pipe.write_end, 1'000).bytes, 4U);
  EXPECT_EQ(socket_.splice_to_pipe(pipe.write_end, 1'000).status, Status::kAgain);
  EXPECT_EQ(out.splice_from_pipe(pipe.read_end, 4, false).bytes, 4U);
  EXPECT_EQ(far.read(), "body");
  far_.close();
  EXPECT_EQ(socket_.splice_to_pipe(pipe.write_end, 1'000).status, Status::kEof);
  pipes.give_back(pipe, true);
}

// ---- TCP.

uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

SocketAddress loopback(uint16_t port) {
  return SocketAddress::from_ip({false, {127, 0, 0, 1}}, port);
}

TEST(TcpTest, ConnectsWithoutBlockingAndReportsWhenItIsThere) {
  const Fd listener(open_listener(loopback(0), true, 16));
  ASSERT_GE(listener.get(), 0);
  SocketSet set;
  RecordingHandler handler;
  Socket socket;
  const int fd = start_connect(loopback(port_of(listener.get())), 2'000);
  ASSERT_GE(fd, 0);
  ASSERT_TRUE(socket.adopt(set, fd, handler));
  for (int i = 0; i < 1'000 && !socket.writable(); ++i) set.dispatch();
  EXPECT_TRUE(socket.writable());
  EXPECT_EQ(socket.take_error(), 0);
  socket.close();
}

TEST(TcpTest, ARefusedConnectIsAnErrorOfTheSocket) {
  uint16_t port = 0;
  {
    const Fd listener(open_listener(loopback(0), false, 1));
    port = port_of(listener.get());
  }
  const int fd = start_connect(loopback(port), 0);
  if (fd < 0) {
    EXPECT_EQ(fd, -ECONNREFUSED);
    return;
  }
  SocketSet set;
  RecordingHandler handler;
  Socket socket;
  ASSERT_TRUE(socket.adopt(set, fd, handler));
  for (int i = 0; i < 1'000 && !socket.failed(); ++i) set.dispatch();
  EXPECT_TRUE(socket.failed());
  EXPECT_EQ(socket.take_error(), ECONNREFUSED);
  socket.close();
}

TEST(TcpTest, AnAbortedConnectionIsResetAtThePeer) {
  const Fd listener(open_listener(loopback(0), false, 16));
  SocketSet set;
  RecordingHandler handler;
  Socket socket;
  ASSERT_TRUE(socket.adopt(set, start_connect(loopback(port_of(listener.get())), 0), handler));
  for (int i = 0; i < 1'000 && !socket.writable(); ++i) set.dispatch();
  const Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  ASSERT_GE(peer.get(), 0);
  socket.abort();
  char byte;
  EXPECT_EQ(::recv(peer.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(TcpTest, TwoListenersShareAPortIfBothAsk) {
  const Fd one(open_listener(loopback(0), true, 16));
  const Fd other(open_listener(loopback(port_of(one.get())), true, 16));
  EXPECT_GE(other.get(), 0);
  EXPECT_EQ(open_listener(loopback(port_of(one.get())), false, 16), -EADDRINUSE);
}

class UnixListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/weir-net-XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    directory_ = directory;
    address_ = SocketAddress(Address{Address::Kind::kUnix, {}, 0, path(), "unix:" + path()});
  }
  void TearDown() override {
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  std::string path() const { return directory_ + "/s"; }

  std::string directory_;
  SocketAddress address_;
};

TEST_F(UnixListenerTest, AFileLeftOverFromACrashIsReplaced) {
  { const Fd crashed(open_listener(address_, false, 16)); }
  const Fd next(open_listener(address_, false, 16));
  EXPECT_GE(next.get(), 0);
}

TEST_F(UnixListenerTest, ASocketThatSomebodyListensOnIsNot) {
  const Fd living(open_listener(address_, false, 16));
  EXPECT_EQ(open_listener(address_, false, 16), -EADDRINUSE);
  const Fd client(start_connect(address_, 0));
  EXPECT_GE(client.get(), 0);
}

TEST_F(UnixListenerTest, AFileThatIsNoSocketIsNotRemoved) {
  const Fd file(::open(path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_LT(open_listener(address_, false, 16), 0);
  EXPECT_EQ(::access(path().c_str(), F_OK), 0);
}

}  // namespace
}  // namespace weir::net
