// SPDX-License-Identifier: Apache-2.0
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "net/address.h"
#include "net/socket_set.h"
#include "net/tls_session.h"

namespace weir::net {

using Status = IoResult::Status;

Socket::Socket() = default;

Socket::~Socket() { close(); }

bool Socket::adopt(SocketSet& set, int fd, SocketHandler& handler) {
  DCHECK(fd_ < 0);
  handler_ = &handler;
  flags_ = 0;
  if (!set.add(*this, fd)) {
    ::close(fd);
    return false;
  }
  set_ = &set;
  fd_ = fd;
  return true;
}

void Socket::hand_over(Socket& to, SocketHandler& handler) {
  DCHECK(is_open() && !to.is_open());
  unlink();
  set_->move(*this, to);
  to.handler_ = &handler;
  to.set_ = set_;
  to.fd_ = std::exchange(fd_, -1);
  to.flags_ = std::exchange(flags_, uint8_t{0});
  to.tls_ = std::move(tls_);
  if (to.readable()) to.wake();
}

void Socket::start_tls(std::unique_ptr<TlsSession> session, std::string_view received) {
  DCHECK(is_open() && tls_ == nullptr);
  tls_ = std::move(session);
  tls_->keep_ahead(received);
  if (!received.empty()) mark_readable();
}

Handshake Socket::handshake() {
  const Handshake result = tls_->handshake(*this);
  if (tls_->has_pending()) mark_readable();
  return result;
}

IoResult Socket::recv(std::span<char> room) {
  if (tls_ == nullptr) return plain_recv(room);
  const IoResult result = tls_->recv(*this, room);
  if (tls_->has_pending()) mark_readable();
  return result;
}

IoResult Socket::send(std::string_view bytes, bool more_follows) {
  if (tls_ == nullptr) return plain_send(bytes, more_follows);
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return tls_->send(*this, {&piece, 1}, more_follows);
}

// libc's recv and send are cancellation points: in a process with threads each call pays for two
// switches of the cancellation state, 1 % of a small request. Nobody here cancels threads.
IoResult Socket::plain_recv(std::span<char> room) {
  const long n = ::syscall(SYS_recvfrom, fd_, room.data(), room.size(), 0, nullptr, nullptr);
  if (n > 0) {
    // Edge-triggered: a short read has emptied the queue, and new bytes are a new edge (epoll(7)).
    // After the peer's FIN there is no new edge, so read on until the end is seen.
    if (static_cast<size_t>(n) < room.size() && !peer_finished()) clear_readable();
    return {Status::kOk, 0, static_cast<size_t>(n)};
  }
  if (n == 0) return {Status::kEof, 0, 0};
  if (errno == EAGAIN || errno == EINTR) {
    if (errno == EAGAIN) clear_readable();
    return {Status::kAgain, 0, 0};
  }
  return {Status::kError, errno, 0};
}

IoResult Socket::plain_send(std::string_view bytes, bool more_follows) {
  const int flags = MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0);
  return sent(::syscall(SYS_sendto, fd_, bytes.data(), bytes.size(), flags, nullptr, 0),
              bytes.size());
}

IoResult Socket::send(std::span<const iovec> pieces, bool more_follows) {
  if (tls_ != nullptr) return tls_->send(*this, pieces, more_follows);
  size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  const int flags = MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0);
  return sent(::syscall(SYS_sendmsg, fd_, &message, flags), total);
}

IoResult Socket::sent(long result, size_t wanted) {
  if (result >= 0) {
    const auto n = static_cast<size_t>(result);
    if (n < wanted) flags_ &= static_cast<uint8_t>(~kWritable);
    return {Status::kOk, 0, n};
  }
  if (errno == EAGAIN || errno == EINTR) {
    if (errno == EAGAIN) flags_ &= static_cast<uint8_t>(~kWritable);
    return {Status::kAgain, 0, 0};
  }
  return {Status::kError, errno, 0};
}

