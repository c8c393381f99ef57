// SPDX-License-Identifier: Apache-2.0
#include "proxy/attempt.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "proxy/exchange.h"
#include "proxy/h2_upstream.h"
#include "proxy/upstream_connection.h"
#include "proxy/worker.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {
namespace {

// A request that cannot be repeated does not go on a connection that has lain idle for this long
// without a look at it first: the origin may be closing it this moment.
constexpr Duration kProbeAfter = std::chrono::seconds(1);

}  // namespace

Attempt::Attempt(Exchange& exchange)
    : exchange_(exchange), timer_(net::timer_callback<&Attempt::on_timer>(this)) {}

Attempt::~Attempt() { end(); }

Result<bool> Attempt::begin(uint64_t hash) {
  upstream::WorkerCluster& cluster = exchange_.cluster();
  begun_at_ = exchange_.worker().loop().now();
  const auto per_try = exchange_.route()->retry().per_try_timeout;
  try_deadline_ = per_try ? begun_at_ + *per_try : TimePoint::max();
  hash_ = hash;
  told_.reset();
  if (auto chosen = choose(); !chosen) return std::unexpected(chosen.error());
  cluster.stats().attempts.add();
  return lease();
}

Result<void> Attempt::choose() {
  auto hold = exchange_.cluster().pick(hash_, {tried_.data(), tried_count_}, exchange_.reach());
  if (!hold) return std::unexpected(hold.error());
  report(upstream::AttemptOutcome::kNeutral);
  endpoint_ = std::move(*hold);
  // What began unwatched is not missed when it ends.
  reported_ = !exchange_.cluster().watched();
  answered_ = server_error_ = false;
  if (tried_count_ < tried_.size()) tried_[tried_count_++] = &endpoint_->shared();
  endpoint_text_ = exchange_.arena().copy(endpoint_->text());
  endpoint_host_ = endpoint_->host();
  return {};
}

void Attempt::report(upstream::AttemptOutcome outcome) {
  using upstream::AttemptOutcome;
  const bool first = !std::exchange(reported_, true);
  if (!endpoint_ || (!first && outcome == AttemptOutcome::kNeutral)) return;
  if (outcome == AttemptOutcome::kAnswered || outcome == AttemptOutcome::kServerError) {
    answered_ = true;
    server_error_ = outcome == AttemptOutcome::kServerError;
    const TimePoint now = exchange_.worker().loop().now();
    head_us_ = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now - connected_at_).count());
  } else if (answered_ && server_error_) {
    return;
  }
  endpoint_->cluster().report(*endpoint_, outcome, first, answered_ ? head_us_ : 0);
}

bool Attempt::has_untried() const { return tried_count_ < exchange_.cluster().eligible(); }

Result<bool> Attempt::lease() {
  upstream::WorkerCluster& cluster = exchange_.cluster();
  const bool repeatable = upstream::is_idempotent(exchange_.request().method);
  for (;;) {
    Result<upstream::LeaseOffer> offer = cluster.lease(*endpoint_, *this);
    if (!offer) return std::unexpected(offer.error());
    if (offer->waits()) {
      arm(Stage::kPlace, cluster.config().connect_timeout);
      return false;
    }
    if (offer->shared != nullptr) {
      const auto place = H2UpstreamConnection::join(*offer->shared, exchange_);
      if (place.ready) cluster.stats().reused.add();
      reused_ = place.ready;
      return joined(*place.stream, place.ready);
    }
    if (offer->reused == nullptr) {
      reused_ = false;
      return connect(std::move(offer->connect));
    }
    const bool probe =
        !repeatable && exchange_.worker().loop().now() - offer->reused->idle_since() > kProbeAfter;
    stream_ = UpstreamConnection::reuse(*offer->reused, exchange_, probe);
    if (stream_ == nullptr) continue;
    cluster.stats().reused.add();
    reused_ = true;
    connected(*stream_);
    return true;
  }
}

Result<bool> Attempt::connect(upstream::ConnectionPermit permit) {
  const UpstreamProtocol protocol = exchange_.cluster().config().protocol;
  Worker& worker = exchange_.worker();
  if (protocol == UpstreamProtocol::kHttp2 ||
      (protocol == UpstreamProtocol::kAuto && endpoint_->speaks_http2())) {
    auto place = H2UpstreamConnection::connect(worker, std::move(permit), exchange_);
    if (!place) return std::unexpected(place.error());
    return joined(*place->stream, place->ready);
  }
  auto stream = UpstreamConnection::connect(worker, std::move(permit), exchange_);
  if (!stream) return std::unexpected(stream.error());
  return joined(**stream, false);
}

Result<bool> Attempt::joined(UpstreamStream& stream, bool ready) {
  stream_ = &stream;
  if (ready) {
    connected(stream);
  } else {
    arm(Stage::kConnect, exchange_.cluster().config().connect_timeout);
  }
  return ready;
}

