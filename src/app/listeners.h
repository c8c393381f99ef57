// SPDX-License-Identifier: Apache-2.0
// The process's listening sockets: opened before a config is published, kept by a reload that keeps
// name and address, handed on (duplicated) where only the name changes, closed when no worker
// accepts on them any more. A socket that other connections are queued on is so never closed while
// its address is still wanted. Not accepting: that is the workers'. Thread: the control loop's.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/listener.h"

namespace weir::app {

class Listeners {
 public:
  Listeners(uint32_t workers, uint64_t descriptor_limit)
      : workers_(workers), descriptor_limit_(descriptor_limit) {}
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;
  /// Closes everything. Requires: no worker runs.
  ~Listeners();

  /// One listener as the config names it, and as it is open.
  struct Entry {
    Address configured;
    std::shared_ptr<proxy::SharedListener> shared;
    bool announced = false;
  };
  using Set = std::vector<Entry>;

  /// Sockets for all of `config`'s listeners, in its order: those in force where name and address
  /// are the same, new ones else. The error is a sentence; then nothing has changed.
  std::expected<Set, std::string> prepare(const Config& config);
  /// `set` is in force. What it does not hold is to be closed by close_retired().
  void commit(Set set, const Config& config);
  /// Every worker has let go of what is not in force.
  void close_retired();
  /// Every worker accepts on what is in force: says so on standard error, once for each.
  void announce();
  const Set& current() const { return current_; }

  /// What `auto` means for a listener of `config`.
  uint32_t automatic_limit(const Config& config) const;

 private:
  std::expected<Entry, std::string> open(const ListenerConfig& config);
  std::expected<void, std::string> open_sockets(const ListenerConfig& config,
                                                proxy::SharedListener& shared);
  const Entry* same_address(const Address& address) const;
  bool owns_port(const Address& address) const;
  void close(const Entry& entry, const Set& kept);

  const uint32_t workers_;
  const uint64_t descriptor_limit_;
  Set current_;
  Set retired_;
};

/// "listening name=edge address=127.0.0.1:8080" on standard error, for scripts to read.
void print_listening(std::string_view name, const Address& address);
/// The address that `fd` is bound to: `wanted`, with the kernel's choice for port 0.
Address bound_address(int fd, const Address& wanted);
/// Why `what` cannot listen on `address`, and what to do about it.
std::string listen_error(const std::string& what, const Address& address, int error);

}  // namespace weir::app
