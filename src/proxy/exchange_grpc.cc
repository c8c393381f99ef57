// SPDX-License-Identifier: Apache-2.0
// gRPC in an exchange: deadlines, refusals that its clients understand, retries that its statuses
// allow, and the translation of gRPC-Web. To all other requests this costs a null pointer's test.
#include <algorithm>
#include <array>

#include "http/header_id.h"
#include "proxy/deadline.h"
#include "proxy/exchange.h"
#include "proxy/grpc_call.h"
#include "proxy/response_head.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {
namespace {

constexpr size_t kPiece = 3072;

std::string_view content_type(const HeaderList& headers) {
  const Header* type = headers.find(HeaderId::kContentType);
  return type != nullptr ? type->value : std::string_view{};
}

void set(HeaderList& headers, const Header& field) {
  for (Header& header : headers) {
    if (header.id != field.id) continue;
    header.value = field.value;
    return;
  }
  headers.push(field);
}

void remove(HeaderList& headers, HeaderId id) {
  headers.remove_if([id](const Header& header) { return header.id == id; });
}

}  // namespace

// ---- Request.

void Exchange::begin_grpc() {
  const std::string_view type = content_type(request_.headers);
  const http::GrpcWeb web =
      route_->config().grpc.web ? http::grpc_web_kind(type) : http::GrpcWeb::kNone;
  if (web == http::GrpcWeb::kNone && !http::is_grpc(type)) return;
  grpc_ = new (arena_.allocate(sizeof(GrpcCall))) GrpcCall;
  grpc_->web = web;
  // How long it is without base64 shows only at its end.
  if (web == http::GrpcWeb::kText && request_.body.kind == BodyFraming::Kind::kLength) {
    request_.body = {BodyFraming::Kind::kChunked, 0};
  }
}

// Each try is told what is left.
void Exchange::prepare_grpc_head() {
  HeaderList& headers = upstream_request_.headers;
  if (deadline_ != nullptr && deadline_->at != TimePoint::max()) {
    const Duration left = deadline_->at - worker_.loop().now();
    set(headers, {"grpc-timeout", http::grpc_timeout_text(left, arena_), HeaderId::kGrpcTimeout});
  }
  if (grpc_->web == http::GrpcWeb::kNone) return;
  const std::string_view type = content_type(request_.headers);
  set(headers, {"content-type", http::to_grpc_type(type, arena_), HeaderId::kContentType});
  set(headers, {"te", "trailers", HeaderId::kTe});
  if (grpc_->web == http::GrpcWeb::kText) remove(headers, HeaderId::kContentLength);
}

// base64 undone, piece by piece: what the stream borrows must stand until it is flushed.
void Exchange::decode_request_body(std::string_view bytes) {
  std::array<char, http::Base64Decoder::room_for(kPiece)> room;
  while (!bytes.empty() && !failed_ && !finished()) {
    const auto decoded = grpc_->decoder.next(bytes.substr(0, kPiece), room);
    if (!decoded) return fail(make_error(ErrorCode::kBadFraming, "gRPC-Web text is not base64"));
    take_request_body(*decoded);
    if (UpstreamStream* stream = attempt_.stream()) stream->flush();
    bytes.remove_prefix(std::min(bytes.size(), kPiece));
  }
}

bool Exchange::decodes_request() const { return grpc_->web == http::GrpcWeb::kText; }

bool Exchange::request_cut_off() {
  if (!decodes_request() || grpc_->decoder.complete()) return false;
  fail(make_error(ErrorCode::kBadFraming, "gRPC-Web text is cut off"));
  return true;
}

// ---- Response.

bool Exchange::retry_grpc(const ResponseHead& head) {
  const Header* status = head.headers.find(HeaderId::kGrpcStatus);
  if (status == nullptr) return false;
  const auto parsed = http::parse_grpc_status(status->value);
  if (parsed != http::GrpcStatus::kUnavailable) return false;
  const auto verdict = upstream::judge_grpc_unavailable(route_->retry());
  outcome_ = "grpc_unavailable";
  if (hops_ != nullptr) return retry_or_hop(verdict, upstream::HopReason::kAnswer, true);
  return may_repeat() && begin_retry(verdict);
}

