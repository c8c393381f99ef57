// SPDX-License-Identifier: Apache-2.0
// The answer that is kept while another try is made: an origin's own 503 with its words is worth
// more than weir's "connection refused". A short answer that would be retried is taken in whole
// before the retry begins; if all that follows ends without an answer, it is what the client gets.
#include <array>
#include <new>

#include "http/head.h"
#include "proxy/best_answer.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// A longer answer is not waited for.
constexpr uint64_t kMostBody = 16 * 1024;
// Nor one that comes slowly: the retry begins without it.
constexpr Duration kPatience = std::chrono::milliseconds(50);
// For what is added to the head of every answer.
constexpr size_t kHeadroom = http::kHeaderHeadroom + 1;

bool fits(const BodyFraming& body) {
  return body.kind == BodyFraming::Kind::kNone || body.kind == BodyFraming::Kind::kChunked ||
         (body.kind == BodyFraming::Kind::kLength && body.length <= kMostBody);
}

}  // namespace

bool Exchange::keeps_answer() const {
  return best_ != nullptr && best_->state == BestAnswer::State::kArriving;
}

// True: what follows of it comes to keep_answer_body(), and its end begins the retry.
bool Exchange::keep_answer(const ResponseHead& head, upstream::RetryVerdict verdict, bool stays) {
  const uint64_t limit = route_->limits().max_response_bytes;
  if (!fits(head.body) || grpc_ != nullptr || !request_.protocol.empty()) return false;
  if (limit != 0 && limit < kMostBody) return false;
  drop_kept_answer();
  if (best_ == nullptr) best_ = new (arena_.allocate(sizeof(BestAnswer))) BestAnswer;
  // The answer's own memory goes with its connection.
  const size_t room = head.headers.size() + kHeadroom;
  HeaderList headers(arena_.unset_array<Header>(room), room);
  for (const Header& header : head.headers) {
    // Who may speak of cells is asked again when it is sent, of the cluster asked last.
    if (cell_ != nullptr && !may_tell_cell(header.name)) continue;
    headers.push({arena_.copy(header.name), arena_.copy(header.value), header.id});
  }
  best_->head = head;
  best_->head.headers = headers;
  best_->head.reason = arena_.copy(head.reason);
  best_->state = BestAnswer::State::kArriving;
  best_->verdict = verdict;
  best_->stays = stays;
  worker_.loop().arm(backoff_timer_, kPatience);
  return true;
}

void Exchange::keep_answer_body(std::string_view bytes) {
  best_->body.append(bytes, worker_.large_blocks(), client_.listener->account());
  if (best_->body.size() > kMostBody) stop_keeping();
}

// The rest is not waited for: the retry begins, or, where there is none, the answer goes on as it
// comes.
void Exchange::stop_keeping() {
  backoff_timer_.cancel();
  best_->state = BestAnswer::State::kNone;
  if (repeat_for_answer(best_->verdict, best_->stays)) return drop_kept_answer();
  const ResponseHead head = best_->head;
  accept_response(head);
  send_kept_body();
}

// The whole answer is here, and its connection is free for others.
void Exchange::end_kept_answer() {
  backoff_timer_.cancel();
  best_->state = BestAnswer::State::kWhole;
  if (!repeat_for_answer(best_->verdict, best_->stays)) send_kept_answer(false);
}

// The answer will not be whole: its connection failed, or the exchange did.
bool Exchange::retry_cut_answer(const Error& error) {
  backoff_timer_.cancel();
  best_->state = BestAnswer::State::kNone;
  drop_kept_answer();
  if (error.origin != Origin::kUpstream) return false;
  return repeat_for_answer(best_->verdict, best_->stays);
}

bool Exchange::sent_kept_answer() const {
  return best_ != nullptr && best_->state == BestAnswer::State::kSent;
}

bool Exchange::has_kept_answer() const {
  return best_ != nullptr && best_->state == BestAnswer::State::kWhole;
}

void Exchange::send_kept_answer(bool attempt_failed) {
  const ResponseHead head = best_->head;
  best_->state = BestAnswer::State::kSent;
  if (attempt_failed) note_attempt(attempt_, outcome_);
  upstream_status_ = head.status;
  accept_response(head);
  send_kept_body();
  response_ended_ = true;
  client_.stream->send_end({});
  step_ = Step::kRelay;
}

void Exchange::send_kept_body() {
  std::array<iovec, 8> runs;
  for (size_t sent = 0; sent < best_->body.size();) {
    const size_t count = best_->body.fill(runs, sent);
    for (size_t i = 0; i < count; ++i) {
      client_.stream->send_body({static_cast<char*>(runs[i].iov_base), runs[i].iov_len});
      sent += runs[i].iov_len;
    }
  }
  bytes_sent_ += best_->body.size();
  // Before the blocks can go: they are only borrowed by the stream.
  client_.stream->flush();
}

void Exchange::drop_kept_answer() {
  if (best_ != nullptr) best_->body.clear(worker_.large_blocks());
}

void Exchange::leave_kept_answer() {
  drop_kept_answer();
  best_->~BestAnswer();
  best_ = nullptr;
}

}  // namespace weir::proxy
