// SPDX-License-Identifier: Apache-2.0
// The life of a request, in the order in which this file reads:
//
//   receive head       the client's codec parses, normalises and calls on_request_head()
//   identify           who is it: client address, trust, request id, trace
//   match route        host, path, method, conditions -> route, and with it the owner: tenant,
//                      function, class; and the cell it lives in (exchange_cells.cc)
//   run policies       what may end it here: refusals of weir itself, limits of the route,
//                      limits of the owner, where it may have to wait (exchange_limits.cc)
//   choose cluster     direct answer, redirect, or a cluster that admits it (exchange_target.cc)
//   buffer request     only where the route says so
//   lease              endpoint and connection (attempt.cc)
//   send head          what goes upstream (request_head.cc), then what is held of the body
//   relay              both bodies, until the response is over (exchange_relay.cc)
//   finish             logged and counted, always
//
// Each step returns continue, wait (an event goes on from here) or done. Failures go to fail() in
// exchange_failure.cc. A policy of your own goes into run_request_policies().
#include "proxy/exchange.h"

#include "base/check.h"
#include "http/header_id.h"
#include "http/traceparent.h"
#include "proxy/access_log.h"
#include "proxy/hedge.h"
#include "proxy/hops.h"
#include "proxy/mirroring.h"
#include "proxy/request_head.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"
#include "route/rewrite.h"