void Attempt::lease_again() {
  stream_ = nullptr;
  on_place();
}

void Attempt::on_place() {
  if (!endpoint_) return;
  // Nothing has gone there yet: while this waited, the endpoint has failed its checks or drains.
  if (endpoint_->avoided(exchange_.reach())) {
    if (auto chosen = choose(); !chosen) {
      return exchange_.on_lease(*this, std::unexpected(chosen.error()));
    }
  }
  exchange_.on_lease(*this, lease());
}

void Attempt::connected(UpstreamStream& stream) {
  stream_ = &stream;
  ready_ = true;
  connected_at_ = exchange_.worker().loop().now();
  arm(Stage::kStream, exchange_.cluster().config().idle_timeout);
  if (!reused_) {
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(connected_at_ - begun_at_);
    exchange_.cluster().stats().connect_time.observe_us(static_cast<uint64_t>(took.count()));
  }
}

void Attempt::request_sent() {
  arm(Stage::kResponse, exchange_.cluster().config().response_timeout);
}

void Attempt::response_begun() {
  try_deadline_ = TimePoint::max();
  arm(Stage::kStream, exchange_.cluster().config().idle_timeout);
}

void Attempt::progress() {
  if (stage_ == Stage::kStream || stage_ == Stage::kNone) {
    arm(Stage::kStream, exchange_.cluster().config().idle_timeout);
  }
}

void Attempt::end() {
  cancel();
  timer_.cancel();
  stage_ = Stage::kNone;
  ready_ = false;
  if (stream_ != nullptr) {
    UpstreamStream* stream = stream_;
    stream_ = nullptr;
    stream->release();
  }
  report(upstream::AttemptOutcome::kNeutral);
  endpoint_.release();
}

void Attempt::swap(Attempt& other) {
  CHECK(!waiting() && !other.waiting());
  std::swap(endpoint_, other.endpoint_);
  std::swap(stream_, other.stream_);
  std::swap(try_deadline_, other.try_deadline_);
  std::swap(begun_at_, other.begun_at_);
  std::swap(connected_at_, other.connected_at_);
  std::swap(endpoint_text_, other.endpoint_text_);
  std::swap(endpoint_host_, other.endpoint_host_);
  std::swap(stage_, other.stage_);
  std::swap(ready_, other.ready_);
  std::swap(reused_, other.reused_);
  std::swap(reported_, other.reported_);
  std::swap(answered_, other.answered_);
  std::swap(server_error_, other.server_error_);
  std::swap(head_us_, other.head_us_);
  std::swap(told_, other.told_);
  const auto due = [](const net::Timer& t) { return t.armed() ? t.deadline() : TimePoint::max(); };
  const TimePoint mine = due(timer_);
  const TimePoint theirs = due(other.timer_);
  arm_at(theirs);
  other.arm_at(mine);
}

void Attempt::arm_at(TimePoint deadline) {
  if (deadline == TimePoint::max()) {
    timer_.cancel();
  } else {
    exchange_.worker().loop().arm_at(timer_, deadline);
  }
}

void Attempt::arm(Stage stage, Duration limit) {
  stage_ = stage;
  net::Loop& loop = exchange_.worker().loop();
  // A limit of zero is none.
  TimePoint deadline = limit > Duration::zero() ? loop.now() + limit : TimePoint::max();
  arm_at(std::min(deadline, try_deadline_));
}

void Attempt::on_timer() {
  if (exchange_.worker().loop().now() >= try_deadline_ && ready_) {
    return exchange_.on_attempt_timeout(
        *this, make_error(ErrorCode::kUpstreamTimeout, nullptr, Retry::kIdempotent));
  }
  // The client's own pauses have timers of their own.
  if (stage_ == Stage::kStream && !exchange_.waits_for_origin()) {
    return arm(Stage::kStream, exchange_.cluster().config().idle_timeout);
  }
  switch (stage_) {
    case Stage::kNone:
      return;
    case Stage::kPlace:
      exchange_.on_attempt_timeout(
          *this, make_error(ErrorCode::kClusterConnectionsFull, nullptr, Retry::kUnsent));
      return;
    case Stage::kConnect:
      exchange_.on_attempt_timeout(*this,
                                   make_error(ErrorCode::kConnectTimeout, nullptr, Retry::kUnsent));
      return;
    case Stage::kResponse:
      exchange_.on_attempt_timeout(
          *this, make_error(ErrorCode::kUpstreamTimeout, nullptr, Retry::kIdempotent));
      return;
    case Stage::kStream:
      exchange_.on_attempt_timeout(
          *this, make_error(ErrorCode::kUpstreamIdle, nullptr, Retry::kIdempotent));
      return;
  }
}

}  // namespace weir::proxy
