// SPDX-License-Identifier: Apache-2.0
// Copies of requests, from both sides: the request that is copied, and the exchange that is a copy.
// A copy goes the steps from the lease on, with the head that its request was sent with, and ends
// with its answer or its first failure: no retry, hedge or hop, no owner's limit, no cell, no line
// in the log. It asks the breaker of its cluster and tells it nothing. To requests of routes that
// copy none this costs the test of a flag.
#include <array>

#include "http/header_id.h"
#include "proxy/cells.h"
#include "proxy/exchange.h"
#include "proxy/mirroring.h"
#include "proxy/request_head.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// What belongs to one leg between weirs is not copied.
bool is_of_this_leg(const Header& header) {
  return header.id == HeaderId::kOther &&
         (is_mirror_header(header) || http::iequals(header.name, kCellPathHeader) ||
          http::iequals(header.name, kCellHopsHeader));
}

HeaderList copy_of(const HeaderList& in, size_t added, base::Arena& arena) {
  HeaderList out(arena.array<Header>(in.size() + added), in.size() + added);
  for (const Header& each : in) {
    if (!is_of_this_leg(each)) out.push({arena.copy(each.name), arena.copy(each.value), each.id});
  }
  return out;
}

}  // namespace

// ---- The request.

// All of the body that has come is still here: the first try is about to get it.
void Exchange::begin_mirror() {
  mirror_drawn_ = true;
  if (copied_ || !request_.protocol.empty() || held_.size() != bytes_received_) return;
  if (worker_.rng().below(Share::kWhole) >= route_->config().mirror->sample.ppm) return;
  mirror_ = worker_.mirroring().begin(*this, upstream_request_);
  for (size_t at = 0; mirror_ != nullptr && at < held_.size();) {
    std::array<iovec, 8> runs;
    const size_t n = held_.fill(runs, at);
    for (size_t i = 0; i < n && mirror_ != nullptr; ++i) {
      mirror_->take({static_cast<char*>(runs[i].iov_base), runs[i].iov_len});
      at += runs[i].iov_len;
    }
  }
  if (mirror_ != nullptr && request_ended_) end_mirror(request_trailers_);
}

// What came after the exchange had failed or was answered went past the copy, and with less than
// its length it would take the next request's bytes for its own.
void Exchange::end_mirror(const HeaderList& trailers) {
  if (mirror_->size() != bytes_received_) return mirror_->drop(policy::MirrorDrop::kIncomplete);
  std::exchange(mirror_, nullptr)->complete(trailers);
}

// ---- The copy.

void Exchange::become_copy(MirrorCopy& copy, const Exchange& of, const RequestHead& head) {
  copy_ = &copy;
  // It is no request of the listener's.
  client_.listener->stats().exchanges_active.sub();
  route_hold_ = of.route_->mirror();
  route_ = route_hold_.get();
  upstream_request_ = head;
  RequestHead& to = upstream_request_;
  for (std::string_view* text :
       {&to.method_text, &to.target, &to.scheme, &to.host, &to.path, &to.query}) {
    *text = arena_.copy(*text);
  }
  // The host's rewrite may name the endpoint, and that is the copy's own.
  to.authority = arena_.copy(of.request_.authority);
  to.expect_continue = false;
  to.headers = copy_of(head.headers, 1, arena_);
  to.headers.push({kMirrorHeader, "1", HeaderId::kOther});
  request_ = to;
  client_ip_ = arena_.copy(of.client_ip_);
  request_id_ = arena_.copy(of.request_id_);
  traceparent_ = arena_.copy(of.traceparent_);
}

void Exchange::hold_copied(std::string_view bytes) {
  bytes_received_ += bytes.size();
  held_.append(bytes, worker_.large_blocks(), account_);
}

void Exchange::end_copied(const HeaderList& trailers) {
  request_ended_ = true;
  request_trailers_ = copy_of(trailers, 0, arena_);
}

void Exchange::send_copy(std::optional<uint32_t> target) {
  const Result<void> admitted = admit_copy(target);
  if (!admitted) return fail(admitted.error());
  step_ = Step::kLease;
  advance();
  flush();
}

Result<void> Exchange::admit_copy(std::optional<uint32_t> target) {
  if (!target) return weir::fail(ErrorCode::kNoEndpoint, "a reload has taken its cluster away");
  const auto& breakers = worker_.snapshot().breakers;
  const auto* const breaker = breakers.empty() ? nullptr : breakers[*target].get();
  if (breaker != nullptr && !breaker->calm()) return weir::fail(ErrorCode::kCircuitOpen);
  auto permit = worker_.cluster(*target).admit();
  if (!permit) return std::unexpected(permit.error());
  request_permit_ = std::move(*permit);
  return {};
}

void Exchange::record_copy() {
  if (request_permit_) {
    cluster().stats().bytes_received.add(bytes_sent_);
    cluster().stats().bytes_sent.add(bytes_received_);
  }
  copy_->record(failed_, error_.code);
}

}  // namespace weir::proxy
