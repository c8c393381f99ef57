// SPDX-License-Identifier: Apache-2.0
// The relay step: both bodies, what is held of the request for a retry, and who waits for whom.
#include <utility>

#include "http/header_id.h"
#include "proxy/exchange.h"
#include "proxy/hedge.h"
#include "proxy/mirroring.h"
#include "proxy/response_head.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {

// ---- Request body.

void Exchange::on_request_body(std::string_view bytes) {
  if (grpc_ != nullptr && decodes_request()) return decode_request_body(bytes);
  take_request_body(bytes);
}

void Exchange::take_request_body(std::string_view bytes) {
  bytes_received_ += bytes.size();
  // Answered already: what still comes has no reader.
  if (finished() || failed_ || (response_ended_ && tunnel_ == nullptr)) return;
  const uint64_t limit = route_ != nullptr ? route_->limits().max_request_bytes : 0;
  if (limit != 0 && bytes_received_ > limit && request_.protocol.empty()) {
    return fail(make_error(ErrorCode::kBodyTooLarge));
  }
  if (!may_hold_body(bytes.size())) return;
  if (mirror_ != nullptr) mirror_->take(bytes);
  const bool direct = step_ == Step::kRelay && attempt_.stream() != nullptr && !tunnel_pending() &&
                      held_sent_ == held_.size() && !attempt_.stream()->congested();
  if (direct) {
    attempt_.stream()->send_body(bytes);
    progress();
  }
  if (replayable_ && !route_->buffer_request() &&
      held_.size() + bytes.size() > route_->retry().replay_buffer_bytes) {
    drop_replay();
  }
  if (direct && !replayable_) return;
  held_.append(bytes, worker_.large_blocks(), account_);
  if (direct) held_sent_ += bytes.size();
}

void Exchange::on_request_spliced(uint64_t bytes) {
  bytes_received_ += bytes;
  const uint64_t limit = route_->limits().max_request_bytes;
  if (limit != 0 && bytes_received_ > limit) return fail(make_error(ErrorCode::kBodyTooLarge));
  attempt_.progress();
}

void Exchange::on_request_end(const HeaderList& trailers) {
  if (grpc_ != nullptr && request_cut_off()) return;
  request_ended_ = true;
  request_trailers_ = trailers;
  if (account_.reserved() != 0) account_.reserve(0);
  if (mirror_ != nullptr) end_mirror(trailers);
  if (step_ == Step::kBufferRequest) {
    // The length is known now: the origin need not be told in chunks.
    if (request_.body.kind == BodyFraming::Kind::kChunked && trailers.size() == 0) {
      request_.body = {BodyFraming::Kind::kLength, held_.size()};
    }
    step_ = Step::kLease;
    advance();
  } else if (step_ == Step::kRelay) {
    end_request_upstream();
  }
}

net::Socket* Exchange::request_sink() {
  const bool whole = step_ == Step::kRelay && attempt_.stream() != nullptr && !response_ended_ &&
                     held_sent_ == held_.size() && (grpc_ == nullptr || !decodes_request());
  if (!whole || mirror_ != nullptr) return nullptr;
  // Bytes that nobody keeps cannot be sent again.
  if (request_.body.length > route_->retry().replay_buffer_bytes) drop_replay();
  return replayable_ ? nullptr : attempt_.stream()->raw_sink();
}

void Exchange::await_request_sink() {
  if (UpstreamStream* stream = attempt_.stream()) stream->await_drain();
}

// From now on the request cannot be repeated: only what was not sent yet is held.
void Exchange::drop_replay() {
  replayable_ = false;
  if (held_sent_ > 0) held_.consume(held_sent_, worker_.large_blocks());
  held_sent_ = 0;
}

void Exchange::send_held() {
  if (tunnel_pending()) return;
  UpstreamStream* const stream = attempt_.stream();
  while (held_sent_ < held_.size() && !stream->congested()) {
    std::array<iovec, 8> runs;
    const size_t n = held_.fill(runs, held_sent_);
    for (size_t i = 0; i < n; ++i) {
      stream->send_body({static_cast<char*>(runs[i].iov_base), runs[i].iov_len});
      held_sent_ += runs[i].iov_len;
    }
    // Before held blocks can go: they are only borrowed by the stream.
    stream->flush();
  }
  if (!replayable_ && held_sent_ > 0) {
    held_.consume(held_sent_, worker_.large_blocks());
    held_sent_ = 0;
  }
  end_request_upstream();
}

void Exchange::end_request_upstream() {
  if (!request_ended_ || request_end_sent_ || held_sent_ < held_.size()) return;
  if (attempt_.stream() == nullptr || tunnel_pending()) return;
  request_end_sent_ = true;
  // Without a body and on a pooled connection it left in the same breath as the head came.
  const bool at_once = request_.body.kind == BodyFraming::Kind::kNone && attempts_ == 1 &&
                       attempt_.reused() && attempt_.immediate();
  if (tunnel_ == nullptr) sent_at_ = at_once ? head_at_ : worker_.loop().clock().now();
  attempt_.stream()->send_end(request_trailers_);
  if (!response_started_) attempt_.request_sent();
}

void Exchange::on_upstream_drained(const UpstreamStream& from) {
  heed(from);
  if (step_ != Step::kRelay || attempt_.stream() == nullptr) return;
  progress();
  send_held();
  if (!attempt_.stream()->congested()) client_.stream->resume_body();
}

