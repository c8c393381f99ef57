// SPDX-License-Identifier: Apache-2.0
// Closing connections that idle, because what they hold is wanted: descriptors or memory.
#include <algorithm>
#include <vector>

#include "proxy/descriptor_guard.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// Connections looked at in one go. A worker with more of them finds the oldest among these; each
// go looks at the next ones, so that none is spared for long.
constexpr uint32_t kLook = 512;
// Where nothing was found, nothing is looked for again so soon.
constexpr Duration kPause = std::chrono::milliseconds(10);
// Closed for each descriptor above the mark, so that the mark is left behind quickly.
constexpr uint32_t kAtATime = 8;

}  // namespace

DescriptorMarks DescriptorMarks::from_limit(uint64_t limit) {
  const auto all = static_cast<int>(std::min<uint64_t>(limit, 1 << 30));
  const int kept = std::clamp(all / 16, 8, 64);
  const int margin = std::clamp(all / 16, 8, 256);
  return {all - kept - 2 * margin, all - kept - margin, all - kept};
}

void DescriptorGuard::shed_elsewhere(const Worker& asker, uint32_t most,
                                     const SharedListener* only) {
  for (Worker* worker : workers_) {
    if (worker != &asker) worker->ask_to_shed_idle(most, only);
  }
}

void WorkerListener::find_idle(uint32_t look, TimePoint until, std::vector<Idle>& out) {
  ClientConnection* const end = connections_.back();
  for (; look > 0; --look) {
    ClientConnection* const connection = connections_.pop_front();
    if (connection == nullptr) return;
    connections_.push_back(*connection);
    const TimePoint since = connection->idle_since();
    if (since <= until) out.push_back({since, connection});
    if (connection == end) return;
  }
}

uint32_t Worker::shed_upstream(uint32_t most, TimePoint until) {
  uint32_t closed = 0;
  while (closed < most && clusters_.close_idle_before(until)) ++closed;
  stats_.idle_shed_upstream.add(closed);
  return closed;
}

uint32_t Worker::shed_idle(uint32_t most, const SharedListener* only, Duration idle_for) {
  const TimePoint now = loop_.now();
  // Who looks for old ones only, and finds none, has said nothing of the others.
  const bool any_age = idle_for <= kYoung;
  if (any_age && now < shed_again_at_) return 0;
  if (only == nullptr) pipes_.trim();
  std::vector<WorkerListener::Idle> idle;
  const uint32_t look =
      only != nullptr ? kLook : static_cast<uint32_t>(kLook / (1 + listeners_.size()));
  for (const auto& listener : listeners_) {
    const bool meant = only == nullptr || only == &listener->shared();
    if (meant) listener->find_idle(look, now - idle_for, idle);
  }
  std::ranges::sort(idle, {}, &WorkerListener::Idle::since);
  uint32_t closed = 0;
  for (const auto& [since, connection] : idle) {
    if (only == nullptr) closed += shed_upstream(most - closed, since);
    if (closed == most) break;
    connection->shed();
    stats_.idle_shed_downstream.add();
    ++closed;
  }
  // Descriptors are wanted now, whoever has them; memory of those who have left off.
  const TimePoint until = any_age ? TimePoint::max() : now - idle_for;
  if (only == nullptr) closed += shed_upstream(most - closed, until);
  if (closed == 0 && any_age) shed_again_at_ = now + kPause;
  return closed;
}

void Worker::ask_to_shed_idle(uint32_t most, const SharedListener* only) {
  if (asked_to_shed_.exchange(true, std::memory_order_relaxed)) return;
  loop_.post([this, most, only] {
    asked_to_shed_.store(false, std::memory_order_relaxed);
    shed_idle(most, only);
  });
}

void Worker::descriptors_scarce() {
  if (shed_idle(kAtATime) < kAtATime && options_.descriptors != nullptr) {
    options_.descriptors->shed_elsewhere(*this, kAtATime);
  }
}

void Worker::listener_full(const SharedListener& listener) {
  if (shed_idle(kAtATime, &listener) == 0 && options_.descriptors != nullptr) {
    options_.descriptors->shed_elsewhere(*this, kAtATime, &listener);
  }
}

}  // namespace weir::proxy
