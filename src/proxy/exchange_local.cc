// SPDX-License-Identifier: Apache-2.0
// Answers that weir gives itself, what sticky choices are keyed on, and the record of the exchange.
#include <algorithm>

#include "base/hash.h"
#include "http/header_id.h"
#include "policy/release_ledger.h"
#include "proxy/access_record.h"
#include "proxy/cell_call.h"
#include "proxy/exchange.h"
#include "proxy/hops.h"
#include "proxy/owner.h"
#include "proxy/request_head.h"
#include "proxy/response_head.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"
#include "route/rewrite.h"

namespace weir::proxy {

// Nothing of a message that was refused can be believed, nor where the next one would begin.
static bool ends_connection(ErrorCode code) {
  switch (error_info(code).status) {
    case 400:
    case 408:
    case 414:
    case 431:
    case 505:
      return true;
    default:
      return code == ErrorCode::kShuttingDown;
  }
}

void Exchange::reply(const Error& error) {
  const ErrorInfo& info = error_info(error.code);
  if (info.status == 499) {
    step_ = Step::kFinish;
    return advance();
  }
  if (speaks_grpc()) return reply_grpc(error, ends_connection(error.code));
  const uint16_t status = status_of(error);
  ResponseHead head = local_head(status, 6, *this);
  head.headers.push({"proxy-status", proxy_status(error, *this), HeaderId::kProxyStatus});
  if (info.status == 405) {
    head.headers.push(
        {"allow", allow_.empty() ? std::string_view("GET, HEAD") : allow_, HeaderId::kOther});
  }
  if (refused_by_limit()) {
    tell_limit(head.headers);
  } else if (status == 503 || status == 429) {
    head.headers.push({"retry-after", retry_after(), HeaderId::kRetryAfter});
  }
  const ErrorBody body = error_body(error, *this);
  head.headers.push({"content-type", body.content_type, HeaderId::kContentType});
  send_local(head, body.text, ends_connection(error.code));
}

uint16_t Exchange::status_of(const Error& error) const {
  const bool injected = error.code == ErrorCode::kFaultInjected && injected_status_ != 0;
  return injected ? injected_status_ : error_info(error.code).status;
}

void Exchange::answer_direct(const DirectTarget& target) {
  ResponseHead head = local_head(target.status, target.headers.size() + 3, *this);
  if (failed_) {
    head.headers.push({"proxy-status", proxy_status(error_, *this), HeaderId::kProxyStatus});
    if (target.status == 503 || target.status == 429) {
      head.headers.push({"retry-after", retry_after(), HeaderId::kRetryAfter});
    }
  }
  bool typed = false;
  for (const auto& [name, value] : target.headers) {
    const HeaderId id = http::header_id(name);
    typed = typed || id == HeaderId::kContentType;
    head.headers.push({name, value, id});
  }
  if (!typed && !target.body.empty()) {
    head.headers.push({"content-type", "text/plain; charset=utf-8", HeaderId::kContentType});
  }
  route_->response_ops().apply(head.headers, arena_);
  send_local(head, target.body, false);
}

void Exchange::answer_redirect() {
  const auto& target = std::get<RedirectTarget>(route_->target());
  ResponseHead head = local_head(target.status, 1, *this);
  head.headers.push(
      {"location", route::redirect_location(*route_, request_, arena_), HeaderId::kLocation});
  route_->response_ops().apply(head.headers, arena_);
  send_local(head, {}, false);
}

void Exchange::answer_options() {
  ResponseHead head = local_head(200, 1, *this);
  head.headers.push({"allow", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS", HeaderId::kOther});
  send_local(head, {}, false);
}

void Exchange::send_local(ResponseHead& head, std::string_view body, bool last) {
  const bool bodiless =
      request_.method == Method::kHead || head.status == 204 || head.status == 304;
  if (!bodiless) head.body = {BodyFraming::Kind::kLength, body.size()};
  start_response(head, last);
  if (!bodiless) {
    client_.stream->send_body(body);
    bytes_sent_ += body.size();
  }
  client_.stream->send_end({});
  response_ended_ = true;
  step_ = Step::kRelay;
}

void Exchange::send_continue() {
  if (!request_.expect_continue || continue_sent_ || request_ended_ || bytes_received_ > 0) return;
  continue_sent_ = true;
  ResponseHead head;
  head.status = 100;
  head.reason = "Continue";
  client_.stream->send_interim(head);
}

Result<void> Exchange::make_upstream_request() {
  return make_upstream_head(*this, upstream_request_);
}

// ---- Sticky choices.

uint64_t Exchange::hash_of(const HashOn& on) {
  switch (on.kind) {
    case HashOn::Kind::kNone:
      return worker_.rng().next();
    case HashOn::Kind::kClientIp:
      return base::hash64(client_key());
    case HashOn::Kind::kPath:
      return base::hash64(request_.path);
    case HashOn::Kind::kHeader:
      break;
  }
  for (const Header& header : request_.headers) {
    if (http::iequals(header.name, on.header)) return base::hash64(header.value);
  }
  // Without the header there is nothing to stick to.
  return worker_.rng().next();
}

uint64_t Exchange::sticky_hash() {
  const LoadBalancingConfig& balancing = cluster().config().load_balancing;
  return balancing.policy == BalancePolicy::kMaglev ? hash_of(balancing.hash_on) : 0;
}

// ---- The record.

int64_t Exchange::micros_since_start(TimePoint at) const {
  if (at == TimePoint{}) return -1;
  return std::chrono::duration_cast<std::chrono::microseconds>(at - client_.started).count();
}

void Exchange::record() {
  if (copy_ != nullptr) return record_copy();
  const TimePoint now = worker_.loop().clock().now();
  ListenerStats& stats = client_.listener->stats();
  stats.requests.add();
  stats.exchanges_active.sub();
  // Codes above 599 are not registered; a client treats them as 5xx (RFC 9110, 15).
  const size_t status_class = downstream_gone_ && !response_started_ ? 0 : status_ / 100U;
  stats.responses[std::min<size_t>(status_class, 5)].add();
  stats.bytes_received.add(bytes_received_);
  stats.bytes_sent.add(bytes_sent_);
  const int64_t total = micros_since_start(now);
  stats.duration.observe_us(static_cast<uint64_t>(total));
  if (grpc_ != nullptr) count_grpc();
  if (owner_ != nullptr) count_traffic(total);
  if (cell_ != nullptr) count_cell();
  if (failed_) worker_.mutable_stats().failures[static_cast<size_t>(error_.code)].add();
  if (prioritised()) worker_.mutable_stats().requests_by_priority[priority()].add();
  if (request_permit_) {
    cluster().stats().bytes_received.add(bytes_sent_);
    cluster().stats().bytes_sent.add(bytes_received_);
  }
  if (worker_.snapshot().access_log != nullptr) write_log(total);
}

static std::string_view value_of(const HeaderList& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (http::iequals(header.name, name)) return header.value;
  }
  return {};
}

static std::string_view protocol_text(Version version) {
  switch (version) {
    case Version::kHttp10:
      return "HTTP/1.0";
    case Version::kHttp11:
      return "HTTP/1.1";
    case Version::kHttp2:
      return "HTTP/2";
  }
  return {};
}

// The attempts before, and how the last one ended: by a status, or by why weir gave up.
std::string_view Exchange::tries_text() {
  if (sent_kept_answer()) return trail_text(*this);
  const std::string_view outcome =
      failed_ ? error_info(error_.code).reason : number_text(upstream_status_);
  return arena_.concat(
      {trail_text(*this), ", ", cluster().name(), "/", attempt_.endpoint_text(), "=", outcome});
}

void Exchange::write_log(int64_t total_us) {
  AccessRecord record;
  record.started = worker_.loop().wall() - std::chrono::microseconds(total_us);
  record.client = client_ip_.empty() ? client_.peer->ip_text(ip_text_) : client_ip_;
  record.client_port = client_.peer->port;
  record.listener = client_.listener->config().name;
  record.method = request_.method_text;
  record.scheme = request_.scheme;
  record.authority = request_.authority;
  record.target = request_.target;
  record.path = request_.path;
  record.protocol = protocol_text(request_.version);
  record.user_agent = value_of(request_.headers, "user-agent");
  record.referer = value_of(request_.headers, "referer");
  record.request_id = request_id_;
  if (traceparent_.size() >= 35) record.trace_id = trace_id();
  record.status = downstream_gone_ && !response_started_ ? uint16_t{499} : status_;
  if (failed_) {
    record.reason = error_info(error_.code).reason;
    if (error_.detail != nullptr) record.detail = error_.detail;
  }
  if (route_ != nullptr) record.route = route_->name();
  if (prioritised()) record.priority = priority();
  if (owner_ != nullptr) {
    record.tenant = owner_->tenant.empty() ? owner_->bucket.text : owner_->tenant;
    record.function = owner_->function;
    record.class_name = owner_->class_name;
  }
  if (cell_ != nullptr) {
    record.cell = cell_->name(cell_->home);
    record.cell_served = cell_->name(cell_->served);
  }
  if (release_ != nullptr) {
    record.release = release_->release;
    record.release_to = release_->to;
    record.release_rule = release_->rule;
  }
  if (request_permit_) record.cluster = cluster().name();
  record.endpoint = attempt_.endpoint_text();
  record.attempts = attempts_;
  if (trail_ != nullptr) record.tries = tries_text();
  record.grpc_status = grpc_status_number();
  record.upstream_status = upstream_status_;
  record.upstream_reused = attempt_.reused();
  record.bytes_received = bytes_received_;
  record.bytes_sent = bytes_sent_;
  record.head_us = micros_since_start(head_at_);
  record.connected_us = micros_since_start(attempt_.connected_at());
  record.sent_us = micros_since_start(sent_at_);
  record.response_us = micros_since_start(response_at_);
  record.total_us = total_us;
  worker_.log(record);
}

}  // namespace weir::proxy
