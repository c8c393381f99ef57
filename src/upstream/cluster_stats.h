// SPDX-License-Identifier: Apache-2.0
// What one worker counts for one cluster. The worker writes, the control thread reads and sums at
// scrape. Shared by both, so that neither a reload nor a scrape under way can pull it from under
// the other.
#pragma once

#include <array>
#include <cstdint>

#include "base/counters.h"
#include "upstream/hedge_refusal.h"

namespace weir::upstream {

struct ClusterStats {
  // Counted by WorkerCluster and its pool.
  base::Counter requests;  ///< Admitted; an exchange counts once, however many tries.
  base::Counter refused;   ///< Requests refused by a limit, a state or for want of an endpoint.
  base::Counter waited;    ///< Requests that had to wait for a connection place.
  base::Counter retries_over_budget;  ///< Retries that the budget refused.
  base::Gauge waiting;                ///< Requests that wait now.
  base::Gauge idle;                   ///< Idle connections now.

  // Counted by the proxy.
  base::Counter attempts;     ///< Tries at an endpoint.
  base::Counter retries;      ///< Attempts after the first.
  base::Counter hedges;       ///< Second attempts because the first was slow.
  base::Counter own_zone;     ///< First attempts that zones decided: kept in weir's own,
  base::Counter other_zones;  ///< and sent to another one.
  base::Counter hedges_won;   ///< Of those, whose answer was given.
  std::array<base::Counter, kHedgeRefusals> hedges_refused;
  base::Counter reused;                    ///< Attempts on a pooled connection.
  std::array<base::Counter, 5> responses;  ///< Final and interim heads by class: 1xx is [0].
  base::Counter connects;                  ///< Connections established.
  base::Counter connect_failures;
  base::Counter resets;    ///< Connections that ended while a response was awaited or under way.
  base::Counter timeouts;  ///< Responses that did not come, or stopped, in time.
  base::Counter bytes_sent;
  base::Counter bytes_received;
  base::LatencyHistogram connect_time;
  base::LatencyHistogram response_time;  ///< From the first request byte to the response head.

  void count_response(std::uint16_t status) {
    if (status >= 100 && status < 600) responses[status / 100U - 1U].add();
  }
};

}  // namespace weir::upstream
