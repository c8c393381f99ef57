// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker_listener.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "net/socket.h"
#include "proxy/access_record.h"
#include "proxy/downstream_accept.h"
#include "proxy/downstream_connection.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

// What a connection takes beside what is counted piece by piece: the object, its places in lists
// and sets; and BoringSSL's state of a session after the handshake.
constexpr uint32_t kConnection = 1024;
constexpr uint32_t kTlsConnection = 16 * 1024;
constexpr Millis kShortKeepalive{2'000};

}  // namespace

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

WorkerListener::~WorkerListener() { CHECK(empty()); }

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

void WorkerListener::kill_stuck_connections() {
  connections_.for_each([](ClientConnection& connection) { connection.kill_if_stuck(); });
}

void WorkerListener::connection_opened(ClientConnection& connection) {
  connections_.push_back(connection);
  connection.footprint = config_.tls ? kConnection + kTlsConnection : kConnection;
  account_.charge(connection.footprint);
  stats().connections_active.add();
  worker_.mutable_stats().downstream_connections_live.add();
}

void WorkerListener::connection_replaced(ClientConnection& gone, ClientConnection& now) {
  gone.unlink();
  now.address_place = std::move(gone.address_place);
  now.footprint = gone.footprint;
  connections_.push_back(now);
}

void WorkerListener::connection_closed(ClientConnection& connection) {
  connection.unlink();
  connection.address_place.release();
  account_.refund(connection.footprint);
  shared_->connections.fetch_sub(1, std::memory_order_relaxed);
  stats().connections_active.sub();
  worker_.mutable_stats().downstream_connections_live.sub();
  worker_.connection_closed();
}

void WorkerListener::copy_ended() {
  --copies_;
  worker_.connection_closed();
}

Millis WorkerListener::keepalive_timeout() const {
  const Millis wanted = config_.http1.keepalive_timeout;
  const bool shrinks = worker_.memory_stage() >= base::MemoryStage::kShrink;
  return shrinks ? std::min(wanted, kShortKeepalive) : wanted;
}

base::MemoryStage WorkerListener::memory_stage() const { return worker_.memory_stage(); }

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

bool WorkerListener::trusts(const net::Peer& peer) const {
  if (peer.is_unix) return true;
  return std::ranges::any_of(worker_.snapshot().config->trusted_proxies,
                             [&peer](const Cidr& cidr) { return cidr.contains(peer.ip); });
}

// nullopt: it holds as many as it may.
std::optional<policy::AddressPlace> WorkerListener::place_for(const net::Peer& client) {
  const ListenerLimits& limits = config_.limits;
  if (limits.max_connections_per_ip == 0 || client.is_unix) return policy::AddressPlace();
  policy::AddressPlace place =
      shared_->addresses.take(client.ip, limits.ipv6_prefix, limits.max_connections_per_ip);
  if (place) return place;
  refused(Refusal::kMaxConnectionsPerIp, client);
  return std::nullopt;
}

bool WorkerListener::take_place(ClientConnection& connection, const net::Peer& client) {
  auto place = place_for(client);
  if (place) connection.address_place = std::move(*place);
  return place.has_value();
}

Duration WorkerListener::accept_wait() {
  return shared_->pace.wait(worker_.loop().now(), config_.limits.accept_rate);
}

void WorkerListener::on_accept(int fd, const net::Peer& peer) {
  shared_->pace.took(worker_.loop().now(), config_.limits.accept_rate);
  const DescriptorMarks& marks = worker_.descriptor_marks();
  if (fd >= marks.shed) worker_.descriptors_scarce();
  // What was closed for it left lower numbers.
  if (fd >= marks.clients) fd = net::renumber(fd);
  if (fd >= marks.clients) {
    net::close_with_reset(fd);
    return refused(Refusal::kDescriptors, peer);
  }
  const uint32_t max = shared_->max_connections.load(std::memory_order_relaxed);
  const uint32_t open = shared_->connections.fetch_add(1, std::memory_order_relaxed) + 1;
  // Those that idle make room before it is needed, for they may be on another worker.
  if (open > max - max / 16) worker_.listener_full(*shared_);
  if (open > max && shared_->connections.load(std::memory_order_relaxed) > max) {
    shared_->connections.fetch_sub(1, std::memory_order_relaxed);
    net::close_with_reset(fd);
    return refused(Refusal::kMaxConnections, peer);
  }
  // A proxy in front brings the connections of many clients: those are told apart by its PROXY
  // header, or not at all.
  std::optional<policy::AddressPlace> place =
      config_.limits.max_connections_per_ip == 0 || trusts(peer) ? policy::AddressPlace()
                                                                 : place_for(peer);
  if (!place) {
    shared_->connections.fetch_sub(1, std::memory_order_relaxed);
    net::close_with_reset(fd);
    return;
  }
  stats().connections_accepted.add();
  if (config_.tls || config_.proxy_protocol != AcceptProxy::kOff) {
    DownstreamAccept::open(*this, fd, peer, std::move(*place));
  } else {
    DownstreamConnection::open(*this, fd, peer, std::move(*place));
  }
}

// One of many is logged: who floods the listener must not flood the log.
void WorkerListener::refused(Refusal why, const net::Peer& peer) {
  constexpr Duration kBetweenLines = std::chrono::milliseconds(100);
  constexpr ErrorCode kCodes[] = {ErrorCode::kConnectionLimit, ErrorCode::kAddressConnectionLimit,
                                  ErrorCode::kNoDescriptors};
  const ErrorCode code = kCodes[static_cast<size_t>(why)];
  stats().connections_refused[static_cast<size_t>(why)].add();
  const TimePoint now = worker_.loop().now();
  if (now - refusal_logged_ < kBetweenLines) {
    worker_.mutable_stats().failures[static_cast<size_t>(code)].add();
    return;
  }
  refusal_logged_ = now;
  report(peer, code, "connections closed as soon as they were taken; one line in 100 ms");
}

void WorkerListener::on_descriptors_exhausted() {
  worker_.descriptors_scarce();
  refused(Refusal::kDescriptors, {});
}

std::string_view refusal_word(Refusal refusal) {
  switch (refusal) {
    case Refusal::kMaxConnections:
      return "max_connections";
    case Refusal::kMaxConnectionsPerIp:
      return "max_connections_per_ip";
    case Refusal::kDescriptors:
      return "descriptors";
    case Refusal::kCount:
      break;
  }
  return {};
}

}  // namespace weir::proxy