namespace weir::proxy {

Exchange::Exchange(Worker& worker, const Client& client)
    : worker_(worker),
      client_(client),
      account_(&client.listener->account()),
      arena_(worker.small_blocks(), account_),
      attempt_(*this),
      backoff_timer_(net::timer_callback<&Exchange::on_backoff_over>(this)),
      deadline_timer_(net::timer_callback<&Exchange::on_deadline>(this)) {
  client_.listener->stats().exchanges_active.add();
}

Exchange::~Exchange() {
  CHECK(finished());
  held_.clear(worker_.large_blocks());
  account_.reserve(0);
}

void Exchange::on_request_head(TimePoint head_at) {
  head_at_ = head_at;
  step_ = Step::kIdentify;
  advance();
}

void Exchange::advance() {
  for (;;) {
    Next next = Next::kDone;
    switch (step_) {
      case Step::kIdentify:
        next = identify();
        break;
      case Step::kMatchRoute:
        next = match_route();
        break;
      case Step::kRunRequestPolicies:
        next = run_request_policies();
        break;
      case Step::kChooseCluster:
        next = choose_cluster();
        break;
      case Step::kBufferRequest:
        next = buffer_request();
        break;
      case Step::kLease:
        next = lease();
        break;
      case Step::kSendHead:
        next = send_head();
        break;
      case Step::kRelay:
        next = relay();
        break;
      case Step::kFinish:
        next = finish();
        break;
      case Step::kReceiveHead:
      case Step::kFinished:
        return;
    }
    if (next != Next::kContinue) return;
    step_ = static_cast<Step>(static_cast<uint8_t>(step_) + 1);
  }
}

Exchange::Next Exchange::identify() {
  client_ip_ = client_.peer->ip_text(ip_text_);
  for (const Cidr& cidr : worker_.snapshot().config->trusted_proxies) {
    if (!client_.peer->is_unix && cidr.contains(client_.peer->ip)) trusted_peer_ = true;
  }
  // A unix socket is reached only by whom its file mode lets in.
  const bool sidecar = client_.listener->config().profile == Profile::kSidecar;
  trusted_peer_ = trusted_peer_ || client_.peer->is_unix;
  const Header* id = request_.headers.find(HeaderId::kXRequestId);
  if (id != nullptr && http::is_valid_request_id(id->value)) {
    request_id_ = id->value;
  } else {
    request_id_ = http::new_request_id(worker_.rng().next(), worker_.rng().next(), arena_);
  }
  const Header* trace = request_.headers.find(HeaderId::kTraceparent);
  if (trace != nullptr && (trusted_peer_ || sidecar) && http::is_valid_traceparent(trace->value)) {
    traceparent_ = trace->value;
  } else {
    base::Rng& rng = worker_.rng();
    traceparent_ = http::new_traceparent({rng.next(), rng.next(), rng.next()}, false, arena_);
    trace_begun_ = true;
  }
  return Next::kContinue;
}

Exchange::Next Exchange::match_route() {
  // What no route can take: weir is asked itself, or is asked for what it does not do.
  if (forwards_exhausted(request_)) {
    answer_options();
    return Next::kDone;
  }
  const bool connect = request_.method == Method::kConnect;
  if (request_.method == Method::kTrace || (connect && request_.protocol.empty())) {
    fail(make_error(ErrorCode::kMethodRefused));
    return Next::kDone;
  }
  // CONNECT names a host alone: routes see it as a request for the root there.
  if (connect) request_.path = "/";
  const route::Table::Match match = worker_.snapshot().routes->match(request_, arena_);
  if (match.route == nullptr) {
    allow_ = match.allow;
    fail(make_error(connect ? ErrorCode::kMethodRefused : match.reason));
    return Next::kDone;
  }
  route_ = match.route;
  route_index_ = match.index;
  route_hold_.reset();
  const Snapshot& snapshot = worker_.snapshot();
  if (snapshot.policies != nullptr && owner_ == nullptr && !identify_owner()) return Next::kDone;
  const bool celled = snapshot.cells != nullptr || cell_ != nullptr;
  return !celled || identify_cell() ? Next::kContinue : Next::kDone;
}

Exchange::Next Exchange::run_request_policies() {
  if (worker_.shedder().watching() && shed()) return Next::kDone;
  const RouteLimits& limits = route_->limits();
  if (!request_.protocol.empty() && !admit_upgrade()) return Next::kDone;
  if (limits.max_request_bytes != 0 && request_.body.kind == BodyFraming::Kind::kLength &&
      request_.body.length > limits.max_request_bytes) {
    fail(make_error(ErrorCode::kBodyTooLarge));
    return Next::kDone;
  }
  if (request_.method == Method::kPost) begin_grpc();
  if (grpc_ != nullptr || route_->timeout() || worker_.snapshot().config->client_deadline) {
    arm_deadline();
  }
  if (!admit_memory()) return Next::kDone;
  return owner_ == nullptr ? Next::kContinue : take_limits();
}

Exchange::Next Exchange::buffer_request() {
  if (!route_->buffer_request() || request_ended_ || tunnel_pending()) return Next::kContinue;
  send_continue();
  return Next::kWait;
}

Exchange::Next Exchange::lease() {
  if (deadline_ != nullptr && deadline_passed()) return Next::kDone;
  if (cluster().shared().fault().armed()) {
    if (const Next next = meet_cluster_fault(); next != Next::kContinue) return next;
  }
  ++attempts_;
  if (hops_ != nullptr) ++hops_->tries;
  if (attempts_ > 1 && !hedging()) cluster().stats().retries.add();
  const Result<bool> ready = attempt_.begin(sticky_hash());
  if (!ready) {
    fail(ready.error());
    return Next::kDone;
  }
  if (route_->config().hedge) arm_hedge();
  return *ready ? Next::kContinue : Next::kWait;
}

void Exchange::on_lease(const Attempt& from, const Result<bool>& ready) {
  heed(from);
  if (!ready) {
    fail(ready.error());
  } else if (*ready) {
    on_connected(*attempt_.stream());
  }
  flush();
}

void Exchange::lease_again(const UpstreamStream& from) {
  heed(from);
  // One that would wait is worth less than the one that is under way.
  attempt_.detached();
  outcome_ = "queueing";
  if (!back_to_other()) attempt_.lease_again();
}

void Exchange::on_stream_changed(const UpstreamStream& from, UpstreamStream& to) {
  heed(from);
  attempt_.stream_changed(to);
}

void Exchange::on_connected(UpstreamStream& stream) {
  heed(stream);
  attempt_.connected(stream);
  step_ = Step::kSendHead;
  advance();
}

Exchange::Next Exchange::send_head() {
  if (deadline_ != nullptr && deadline_passed()) return Next::kDone;
  if (upstream_request_.headers.size() == 0) {
    const Result<void> made = make_upstream_request();
    if (!made) {
      fail(made.error());
      return Next::kDone;
    }
  }
  upstream_request_.authority =
      route::rewrite_host(*route_, request_.authority, attempt_.endpoint_host());
  upstream_request_.body = request_.body;
  if (deadline_ != nullptr) tell_deadline();
  if (grpc_ != nullptr) prepare_grpc_head();
  send_continue();
  if (route_->config().mirror && !mirror_drawn_) begin_mirror();
  if (attempts_ > 1 || nested_attempt_ > 1) tell_attempt();
  attempt_.stream()->send_head(upstream_request_);
  if (tunnel_pending()) {
    await_upgrade();
  } else {
    send_held();
  }
  return Next::kContinue;
}

Exchange::Next Exchange::relay() { return Next::kWait; }

Exchange::Next Exchange::finish() {
  backoff_timer_.cancel();
  deadline_timer_.cancel();
  record();
  if (mirror_ != nullptr) mirror_->drop(policy::MirrorDrop::kIncomplete);
  if (cell_ != nullptr) release_cell();
  if (owner_ != nullptr) release_owner();
  if (tunnel_ != nullptr) close_tunnel();
  if (hedge_ != nullptr) leave_hedge();
  attempt_.end();
  retry_permit_.release();
  breaker_.permit.release();
  request_permit_.release();
  if (hops_ != nullptr) leave_group();
  if (best_ != nullptr) leave_kept_answer();
  route_hold_.reset();
  base::ListLink<>::unlink();
  step_ = Step::kFinished;
  client_.stream->exchange_finished();
  return Next::kDone;
}

}  // namespace weir::proxy
