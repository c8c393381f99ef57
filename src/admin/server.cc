// SPDX-License-Identifier: Apache-2.0
#include "admin/server.h"

#include <unistd.h>

#include <utility>

namespace weir::admin {

Server::~Server() {
  *self_ = nullptr;
  unix_listener_.reset();
  tcp_listener_.reset();
  for (const auto& [id, connection] : std::exchange(connections_, {})) {
    connection->shut();
    connection->dispose();
  }
}

void Server::listen(int listen_fd, Door door) {
  auto& listener = door == Door::kUnixSocket ? unix_listener_ : tcp_listener_;
  listener = std::make_unique<Listener>(*this, listen_fd, door);
}

void Server::accept(int fd, Door door) {
  if (connections_.size() >= kMaxConnections) {
    ::close(fd);
    return;
  }
  auto connection = std::make_unique<Connection>(*this, next_id_, door);
  if (!connection->open(fd)) return;
  connections_.emplace(next_id_++, connection.release());
}

std::optional<Response> Server::handle(uint64_t id, const Request& request) {
  return router_.handle(request, [self = self_, id](Response response) {
    if (*self == nullptr) return;
    const auto found = (*self)->connections_.find(id);
    if (found != (*self)->connections_.end()) found->second->answer(std::move(response));
  });
}

void Server::forget(Connection& connection) {
  connections_.erase(connection.id());
  connection.shut();
  loop_.retire(connection);
}

}  // namespace weir::admin
