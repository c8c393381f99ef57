// SPDX-License-Identifier: Apache-2.0
#include "proxy/mirroring.h"

#include <new>

#include "base/check.h"
#include "proxy/exchange.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

constexpr size_t kFreeCopies = 64;

policy::MirrorDrop drop_for(ErrorCode why) {
  return why == ErrorCode::kMemoryBudget ? policy::MirrorDrop::kMemory
                                         : policy::MirrorDrop::kStopping;
}

}  // namespace

Mirroring::Mirroring(Worker& worker, policy::MirrorBudget* budget)
    : worker_(worker),
      budget_(budget),
      memory_(sizeof(base::Block) + sizeof(MirrorCopy), kFreeCopies) {}

MirrorCopy* Mirroring::begin(Exchange& of, const RequestHead& head) {
  if (budget_ == nullptr) return nullptr;
  if (const auto why = why_not(head, *of.route()->config().mirror)) {
    count(*why);
    return nullptr;
  }
  WorkerListener& listener = *of.client().listener;
  base::Block* const block = memory_.take(listener.account());
  auto* const copy = new (block->data()) MirrorCopy(*this, of, head);
  under_way_.push_back(*copy);
  listener.copy_begun();
  worker_.mutable_stats().mirror_copies.add();
  return copy;
}

std::optional<policy::MirrorDrop> Mirroring::why_not(const RequestHead& head,
                                                     const MirrorConfig& config) {
  using policy::MirrorDrop;
  if (worker_.draining()) return MirrorDrop::kStopping;
  if (worker_.memory_stage() != base::MemoryStage::kCalm) return MirrorDrop::kMemory;
  const bool known = head.body.kind == BodyFraming::Kind::kLength;
  const bool none = head.body.kind == BodyFraming::Kind::kNone;
  if (known && head.body.length > config.max_body_bytes) return MirrorDrop::kTooLarge;
  if (!known && !none && config.max_body_bytes == 0) return MirrorDrop::kTooLarge;
  const MirroringConfig& limits = worker_.snapshot().config->mirroring;
  if (!budget_->take_place(limits.max_concurrent)) return MirrorDrop::kConcurrency;
  if (!known || take_bytes(head.body.length)) return std::nullopt;
  budget_->give_place();
  return MirrorDrop::kBytes;
}

bool Mirroring::take_bytes(uint64_t bytes) {
  if (!budget_->take_bytes(bytes, worker_.snapshot().config->mirroring.max_bytes)) return false;
  worker_.mutable_stats().mirror_bytes.add(static_cast<int64_t>(bytes));
  return true;
}

void Mirroring::count(policy::MirrorDrop drop) {
  worker_.mutable_stats().mirror_dropped[static_cast<size_t>(drop)].add();
}

// One that ends may make another one end.
void Mirroring::end_all(ErrorCode why) {
  while (MirrorCopy* const copy = ready_.front()) copy->end(why);
  while (MirrorCopy* const copy = under_way_.front()) copy->end(why);
}

void Mirroring::end_turn() {
  while (MirrorCopy* const copy = ready_.pop_front()) {
    under_way_.push_back(*copy);
    copy->send();
  }
  while (MirrorCopy* const copy = finished_.pop_front()) free(*copy);
}

void Mirroring::free(MirrorCopy& copy) {
  WorkerListener& listener = copy.listener_;
  budget_->give_bytes(copy.reserved_);
  budget_->give_place();
  worker_.mutable_stats().mirror_bytes.sub(static_cast<int64_t>(copy.reserved_));
  worker_.mutable_stats().mirror_copies.sub();
  worker_.recycle_exchange(*copy.exchange_);
  copy.~MirrorCopy();
  memory_.release(reinterpret_cast<base::Block*>(&copy) - 1);
  listener.copy_ended();
}

// ---- One of them.

MirrorCopy::MirrorCopy(Mirroring& by, Exchange& of, const RequestHead& head)
    : by_(by),
      of_(&of),
      listener_(*of.client().listener),
      peer_(*of.client().peer),
      max_body_(of.route()->config().mirror->max_body_bytes),
      timeout_(of.route()->config().mirror->timeout),
      exchange_(by.worker_.take_exchange(
          {this, &listener_, &peer_, nullptr, nullptr, by.worker_.loop().now()})) {
  if (head.body.kind == BodyFraming::Kind::kLength) reserved_ = head.body.length;
  const Snapshot& snapshot = by_.worker_.snapshot();
  // A request that a reload has overtaken has a place in a table that is gone.
  if (of.routed()) {
    version_ = snapshot.version;
    target_ = snapshot.targets.mirror_of_route[of.route_index()];
  }
  exchange_->become_copy(*this, of, head);
  by_.worker_.loop().arm(exchange_->copy_timer(), timeout_);
}

void MirrorCopy::take(std::string_view bytes) {
  DCHECK(state_ == State::kCollecting);
  size_ += bytes.size();
  if (size_ > max_body_) return drop(policy::MirrorDrop::kTooLarge);
  if (size_ > reserved_) {
    if (!by_.take_bytes(size_ - reserved_)) return drop(policy::MirrorDrop::kBytes);
    reserved_ = size_;
  }
  exchange_->hold_copied(bytes);
}

void MirrorCopy::complete(const HeaderList& trailers) {
  DCHECK(state_ == State::kCollecting);
  of_ = nullptr;
  state_ = State::kReady;
  exchange_->end_copied(trailers);
  unlink();
  by_.ready_.push_back(*this);
}

void MirrorCopy::drop(policy::MirrorDrop why) {
  drop_ = why;
  exchange_->on_downstream_gone(make_error(ErrorCode::kClientClosed));
}

void MirrorCopy::end(ErrorCode why) {
  if (state_ != State::kSent) return drop(drop_for(why));
  exchange_->on_downstream_gone(make_error(why));
}

void MirrorCopy::send() {
  state_ = State::kSent;
  by_.worker_.mutable_stats().mirror_requests.add();
  const Snapshot& snapshot = by_.worker_.snapshot();
  std::optional<uint32_t> target = target_;
  if (version_ != snapshot.version) {
    const std::string& name = std::get<ClusterTarget>(exchange_->route()->target()).cluster;
    const size_t found = snapshot.clusters->index_of(name);
    target = found == upstream::ClusterList::kNone ? std::nullopt
                                                   : std::optional(static_cast<uint32_t>(found));
  }
  by_.worker_.loop().arm(exchange_->copy_timer(), timeout_);
  exchange_->send_copy(target);
}

void MirrorCopy::record(bool failed, ErrorCode why) {
  if (state_ != State::kSent) return by_.count(drop_);
  if (failed) by_.worker_.mutable_stats().mirror_failures[static_cast<size_t>(why)].add();
}

void MirrorCopy::exchange_finished() {
  if (state_ == State::kCollecting) of_->forget_mirror();
  state_ = State::kFinished;
  unlink();
  by_.finished_.push_back(*this);
}

}  // namespace weir::proxy
