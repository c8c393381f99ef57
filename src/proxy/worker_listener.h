// SPDX-License-Identifier: Apache-2.0
// One listener on one worker: its acceptor, its settings of the moment, its connections. Lives as
// long as it is in the current snapshot or a connection of it is open. One thread.
#pragma once

#include <weir/config.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  void kill_stuck_connections();
  bool accepting() const { return acceptor_.has_value(); }
  bool empty() { return connections_.empty() && copies_ == 0; }

  struct Idle {
    TimePoint since;
    ClientConnection* connection;
  };
  /// Looks at `look` of its connections, other ones each time, and adds those to `out` that idle
  /// since `until` or longer.
  void find_idle(uint32_t look, TimePoint until, std::vector<Idle>& out);

  Worker& worker() { return worker_; }
  const ListenerConfig& config() const { return config_; }
  const SharedListener& shared() const { return *shared_; }
  const http::HeadLimits& head_limits() const { return head_limits_; }
  /// Null: plain.
  const net::TlsServerContext* tls() const { return tls_.get(); }
  /// Of this listener on this worker: the parent is the worker's.
  base::Account& account() { return account_; }
  ListenerStats& stats() { return *shared_->stats[worker_index_]; }
  /// For how long a connection may idle; a short while when memory is short.
  Millis keepalive_timeout() const;
  base::MemoryStage memory_stage() const;
  std::string_view port_text() const { return port_text_; }

  // For its connections.
  /// False: the address holds max_connections_per_ip already; counted and logged. Unix peers are
  /// exempt.
  bool take_place(ClientConnection& connection, const net::Peer& client);
  /// Whether its PROXY header is believed: trusted_proxies and unix peers.
  bool trusts(const net::Peer& peer) const;
  void connection_opened(ClientConnection& connection);
  /// The same connection, now in the hands of another object; `gone` is not closed but forgotten.
  void connection_replaced(ClientConnection& gone, ClientConnection& now);
  void connection_closed(ClientConnection& connection);
  /// A copy of a request that came here is charged to it.
  void copy_begun() { ++copies_; }
  void copy_ended();

  /// A connection ends before or beside its requests: counted and logged with the reason.
  void report(const net::Peer& peer, ErrorCode code, const char* detail);

  // net::AcceptHandler
  Duration accept_wait() override;
  void on_accept(int fd, const net::Peer& peer) override;
  void on_descriptors_exhausted() override;

 private:
  std::optional<policy::AddressPlace> place_for(const net::Peer& client);
  void refused(Refusal why, const net::Peer& peer);

  Worker& worker_;
  const uint32_t worker_index_;
  std::shared_ptr<SharedListener> shared_;
  ListenerConfig config_;
  std::shared_ptr<const net::TlsServerContext> tls_;
  http::HeadLimits head_limits_;
  base::Account account_;
  std::string port_text_;
  TimePoint refusal_logged_{};
  std::optional<net::Acceptor> acceptor_;
  base::IntrusiveList<ClientConnection> connections_;
  uint32_t copies_ = 0;  ///< Under way.
};

}  // namespace weir::proxy
