// SPDX-License-Identifier: Apache-2.0
// The demo origin: a correct, event-driven HTTP/1.1 server that answers with its name and the
// request it saw, and misbehaves on demand (origin_request.h). For trying weir out and for tests,
// not for serving anything. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "app/options.h"
#include "app/origin_connection.h"
#include "base/account.h"
#include "base/block.h"
#include "net/acceptor.h"
#include "net/loop.h"

namespace weir::app {

class Origin final : public net::AcceptHandler {
 public:
  /// `loop` outlives it, and so does `listen_fd`.
  Origin(net::Loop& loop, std::string name, int listen_fd);
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;
  ~Origin();

  // For its connections.
  net::Loop& loop() { return loop_; }
  const std::string& name() const { return name_; }
  base::BlockPool& blocks() { return blocks_; }
  base::Account& account() { return account_; }
  void forget(OriginConnection& connection);

 private:
  // net::AcceptHandler
  void on_accept(int fd, const net::Peer& peer) override;
  void on_descriptors_exhausted() override {}

  net::Loop& loop_;
  const std::string name_;
  base::Account account_;
  base::BlockPool blocks_{4096, 16};
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, OriginConnection*> connections_;  ///< Owned; freed by the loop.
  net::Acceptor acceptor_;
};

/// The command: serves until SIGTERM or SIGINT.
int run_origin(const Options& options);

}  // namespace weir::app