// The client's body waits while there is nowhere to put it.
void Exchange::update_request_flow() {
  if (request_ended_) return;
  if (failed_ || (response_ended_ && tunnel_ == nullptr)) {
    // Answered, but the client does not take it: it may not go on sending meanwhile.
    if (client_.stream->congested()) client_.stream->pause_body();
    return;
  }
  // It may have been paused while the exchange waited for its place.
  if (step_ == Step::kBufferRequest) return client_.stream->resume_body();
  const UpstreamStream* stream = attempt_.stream();
  const bool waits = step_ != Step::kRelay || stream == nullptr || held_sent_ < held_.size() ||
                     stream->congested() || tunnel_pending();
  if (waits) {
    client_.stream->pause_body();
  } else {
    client_.stream->resume_body();
  }
}

// ---- Response.

void Exchange::on_interim(const ResponseHead& head) {
  // Weir has answered "100 Continue" itself, when it was ready for the body.
  if (head.status == 100) return;
  ResponseHead out = head;
  http::remove_hop_by_hop(out.headers);
  client_.stream->send_interim(out);
}

void Exchange::on_response_head(const UpstreamStream& from, const ResponseHead& head) {
  heed(from);
  response_at_ = worker_.loop().clock().now();
  upstream_status_ = head.status;
  upstream::ClusterStats& stats = cluster().stats();
  stats.count_response(head.status);
  stats.response_time.observe_us(static_cast<uint64_t>(
      micros_since_start(response_at_) - micros_since_start(attempt_.connected_at())));
  attempt_.report(upstream::outcome_of(head, grpc_ != nullptr));
  if (judged()) tell_breaker(head);
  // A quick refusal is not speed.
  if (head.status != 429 && head.status != 503) note_latency();
  if (owner_ != nullptr) charge_cost(head.headers);
  if (route_->config().hedge) note_recent_latency(attempt_);
  if (hedge_ != nullptr) hedge_->timer.cancel();
  if (retry_answer(head) || (grpc_ != nullptr && retry_grpc(head))) return;
  if (hedge_ != nullptr) settle_hedge();
  const uint64_t limit = route_->limits().max_response_bytes;
  if (limit != 0 && head.body.kind == BodyFraming::Kind::kLength && head.body.length > limit) {
    return fail(make_error(ErrorCode::kResponseTooLarge));
  }
  accept_response(head);
}

void Exchange::accept_response(const ResponseHead& head) {
  if (attempt_.stream() != nullptr) attempt_.response_begun();
  if (copy_ != nullptr) {
    response_started_ = true;
    return;
  }
  ResponseHead out = head;
  make_client_response(out, *this);
  if (grpc_ != nullptr) translate_grpc_head(out);
  start_response(out, false);
  // The exchange cannot be repeated any more: nothing needs to be kept.
  if (held_sent_ == held_.size() && replayable_) drop_replay();
  if (tunnel_ != nullptr) send_held();
}

void Exchange::start_response(const ResponseHead& head, bool last) {
  response_started_ = true;
  if (!request_.protocol.empty()) answer_upgrade(head);
  status_ = head.status;
  client_.stream->send_head(head, last);
}

void Exchange::on_response_body(std::string_view bytes) {
  if (keeps_answer()) return keep_answer_body(bytes);
  bytes_sent_ += bytes.size();
  const uint64_t limit = route_->limits().max_response_bytes;
  if (limit != 0 && bytes_sent_ > limit && tunnel_ == nullptr) {
    return fail(make_error(ErrorCode::kResponseTooLarge));
  }
  if (grpc_ != nullptr) return send_grpc_body(bytes);
  client_.stream->send_body(bytes);
  progress();
}

void Exchange::on_response_spliced(uint64_t bytes) {
  bytes_sent_ += bytes;
  const uint64_t limit = route_->limits().max_response_bytes;
  if (limit != 0 && bytes_sent_ > limit) return fail(make_error(ErrorCode::kResponseTooLarge));
  attempt_.progress();
}

net::Socket* Exchange::response_sink() {
  const bool whole =
      response_started_ && !downstream_gone_ && (grpc_ == nullptr || !encodes_response());
  return whole ? client_.stream->raw_sink() : nullptr;
}

void Exchange::await_response_sink() { client_.stream->await_drain(); }

void Exchange::on_response_end(const HeaderList& trailers) {
  if (judged() && grpc_ != nullptr) tell_breaker_grpc(trailers);
  attempt_.detached();
  attempt_.report(upstream::AttemptOutcome::kCompleted);
  if (hops_ != nullptr) note_whole_answer();
  attempt_.end();
  if (keeps_answer()) return end_kept_answer();
  response_ended_ = true;
  if (grpc_ != nullptr) return send_grpc_end(trailers);
  client_.stream->send_end(trailers);
}

void Exchange::on_downstream_drained() {
  if (UpstreamStream* stream = attempt_.stream()) stream->resume_body();
  flush();
}

// ---- Both.

void Exchange::flush() {
  if (finished() || step_ == Step::kReceiveHead) return;
  if (owner_ != nullptr) charge_flow();
  if (UpstreamStream* stream = attempt_.stream()) {
    stream->flush();
    if (step_ == Step::kRelay && held_sent_ < held_.size() && !stream->congested()) send_held();
  }
  client_.stream->flush();
  const bool congested = client_.stream->congested();
  if (response_ended_ && !congested && (tunnel_ == nullptr || tunnel_over())) {
    step_ = Step::kFinish;
    advance();
    return;
  }
  if (congested) {
    if (UpstreamStream* stream = attempt_.stream()) stream->pause_body();
  }
  update_request_flow();
}

}  // namespace weir::proxy
