// SPDX-License-Identifier: Apache-2.0
// What copies of requests may take together, apart from the requests: how many there may be at
// once, and the bytes of their bodies. One for the process, whatever the number of workers; the
// maxima come with each call, because a reload may move them. It survives reloads. Any thread. A
// place and bytes that were taken are given back by who took them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace weir::policy {

/// Why a request that was drawn is not copied.
enum class MirrorDrop : std::uint8_t {
  kConcurrency,  ///< mirroring.max_concurrent.
  kBytes,        ///< mirroring.max_bytes.
  kMemory,       ///< At 70 % of memory.budget copies go before anything else does.
  kTooLarge,     ///< The body is longer than the route's mirror.max_body.
  kIncomplete,   ///< The request ended before its body did, or that took mirror.timeout.
  kStopping,     ///< This weir is about to end.
  kCount
};
/// For labels: "concurrency", "bytes" and so on.
std::string_view mirror_drop_word(MirrorDrop drop);

class MirrorBudget {
 public:
  /// False, and nothing taken: `most` copies are under way.
  bool take_place(std::uint32_t most);
  void give_place() { copies_.fetch_sub(1, std::memory_order_relaxed); }
  /// False, and nothing taken: together they would be more than `most`.
  bool take_bytes(std::uint64_t bytes, std::uint64_t most);
  void give_bytes(std::uint64_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::uint32_t copies() const { return copies_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> copies_{0};
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace weir::policy
