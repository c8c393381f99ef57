// SPDX-License-Identifier: Apache-2.0
// One server of a cluster, as the whole process sees it. Its identity is its cluster, its host name
// and its address: a reload or a DNS answer that keeps those keeps the object, its counts and its
// pooled connections. Weight and zone are no part of it: they belong to the EndpointSet, because a
// reload may change them. Probe and outlier state that all workers share belongs here.
//
// Held by EndpointSets and by each worker's WorkerEndpoint (shared_ptr, slow path only).
// Thread: constants after construction, and atomics.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/outcome_window.h"
#include "net/address.h"

namespace weir::upstream {

struct Endpoint {
  Endpoint(net::SocketAddress socket_address, std::string address_text, std::string host_name)
      : address(socket_address), text(std::move(address_text)), host(std::move(host_name)) {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const net::SocketAddress address;
  const std::string text;  ///< For logs: "10.0.0.1:80", "[::1]:80", "unix:/run/fn.sock".
  const std::string host;  ///< What `rewrite.host: cluster` sends: host, or host:port.

  /// Attempts under way, of all workers: what least_request compares. On a line of its own, because
  /// every request writes it and every pick reads the constants.
  alignas(64) std::atomic<std::uint32_t> active_requests{0};
  /// Open connections, idle ones included, of all workers.
  std::atomic<std::uint32_t> connections{0};
  /// How calls ended, where the cluster has a circuit breaker: so that it knows what an ejected
  /// endpoint explains.
  base::OutcomeWindow outcomes;
};

}  // namespace weir::upstream
