// SPDX-License-Identifier: Apache-2.0
#include "app/admin_sockets.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/listeners.h"
#include "net/address.h"
#include "net/socket.h"

namespace weir::app {
namespace {

constexpr int kBacklog = 64;

}  // namespace

AdminSockets::~AdminSockets() {
  if (metrics_fd_ >= 0) ::close(metrics_fd_);
  if (unix_fd_ < 0) return;
  ::close(unix_fd_);
  struct stat info {};
  const char* const path = unix_address_->path.c_str();
  const bool ours = ::stat(path, &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
  if (ours) ::unlink(path);
}

std::expected<void, std::string> AdminSockets::open(const AdminConfig& config) {
  if (config.address) {
    if (auto done = open_unix(*config.address); !done) return done;
  }
  if (!config.metrics) return {};
  const int fd = net::open_listener(net::SocketAddress(*config.metrics), false, kBacklog);
  if (fd < 0) {
    return std::unexpected(listen_error("admin.metrics", *config.metrics, -fd) +
                           "; or set admin.metrics to another port or `off`");
  }
  metrics_fd_ = fd;
  metrics_address_ = bound_address(fd, *config.metrics);
  return {};
}

std::expected<void, std::string> AdminSockets::open_unix(const Address& address) {
  // The mode at birth: a chmod afterwards would leave a moment in which anybody may connect.
  const mode_t before = ::umask(0177);
  const int fd = net::open_listener(net::SocketAddress(address), false, kBacklog);
  ::umask(before);
  if (fd < 0) {
    return std::unexpected(listen_error("admin.address", address, -fd) +
                           "; or set admin.address to another path or `off`");
  }
  unix_fd_ = fd;
  unix_address_ = address;
  struct stat info {};
  if (::stat(address.path.c_str(), &info) == 0) {
    device_ = info.st_dev;
    inode_ = info.st_ino;
  }
  return {};
}

}  // namespace weir::app
