// SPDX-License-Identifier: Apache-2.0
#include "upstream/failover_member.h"

namespace weir::upstream {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

std::string_view hop_reason_word(HopReason reason) {
  static constexpr std::array<std::string_view, kHopReasons> kWords{
      "no_endpoint", "full", "connect", "reset", "timeout", "answer"};
  return kWords[static_cast<std::size_t>(reason)];
}

void FailoverMember::publish(const Standing& standing) {
  limit_.store(standing.limit, kRelaxed);
  weight_.store(standing.weight, kRelaxed);
  share_.store(standing.share, kRelaxed);
  phase_.store(standing.phase, kRelaxed);
}

void FailoverMember::forget(TimePoint now) {
  if (!suspected()) return;
  const Duration at(failed_at_.load(kRelaxed));
  if (now.time_since_epoch() - at < kForgotten) return;
  failures_.store(0, kRelaxed);
  broken_.store(0, kRelaxed);
}

bool FailoverMember::try_enter(std::uint32_t limit) {
  std::uint32_t now = in_use_.load(kRelaxed);
  while (now < limit) {
    if (!in_use_.compare_exchange_weak(now, now + 1, kRelaxed, kRelaxed)) continue;
    placed_.fetch_add(1, kRelaxed);
    return true;
  }
  return false;
}

void FailoverMember::succeeded() {
  if (failures_.load(kRelaxed) != 0) failures_.store(0, kRelaxed);
}

void FailoverMember::completed(TimePoint now, std::uint64_t key) {
  if (broken_.load(kRelaxed) != 0) broken_.store(0, kRelaxed);
  const std::int64_t at = now.time_since_epoch().count();
  const bool news =
      served_key_.load(kRelaxed) != key || at - served_at_.load(kRelaxed) > kVouches.count() / 4;
  if (key == 0 || !news) return;
  served_key_.store(key, kRelaxed);
  served_at_.store(at, kRelaxed);
}

bool FailoverMember::vouched_against(TimePoint now, std::uint64_t key) const {
  const std::uint64_t served = served_key_.load(kRelaxed);
  const Duration at(served_at_.load(kRelaxed));
  return key != 0 && served != 0 && served != key && now.time_since_epoch() - at < kVouches;
}

void FailoverMember::count(std::atomic<std::uint32_t>& in_a_row, TimePoint now, std::uint64_t key) {
  if (vouched_against(now, key)) return;
  const std::int64_t at = now.time_since_epoch().count();
  failed_at_.store(at, kRelaxed);
  if (suspected()) return;
  // The trial is set before anybody can see the suspicion.
  if (in_a_row.load(kRelaxed) + 1 == kSuspicion) {
    trial_at_.store(at + kTrialEvery.count(), kRelaxed);
  }
  in_a_row.fetch_add(1, std::memory_order_release);
}

bool FailoverMember::take_trial(TimePoint now) {
  const std::int64_t at = now.time_since_epoch().count();
  std::int64_t due = trial_at_.load(kRelaxed);
  return at >= due &&
         trial_at_.compare_exchange_strong(due, at + kTrialEvery.count(), kRelaxed, kRelaxed);
}

}  // namespace weir::upstream
