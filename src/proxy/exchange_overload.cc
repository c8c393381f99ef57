// SPDX-License-Identifier: Apache-2.0
// What keeps useless work away: load shedding by priority, deadlines, and the latencies that an
// adaptive limit follows. To configs without deadlines they cost the test of a null pointer.
#include <algorithm>
#include <new>

#include "base/hash.h"
#include "http/header_id.h"
#include "http/request_timeout.h"
#include "proxy/deadline.h"
#include "proxy/exchange.h"
#include "proxy/grpc_call.h"
#include "proxy/owner.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// Enough for any request, and far from the end of the clock.
constexpr Duration kLongest = std::chrono::hours(24 * 365);

bool shorten(std::optional<Duration>& limit, const std::optional<Duration>& other) {
  if (!other || (limit && *limit <= *other)) return false;
  limit = other;
  return true;
}

std::optional<Duration> asked_for(const ClientDeadlineConfig& by, const HeaderList& headers) {
  std::optional<Duration> limit;
  for (const Header& header : headers) {
    if (!by.header.empty() && http::iequals(header.name, by.header)) {
      shorten(limit, http::parse_request_timeout(header.value));
    } else if (by.prefer_wait && http::iequals(header.name, "prefer")) {
      const auto found = http::find_prefer_wait(header.value);
      if (found) shorten(limit, found->wait);
    }
  }
  return limit;
}

}  // namespace

// ---- Load shedding.

bool Exchange::shed() {
  // It has waited for its place, and a reload led it here again.
  if (owner_ != nullptr && owner_->admitted) return false;
  const bool known = owner_ != nullptr && !owner_->tenant.empty();
  const uint64_t hash = known ? base::hash64(owner_->bucket.text) : worker_.rng().next();
  const uint8_t priority = this->priority();
  if (!worker_.shedder().refuses(priority, hash)) return false;
  worker_.mutable_stats().shed_by_priority[priority].add();
  fail(make_error(ErrorCode::kOverloaded));
  return true;
}

// Only what the origin alone has to answer for: not the time that the client takes to send.
void Exchange::note_latency() {
  // The clock is read for who has such a limit only.
  if (!request_end_sent_ || !cluster().shared().adaptive().enabled()) return;
  const TimePoint now = worker_.loop().clock().now();
  cluster().note_latency(now - std::max(attempt_.connected_at(), sent_at_), now);
}

// ---- Deadlines.

// The shortest of what the route, the client and the route's bound for clients say.
void Exchange::arm_deadline() {
  // A reload led it here again: its time runs on.
  if (deadline_ != nullptr) return;
  const auto& asked = worker_.snapshot().config->client_deadline;
  std::optional<Duration> limit = route_->timeout();
  bool by_client = false;
  if (grpc_ != nullptr) {
    const Header* timeout = request_.headers.find(HeaderId::kGrpcTimeout);
    if (timeout != nullptr) by_client = shorten(limit, http::parse_grpc_timeout(timeout->value));
    by_client = !shorten(limit, route_->config().grpc.max_timeout) && by_client;
  }
  const bool sidecar = client_.listener->config().profile == Profile::kSidecar;
  const bool believed = asked && (trusted_peer_ || sidecar);
  if (believed) by_client = shorten(limit, asked_for(*asked, request_.headers)) || by_client;
  if (!limit && !asked) return;
  deadline_ = new (arena_.allocate(sizeof(Deadline))) Deadline;
  deadline_->believed = believed;
  if (asked) deadline_->header = arena_.copy(asked->header);
  deadline_->prefer_wait = asked && asked->prefer_wait;
  if (!limit) return;
  deadline_->by_client = by_client;
  deadline_->at = worker_.loop().now() + std::min(*limit, kLongest);
  worker_.loop().arm_at(deadline_timer_, deadline_->at);
}

// The timer may fire only at the end of a turn in which its place came: nothing is begun then.
bool Exchange::deadline_passed() {
  if (deadline_->at == TimePoint::max() || worker_.loop().clock().now() < deadline_->at) {
    return false;
  }
  fail(make_error(ErrorCode::kDeadlineExceeded, deadline_detail()));
  return true;
}

const char* Exchange::deadline_detail() const {
  if (owner_ != nullptr && owner_->hold.waiting()) return "in the queue of a limit";
  if (backoff_timer_.armed()) return "before it was tried again";
  if (step_ == Step::kLease) return "without a connection to the origin";
  if (step_ == Step::kBufferRequest) return "while the request came";
  return deadline_ != nullptr && deadline_->by_client ? "by the client's own time" : nullptr;
}

// Each try is told what is left. A stranger's word for it does not pass an edge.
void Exchange::tell_deadline() {
  HeaderList& headers = upstream_request_.headers;
  const bool limited = deadline_->at != TimePoint::max();
  const Duration left = limited ? deadline_->at - worker_.loop().now() : Duration::zero();
  const std::string_view name = deadline_->header;
  if (!name.empty() && (limited || !deadline_->believed)) {
    headers.remove_if([name](const Header& header) { return http::iequals(header.name, name); });
    if (limited) {
      headers.push({name, http::request_timeout_text(left, arena_), http::header_id(name)});
    }
  }
  if (!limited || !deadline_->believed || !deadline_->prefer_wait) return;
  for (Header& header : headers) {
    if (!http::iequals(header.name, "prefer")) continue;
    const auto found = http::find_prefer_wait(header.value);
    if (found) header.value = http::with_prefer_wait(header.value, *found, left, arena_);
  }
}

}  // namespace weir::proxy
