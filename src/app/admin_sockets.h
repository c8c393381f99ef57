// SPDX-License-Identifier: Apache-2.0
// The two doors of the admin pages as files and ports: the unix socket with mode 0600, which is
// removed again at the end unless somebody else has put another one there, and the TCP listener
// for probes and metrics. Owns the descriptors. Thread: the main one, before others start.
#pragma once

#include <sys/types.h>
#include <weir/config.h>

#include <expected>
#include <optional>
#include <string>

namespace weir::app {

class AdminSockets {
 public:
  AdminSockets() = default;
  AdminSockets(const AdminSockets&) = delete;
  AdminSockets& operator=(const AdminSockets&) = delete;
  ~AdminSockets();

  /// The error is a sentence.
  std::expected<void, std::string> open(const AdminConfig& config);

  int unix_fd() const { return unix_fd_; }        ///< -1: off.
  int metrics_fd() const { return metrics_fd_; }  ///< -1: off.
  /// As bound; nullopt: off.
  const std::optional<Address>& unix_address() const { return unix_address_; }
  const std::optional<Address>& metrics_address() const { return metrics_address_; }

 private:
  std::expected<void, std::string> open_unix(const Address& address);

  int unix_fd_ = -1;
  int metrics_fd_ = -1;
  std::optional<Address> unix_address_;
  std::optional<Address> metrics_address_;
  dev_t device_ = 0;  ///< Of the socket file that is ours.
  ino_t inode_ = 0;
};

}  // namespace weir::app
