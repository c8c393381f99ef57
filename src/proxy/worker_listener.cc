// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker_listener.h"

#include <unistd.h>

#include "base/check.h"
#include "proxy/access_record.h"
#include "proxy/downstream_accept.h"
#include "proxy/downstream_connection.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace weir::proxy {

WorkerListener::WorkerListener(Worker& worker, const ListenerUse& use)
    : worker_(worker),
      worker_index_(worker.index()),
      shared_(use.shared),
      account_(&worker.process_account()) {
  if (shared_->address.kind == Address::Kind::kIp) {
    port_text_ = std::to_string(shared_->address.port);
  }
  update(use);
  acceptor_.emplace(worker.loop(), shared_->fds[worker_index_], *this);
}

WorkerListener::~WorkerListener() { CHECK(connections_.empty()); }

void WorkerListener::update(const ListenerUse& use) {
  config_ = use.config;
  tls_ = use.tls;
  head_limits_ = {config_.limits.max_header_bytes, config_.limits.max_headers,
                  config_.limits.max_uri_bytes};
}

void WorkerListener::stop_accepting() { acceptor_.reset(); }

void WorkerListener::drain_connections() {
  connections_.for_each([](ClientConnection& connection) { connection.drain(); });
}

void WorkerListener::kill_connections() {
  connections_.for_each([](ClientConnection& connection) { connection.kill(); });
}

void WorkerListener::connection_opened(ClientConnection& connection) {
  connections_.push_back(connection);
  stats().connections_active.add();
  worker_.mutable_stats().downstream_connections_live.add();
}

void WorkerListener::connection_replaced(ClientConnection& gone, ClientConnection& now) {
  gone.unlink();
  connections_.push_back(now);
}

void WorkerListener::connection_closed(ClientConnection& connection) {
  connection.unlink();
  shared_->connections.fetch_sub(1, std::memory_order_relaxed);
  stats().connections_active.sub();
  worker_.mutable_stats().downstream_connections_live.sub();
  worker_.connection_closed();
}

void WorkerListener::report(const net::Peer& peer, ErrorCode code, const char* detail) {
  worker_.mutable_stats().failures[static_cast<size_t>(code)].add();
  if (worker_.snapshot().access_log == nullptr) return;
  char ip[net::Peer::kMaxText];
  AccessRecord record;
  record.started = worker_.loop().wall();
  record.client = peer.ip_text(ip);
  record.client_port = peer.port;
  record.listener = config_.name;
  record.reason = error_info(code).reason;
  if (detail != nullptr) record.detail = detail;
  worker_.log(record);
}

void WorkerListener::on_accept(int fd, const net::Peer& peer) {
  const uint32_t open = shared_->connections.fetch_add(1, std::memory_order_relaxed);
  if (open >= shared_->max_connections.load(std::memory_order_relaxed)) {
    shared_->connections.fetch_sub(1, std::memory_order_relaxed);
    stats().connections_refused.add();
    worker_.mutable_stats().failures[static_cast<size_t>(ErrorCode::kConnectionLimit)].add();
    ::close(fd);
    return;
  }
  stats().connections_accepted.add();
  if (config_.tls || config_.proxy_protocol != AcceptProxy::kOff) {
    DownstreamAccept::open(*this, fd, peer);
  } else {
    DownstreamConnection::open(*this, fd, peer);
  }
}

void WorkerListener::on_descriptors_exhausted() { stats().connections_refused.add(); }

}  // namespace weir::proxy
