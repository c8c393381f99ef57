// SPDX-License-Identifier: Apache-2.0
// What attempts have found out about an endpoint, summed over all workers: running counts, from
// which the control thread takes windows, and failures in a row. Written only where the cluster is
// watched (HealthPort). Counts wrap. Any thread; relaxed, since each stands for itself.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::upstream {

struct EndpointTally {
  std::atomic<std::uint32_t> begun{0};
  std::atomic<std::uint32_t> settled{0};   ///< Of those: with a head, failed, or given up.
  std::atomic<std::uint32_t> heads{0};     ///< Response heads, of whatever status.
  std::atomic<std::uint32_t> answered{0};  ///< As AnswerWindow.
  std::atomic<std::uint32_t> failed{0};
  std::atomic<std::uint64_t> latency_us{0};

  // In a row.
  std::atomic<std::uint32_t> failures{0};          ///< Until an answer that is no server error.
  std::atomic<std::uint32_t> connect_failures{0};  ///< Until a response head.
  std::atomic<std::uint32_t> broken{0};            ///< Until a response that is whole.

  /// A letter about it is on its way to the control thread, which takes the mark off.
  std::atomic<bool> reported{false};
};

}  // namespace weir::upstream
