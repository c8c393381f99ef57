// SPDX-License-Identifier: Apache-2.0
// Accepts admin connections on the unix socket and the TCP metrics listener. Opening the sockets is
// app/'s business, as are their names in the file system. At most kMaxConnections at a time: the
// newest are closed at once, so that a flood cannot take the descriptors of the data path.
// Thread: the control loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "admin/connection.h"
#include "admin/router.h"
#include "base/account.h"
#include "base/block.h"
#include "net/acceptor.h"
#include "net/loop.h"

namespace weir::admin {

class Server {
 public:
  static constexpr size_t kMaxConnections = 64;

  /// Both outlive it.
  Server(net::Loop& loop, Process& process) : loop_(loop), router_(process) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// `listen_fd` stays the caller's and outlives the server.
  void listen(int listen_fd, Door door);

  // For its connections.
  net::Loop& loop() { return loop_; }
  base::BlockPool& blocks() { return blocks_; }
  base::Account& account() { return account_; }
  /// The answer goes to connection `id`, if it is still there by then.
  std::optional<Response> handle(uint64_t id, const Request& request);
  void forget(Connection& connection);

 private:
  class Listener final : public net::AcceptHandler {
   public:
    Listener(Server& server, int fd, Door door)
        : server_(server), door_(door), acceptor_(server.loop_, fd, *this) {}

   private:
    void on_accept(int fd, const net::Peer&) override { server_.accept(fd, door_); }
    void on_descriptors_exhausted() override {}

    Server& server_;
    const Door door_;
    net::Acceptor acceptor_;
  };

  void accept(int fd, Door door);

  net::Loop& loop_;
  Router router_;
  base::Account account_;
  base::BlockPool blocks_{4096, 4};
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, Connection*> connections_;  ///< Owned; freed by the loop.
  std::unique_ptr<Listener> unix_listener_;
  std::unique_ptr<Listener> tcp_listener_;
  /// Answers that come after the server has gone find nobody.
  std::shared_ptr<Server*> self_ = std::make_shared<Server*>(this);
};

}  // namespace weir::admin
