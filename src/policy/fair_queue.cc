// SPDX-License-Identifier: Apache-2.0
#include "policy/fair_queue.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {
namespace {

Duration spacing(Duration interval, std::uint32_t count) {
  return Duration(static_cast<std::int64_t>(static_cast<double>(interval.count()) /
                                            std::sqrt(static_cast<double>(count))));
}

}  // namespace

QueueDelay QueueDelay::from(Duration max_wait) {
  constexpr Duration kTarget = std::chrono::milliseconds(5);
  constexpr Duration kInterval = std::chrono::milliseconds(20);
  return {std::max(max_wait / 20, kTarget), std::max(max_wait / 5, kInterval)};
}

bool Codel::drops(Duration delay, bool last, TimePoint now, const QueueDelay& settings) {
  if (delay < settings.target || last) {
    standing_from_.reset();
    dropping_ = false;
    return false;
  }
  if (!standing_from_) standing_from_ = now + settings.interval;
  if (now < *standing_from_) return false;
  if (!dropping_) {
    dropping_ = true;
    // Soon after the last time it begins near the rate that worked then.
    const bool again = count_ > 2 && now - next_ < 16 * settings.interval;
    count_ = again ? count_ - 2 : 1;
    next_ = now + spacing(settings.interval, count_);
    return true;
  }
  if (now < next_) return false;
  next_ += spacing(settings.interval, ++count_);
  return true;
}

FairQueue::Flow& FairQueue::flow_of(const QueuedRequest& request) {
  Flow& flow = flows_[request.tenant];
  if (!flow.linked()) {
    flow.tenant = request.tenant;
    turns_.push_back(flow);
  }
  flow.weight = std::max(request.weight, 1U);
  return flow;
}

std::optional<QueuedRequest> FairQueue::push(const QueuedRequest& request,
                                             std::size_t max_requests) {
  Flow& flow = flow_of(request);
  Entry& entry = entries_[request.id];
  entry.request = request;
  entry.flow = &flow;
  flow.entries.push_back(entry);
  ++flow.size;
  if (entries_.size() <= max_requests) return std::nullopt;
  return take(*fattest(flow).entries.back());
}

// One look at each tenant that waits, and only while the queue is full.
FairQueue::Flow& FairQueue::fattest(Flow& newcomer) {
  Flow* most = &newcomer;
  turns_.for_each([&most](Flow& flow) {
    if (flow.size * most->weight > most->size * flow.weight) most = &flow;
  });
  return *most;
}

std::optional<QueuedRequest> FairQueue::pop(TimePoint now, std::vector<QueuedRequest>& dropped) {
  while (Flow* const flow = turns_.front()) {
    if (flow->credit == 0) flow->credit = flow->weight;
    Entry& head = *flow->entries.front();
    const Duration delay = now - head.request.since;
    if (now >= head.request.deadline || flow->codel.drops(delay, flow->size == 1, now, delay_)) {
      dropped.push_back(take(head));
      continue;
    }
    // Its turn ends with its credit; a flow that empties leaves the round and its credit with it.
    if (--flow->credit == 0) {
      flow->unlink();
      turns_.push_back(*flow);
    }
    return take(head);
  }
  return std::nullopt;
}

std::optional<QueuedRequest> FairQueue::remove(const WaiterId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return take(found->second);
}

QueuedRequest FairQueue::take(Entry& entry) {
  const QueuedRequest request = entry.request;
  Flow& flow = *entry.flow;
  --flow.size;
  entries_.erase(request.id);
  if (flow.size == 0) flows_.erase(request.tenant);
  return request;
}

}  // namespace weir::policy