void Exchange::note_grpc_status(const HeaderList& fields) {
  const Header* status = fields.find(HeaderId::kGrpcStatus);
  if (status != nullptr) grpc_->status = http::parse_grpc_status(status->value);
}

void Exchange::translate_grpc_head(ResponseHead& head) {
  note_grpc_status(head.headers);
  const std::string_view type = content_type(head.headers);
  if (grpc_->web == http::GrpcWeb::kNone || !http::is_grpc(type)) return;
  // Many servers leave out the message format, which the client has said and looks for.
  const bool formatless = type.find('+') == std::string_view::npos;
  const std::string_view format = formatless ? content_type(request_.headers) : type;
  set(head.headers,
      {"content-type", http::to_grpc_web_type(grpc_->web, format, arena_), HeaderId::kContentType});
  // Trailers only: they are in the head, where a gRPC-Web client finds them too.
  const bool empty = head.body.kind == BodyFraming::Kind::kNone ||
                     (head.body.kind == BodyFraming::Kind::kLength && head.body.length == 0);
  if (empty) return;
  grpc_->translates = true;
  head.body = {BodyFraming::Kind::kChunked, 0};
  remove(head.headers, HeaderId::kContentLength);
}

bool Exchange::encodes_response() const {
  return grpc_->translates && grpc_->web == http::GrpcWeb::kText;
}

void Exchange::send_grpc_body(std::string_view bytes) {
  if (encodes_response()) {
    encode_response_body(bytes);
  } else {
    client_.stream->send_body(bytes);
  }
  progress();
}

void Exchange::encode_response_body(std::string_view bytes) {
  std::array<char, http::base64_size(kPiece)> room;
  while (!bytes.empty()) {
    client_.stream->send_body(http::base64_encode(bytes.substr(0, kPiece), room));
    client_.stream->flush();
    bytes.remove_prefix(std::min(bytes.size(), kPiece));
  }
}

// The client's trailers: those of HTTP, or the last frame of a gRPC-Web body.
void Exchange::send_grpc_end(const HeaderList& trailers) {
  note_grpc_status(trailers);
  if (!grpc_->translates) return client_.stream->send_end(trailers);
  const std::string_view frame = http::grpc_web_trailers(trailers, arena_);
  if (encodes_response()) {
    encode_response_body(frame);
  } else {
    client_.stream->send_body(frame);
  }
  client_.stream->send_end({});
}

// ---- What weir says itself.

bool Exchange::speaks_grpc() {
  if (grpc_ != nullptr) return true;
  if (request_.method != Method::kPost || !http::is_grpc(content_type(request_.headers))) {
    return false;
  }
  grpc_ = new (arena_.allocate(sizeof(GrpcCall))) GrpcCall;
  return true;
}

// Trailers only: the one form in which a client of gRPC sees why, and not just an HTTP status.
void Exchange::reply_grpc(const Error& error, bool last) {
  const ErrorInfo& info = error_info(error.code);
  const std::string_view detail = error.detail != nullptr ? error.detail : "";
  grpc_->status = http::grpc_status(error.code);
  ResponseHead head = local_head(200, 7, *this);
  head.headers.push({"proxy-status", proxy_status(error, *this), HeaderId::kProxyStatus});
  head.headers.push({"content-type", content_type(request_.headers), HeaderId::kContentType});
  head.headers.push({"grpc-status", http::grpc_status_text(*grpc_->status), HeaderId::kGrpcStatus});
  if (refused_by_limit()) tell_limit(head.headers);
  const std::string_view text =
      arena_.concat({info.reason, detail.empty() ? "" : ": ", detail, ". ", info.hint});
  head.headers.push({"grpc-message", http::grpc_message(text, arena_), HeaderId::kGrpcMessage});
  send_local(head, {}, last);
}

void Exchange::count_grpc() {
  auto& counters = client_.listener->stats().grpc_responses;
  counters[grpc_->status ? static_cast<size_t>(*grpc_->status) : http::kGrpcStatuses].add();
}

int64_t Exchange::grpc_status_number() const {
  return grpc_ != nullptr && grpc_->status ? static_cast<int64_t>(*grpc_->status) : -1;
}

}  // namespace weir::proxy