IoResult Socket::splice_to_pipe(int pipe_write_end, size_t most) {
  // A body in the clear on a connection that promised otherwise is worse than no answer.
  CHECK(!is_tls());
  const ssize_t n =
      ::splice(fd_, nullptr, pipe_write_end, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) return {Status::kOk, 0, static_cast<size_t>(n)};
  if (n == 0) return {Status::kEof, 0, 0};
  // EAGAIN also means that the pipe is full: only the caller knows whether it was empty.
  if (errno == EAGAIN || errno == EINTR) return {Status::kAgain, 0, 0};
  return {Status::kError, errno, 0};
}

IoResult Socket::splice_from_pipe(int pipe_read_end, size_t most, bool more_follows) {
  // A body in the clear on a connection that promised otherwise is worse than no answer.
  CHECK(!is_tls());
  const ssize_t n =
      ::splice(pipe_read_end, nullptr, fd_, nullptr, most,
               SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more_follows ? SPLICE_F_MORE : 0));
  // A short splice does not mean a full socket, and without that there is no edge to wait for.
  if (n > 0) return {Status::kOk, 0, static_cast<size_t>(n)};
  if (n < 0 && errno != EAGAIN && errno != EINTR) return {Status::kError, errno, 0};
  flags_ &= static_cast<uint8_t>(~kWritable);
  return {Status::kAgain, 0, 0};
}

size_t Socket::unacknowledged() const {
  int bytes = 0;
  return ::ioctl(fd_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

void Socket::shutdown_write() {
  if (tls_ != nullptr && !tls_->send_close_notify(*this)) {
    flags_ |= kShutdownDue;
    return;
  }
  flags_ &= static_cast<uint8_t>(~kShutdownDue);
  ::shutdown(fd_, SHUT_WR);
}

void Socket::close() {
  if (fd_ < 0) return;
  if (tls_ != nullptr) {
    if (!failed()) tls_->send_close_notify(*this);
    tls_.reset();
  }
  unlink();
  set_->remove(*this);
  ::close(fd_);
  fd_ = -1;
  flags_ = 0;
}

void Socket::abort() {
  if (fd_ < 0) return;
  tls_.reset();
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void Socket::wake() {
  if (fd_ >= 0 && !linked()) set_->woken_.push_back(*this);
}

int Socket::take_error() {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

int start_connect(const SocketAddress& address, uint32_t tcp_user_timeout_ms) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (address.family() != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tcp_user_timeout_ms > 0) {
      ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &tcp_user_timeout_ms,
                   sizeof tcp_user_timeout_ms);
    }
  }
  if (::connect(fd, address.raw(), address.length()) == 0 || errno == EINPROGRESS) return fd;
  const int error = errno;
  ::close(fd);
  return -error;
}

int renumber(int fd) {
  const int lowest = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (lowest < 0) return fd;
  ::close(std::max(fd, lowest));
  return std::min(fd, lowest);
}

void close_with_reset(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

namespace {

// A socket file that nobody listens on any more is left over from a crash: only then is it removed.
int bind_listener(int fd, const SocketAddress& address) {
  if (::bind(fd, address.raw(), address.length()) == 0) return 0;
  const int error = errno;
  const auto* sun = reinterpret_cast<const sockaddr_un*>(address.raw());
  if (error != EADDRINUSE || address.family() != AF_UNIX || sun->sun_path[0] == '\0') {
    return error;
  }
  struct stat info {};
  if (::stat(sun->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) return error;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return error;
  const bool dead = ::connect(probe, address.raw(), address.length()) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (!dead || ::unlink(sun->sun_path) != 0) return error;
  return ::bind(fd, address.raw(), address.length()) == 0 ? 0 : errno;
}

}  // namespace

int open_listener(const SocketAddress& address, bool reuse_port, int backlog) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const int on = 1;
  if (address.family() != AF_UNIX) {
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    // Accepted sockets inherit it: one system call less for each connection.
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Linux would answer an IPv4 client on [::] too; an operator who lists both wants two.
    if (address.family() == AF_INET6) {
      ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
  }
  int error = bind_listener(fd, address);
  if (error == 0 && ::listen(fd, backlog) != 0) error = errno;
  if (error == 0) return fd;
  ::close(fd);
  return -error;
}

}  // namespace weir::net
