// SPDX-License-Identifier: Apache-2.0
// One server of a cluster, as the whole process sees it. Its identity is its cluster, its host name
// and its address: a reload or a DNS answer that keeps those keeps the object, its counts and its
// pooled connections. Weight and zone are no part of it: they belong to the EndpointSet, because a
// reload may change them. What is known of its health is here, and so survives a reload as well.
//
// Held by EndpointSets and by each worker's WorkerEndpoint (shared_ptr, slow path only).
// Thread: constants after construction, and atomics; `health` is the control thread's.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/outcome_window.h"
#include "net/address.h"
#include "upstream/endpoint_tally.h"
#include "upstream/health.h"

namespace weir::upstream {

struct Endpoint {
  Endpoint(net::SocketAddress socket_address, std::string address_text, std::string host_name)
      : address(socket_address), text(std::move(address_text)), host(std::move(host_name)) {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const net::SocketAddress address;
  const std::string text;  ///< For logs: "10.0.0.1:80", "[::1]:80", "unix:/run/fn.sock".
  const std::string host;  ///< What `rewrite.host: cluster` sends: host, or host:port.

  /// Control thread only.
  EndpointHealth health;

  /// Attempts under way, of all workers: what least_request compares. On a line of its own, because
  /// every request writes it and every pick reads the constants.
  alignas(64) std::atomic<std::uint32_t> active_requests{0};
  /// Open connections, idle ones included, of all workers.
  std::atomic<std::uint32_t> connections{0};

  /// On a line of its own too: only watched clusters write it.
  alignas(64) EndpointTally tally;
  /// How calls ended, where the cluster has a circuit breaker: so that it knows what an ejected
  /// endpoint explains.
  base::OutcomeWindow outcomes;
};

}  // namespace weir::upstream
