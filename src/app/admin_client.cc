// SPDX-License-Identifier: Apache-2.0
#include "app/admin_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "base/arena.h"
#include "config/values.h"
#include "http/head.h"
#include "net/address.h"

namespace weir::app {
namespace {

// A reload of a large configuration takes seconds; more than this is no answer.
constexpr timeval kPatience{120, 0};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

std::string connect_error(const Address& address, int error) {
  std::string what = "cannot reach weir at " + address.text + ": " + ::strerror(error);
  switch (error) {
    case ENOENT:
      return what + "; is it running, and is this its admin.address? (--admin, WEIR_ADMIN)";
    case ECONNREFUSED:
      return what + "; nothing listens there: weir is not running, or its admin.address is another";
    case EACCES:
      return what + "; the socket is for weir's own user and root: run this as one of them";
    default:
      return what;
  }
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool receive_all(int fd, std::string& out) {
  std::array<char, 16 * 1024> room;
  while (true) {
    const ssize_t n = ::recv(fd, room.data(), room.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) return true;
    out.append(room.data(), static_cast<size_t>(n));
  }
}

std::expected<AdminAnswer, std::string> parse(const std::string& bytes, const Address& address) {
  if (bytes.empty()) return std::unexpected("weir at " + address.text + " ended without an answer");
  const std::string garbled = address.text + " does not answer like weir's admin pages";
  const http::HeadLimits limits;
  const auto end = http::find_head_end(bytes, 0, limits, http::MessageKind::kResponse);
  if (!end || *end == 0) return std::unexpected(garbled);
  base::Account account;
  base::BlockPool blocks(4096, 1);
  base::Arena arena(blocks, account);
  ResponseHead head;
  const auto parsed = http::parse_response_head(std::string_view(bytes).substr(0, *end), limits,
                                                arena, Method::kGet, head);
  if (!parsed) return std::unexpected(garbled);
  AdminAnswer answer{head.status, bytes.substr(*end)};
  const bool whole =
      head.body.kind != BodyFraming::Kind::kLength || head.body.length == answer.body.size();
  if (!whole) return std::unexpected("weir at " + address.text + " ended before its answer did");
  return answer;
}

}  // namespace

std::expected<AdminAnswer, std::string> ask_admin(const std::string& address,
                                                  const std::string& method,
                                                  const std::string& target) {
  const auto parsed = config::parse_address(address);
  if (!parsed) {
    return std::unexpected("--admin " + address + " is " + parsed.error().message +
                           "; write unix:/path or ip:port");
  }
  const net::SocketAddress to(*parsed);
  const Descriptor fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return std::unexpected(connect_error(*parsed, errno));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (::connect(fd.get(), to.raw(), to.length()) != 0) {
    return std::unexpected(connect_error(*parsed, errno));
  }
  const std::string request = method + " " + target +
                              " HTTP/1.1\r\nHost: weir\r\nContent-Length: 0\r\n"
                              "Connection: close\r\n\r\n";
  std::string bytes;
  if (!send_all(fd.get(), request) || !receive_all(fd.get(), bytes)) {
    return std::unexpected("weir at " + parsed->text + " does not answer: " + ::strerror(errno));
  }
  return parse(bytes, *parsed);
}

}  // namespace weir::app
