// SPDX-License-Identifier: Apache-2.0
// One listener on one worker: its acceptor, its settings of the moment, its connections. Lives as
// long as it is in the current snapshot or a connection of it is open. One thread.
#pragma once

#include <weir/config.h>

#include <memory>
#include <optional>
#include <string>

#include "base/account.h"
#include "http/head.h"
#include "net/acceptor.h"
#include "net/tls_server_context.h"
#include "proxy/client_connection.h"
#include "proxy/listener.h"

namespace weir::proxy {

class Worker;

class WorkerListener final : public net::AcceptHandler {
 public:
  WorkerListener(Worker& worker, const ListenerUse& use);
  WorkerListener(const WorkerListener&) = delete;
  WorkerListener& operator=(const WorkerListener&) = delete;
  /// Requires: no connection is open.
  ~WorkerListener();

  /// A reload kept this listener: new settings for what comes.
  void update(const ListenerUse& use);
  void stop_accepting();
  void drain_connections();
  void kill_connections();
  bool accepting() const { return acceptor_.has_value(); }
  bool empty() { return connections_.empty(); }

  Worker& worker() { return worker_; }
  const ListenerConfig& config() const { return config_; }
  const SharedListener& shared() const { return *shared_; }
  const http::HeadLimits& head_limits() const { return head_limits_; }
  /// Null: plain.
  const net::TlsServerContext* tls() const { return tls_.get(); }
  /// Of this listener on this worker: the parent is the worker's.
  base::Account& account() { return account_; }
  ListenerStats& stats() { return *shared_->stats[worker_index_]; }
  std::string_view port_text() const { return port_text_; }

  // For its connections.
  void connection_opened(ClientConnection& connection);
  /// The same connection, now in the hands of another object; `gone` is not closed but forgotten.
  void connection_replaced(ClientConnection& gone, ClientConnection& now);
  void connection_closed(ClientConnection& connection);

  /// A connection ends before or beside its requests: counted and logged with the reason.
  void report(const net::Peer& peer, ErrorCode code, const char* detail);

  // net::AcceptHandler
  void on_accept(int fd, const net::Peer& peer) override;
  void on_descriptors_exhausted() override;

 private:
  Worker& worker_;
  const uint32_t worker_index_;
  std::shared_ptr<SharedListener> shared_;
  ListenerConfig config_;
  std::shared_ptr<const net::TlsServerContext> tls_;
  http::HeadLimits head_limits_;
  base::Account account_;
  std::string port_text_;
  std::optional<net::Acceptor> acceptor_;
  base::IntrusiveList<ClientConnection> connections_;
};

}  // namespace weir::proxy
