// SPDX-License-Identifier: Apache-2.0
// What an exchange may hold: its admission, the reservation for its body, its tenant's share, and
// what goes first when memory is short. While there is enough, a request without a body and without
// an owner pays one look at the stage.
#include <algorithm>

#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using base::MemoryStage;

// Bodies up to here are taken from anybody as long as the budget has room.
constexpr uint64_t kSmallBody = 64 * 1024;
// Below that, a request goes first: the default priority is among them.
constexpr uint32_t kHighPriority = 2;
constexpr uint32_t kHighestTwo = 1;

}  // namespace

bool Exchange::admit_memory() {
  if (owner_ != nullptr && !owner_->charged) join_share();
  if (!account_.share_fits(0)) return refuse_memory(MemoryRefusal::kShare);
  const MemoryStage stage = worker_.memory_stage();
  if (stage != MemoryStage::kCalm) {
    const bool little = stage >= MemoryStage::kRefuseRequests && holds_little();
    if (little) worker_.memory_shares()->ask_for_room(worker_.loop().now());
    if (!worker_.memory().fits(0)) return refuse_memory(MemoryRefusal::kBudget);
    if (stage >= MemoryStage::kRefuseRequests && priority() > kHighestTwo && !little) {
      return refuse_memory(MemoryRefusal::kPriority);
    }
  }
  return request_.body.kind == BodyFraming::Kind::kNone || reserve_body();
}

// What this request's body may make weir hold, before the client is asked for it.
bool Exchange::reserve_body() {
  if (request_ended_ || account_.reserved() != 0) return true;
  const int64_t window = body_window();
  const bool large =
      request_.body.kind != BodyFraming::Kind::kLength || request_.body.length > kSmallBody;
  if (large && worker_.memory_stage() >= MemoryStage::kRefuseBodies && priority() > kHighPriority &&
      request_.protocol.empty()) {
    return refuse_memory(MemoryRefusal::kBody);
  }
  const int64_t wanted = account_.held() + window;
  const int64_t more = wanted - account_.charged();
  if (!account_.share_fits(more)) return refuse_memory(MemoryRefusal::kShare);
  if (!worker_.memory().fits(more)) return refuse_memory(MemoryRefusal::kBudget);
  account_.reserve(wanted);
  // Another worker may have taken the same room meanwhile.
  const bool share = account_.share_fits(0);
  if (share && worker_.memory().fits(0)) return true;
  account_.reserve(0);
  return refuse_memory(share ? MemoryRefusal::kBudget : MemoryRefusal::kShare);
}

int64_t Exchange::body_window() const {
  if (request_.body.kind == BodyFraming::Kind::kTunnel) return 0;
  const bool known = request_.body.kind == BodyFraming::Kind::kLength;
  if (known && route_->buffer_request()) return static_cast<int64_t>(request_.body.length);
  // An HTTP/2 client may send a window without asking again; of HTTP/1 weir reads when it likes.
  uint64_t window = 0;
  if (request_.version == Version::kHttp2) {
    window = client_.listener->config().http2.initial_stream_window;
  } else if (known) {
    window = Worker::kReadBuffer;
  }
  return static_cast<int64_t>(known ? std::min(window, request_.body.length) : window);
}

// Bytes of a body that is longer than what was reserved, or of unknown length.
bool Exchange::may_hold_body(size_t bytes) {
  if (worker_.memory_stage() == MemoryStage::kCalm && account_.share_fits(0)) return true;
  const int64_t more = account_.growth(bytes);
  if (more == 0) return true;
  if (!account_.share_fits(more)) return refuse_memory(MemoryRefusal::kShare);
  if (!worker_.memory().fits(more)) return refuse_memory(MemoryRefusal::kBudget);
  return true;
}

// ---- The tenant's share, and the function's sum.

void Exchange::join_share() {
  owner_->charged = true;
  if (owner_->policies->function_traffic != nullptr) {
    owner_->function_place = &worker_.held_by_function().enter(owner_->counted_function);
    account_.count_in(&owner_->function_place->bytes);
  }
  policy::MemoryShares* const shares = worker_.memory_shares();
  base::MemoryBudget* const budget = worker_.memory().budget();
  if (shares == nullptr || budget == nullptr || owner_->policies->config.tenant.empty()) return;
  const bool known = owner_->bucket.text != policy::Tenants::kUnknown;
  const Share share = known ? owner_->memory_share : owner_->policies->unidentified_share;
  owner_->place = &shares->enter(owner_->bucket.key);
  account_.join(owner_->place->bytes, budget->limit() / Share::kWhole * share.ppm);
}

void Exchange::leave_share() {
  if (owner_->function_place != nullptr) {
    account_.count_in(nullptr);
    worker_.held_by_function().leave(*owner_->function_place);
    owner_->function_place = nullptr;
  }
  if (owner_->place == nullptr) return;
  account_.leave();
  worker_.memory_shares()->leave(*owner_->place);
  owner_->place = nullptr;
}

// Those who have taken the memory are held back before those who have not: while the last twentieth
// of the budget lasts, a tenant of few bytes is served as ever.
bool Exchange::holds_little() const {
  return owner_ != nullptr && owner_->place != nullptr &&
         account_.share_held() <= worker_.memory_shares()->even_share();
}

// ---- Refusals, and what goes under way.

bool Exchange::refuse_memory(MemoryRefusal why) {
  worker_.mutable_stats().memory_refusals[static_cast<size_t>(why)].add();
  switch (why) {
    case MemoryRefusal::kShare:
      fail(make_error(ErrorCode::kMemoryShare, "the tenant's share of memory.budget is taken"));
      break;
    case MemoryRefusal::kBody:
      fail(make_error(ErrorCode::kMemoryBudget,
                      "at 90 % of memory.budget no more bodies over 64 KiB"));
      break;
    case MemoryRefusal::kPriority:
      fail(make_error(ErrorCode::kMemoryBudget,
                      "at 95 % of memory.budget no more requests of this priority"));
      break;
    case MemoryRefusal::kBudget:
    case MemoryRefusal::kReset:
    case MemoryRefusal::kCount:
      fail(make_error(ErrorCode::kMemoryBudget, "memory.budget is taken"));
      break;
  }
  return false;
}

void Exchange::drop_extras() {
  if (replayable_ && !route_->buffer_request()) drop_replay();
}

void Exchange::reset_for_memory() {
  if (finished()) return;
  worker_.mutable_stats().memory_refusals[static_cast<size_t>(MemoryRefusal::kReset)].add();
  client_.stream->abort();
  on_downstream_gone(make_error(ErrorCode::kMemoryBudget, "reset to make room"));
}

}  // namespace weir::proxy
