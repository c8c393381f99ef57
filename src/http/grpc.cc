// SPDX-License-Identifier: Apache-2.0
#include "http/grpc.h"

#include <array>
#include <charconv>

#include "http/header_id.h"

namespace weir::http {
namespace {

struct Unit {
  char letter;
  int64_t nanos;
};
// From the finest to the coarsest.
constexpr std::array<Unit, 6> kUnits{{{'n', 1},
                                      {'u', 1'000},
                                      {'m', 1'000'000},
                                      {'S', 1'000'000'000},
                                      {'M', 60'000'000'000},
                                      {'H', 3'600'000'000'000}}};
constexpr int64_t kMostDigits = 99'999'999;

constexpr std::array<std::string_view, kGrpcStatuses> kNumbers{
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"};

GrpcStatus of_http(uint16_t status) {
  switch (status) {
    case 400:
    case 417:
    case 500:
    case 505:
    case 508:
      return GrpcStatus::kInternal;
    case 401:
      return GrpcStatus::kUnauthenticated;
    case 403:
      return GrpcStatus::kPermissionDenied;
    case 404:
    case 405:
    case 501:
      return GrpcStatus::kUnimplemented;
    case 408:
    case 504:
      return GrpcStatus::kDeadlineExceeded;
    case 413:
    case 414:
    case 429:
    case 431:
      return GrpcStatus::kResourceExhausted;
    case 421:
    case 502:
    case 503:
      return GrpcStatus::kUnavailable;
    case 499:
      return GrpcStatus::kCancelled;
    default:
      return GrpcStatus::kUnknown;
  }
}

}  // namespace

bool is_grpc(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (content_type.size() < kType.size()) return false;
  if (!iequals(content_type.substr(0, kType.size()), kType)) return false;
  if (content_type.size() == kType.size()) return true;
  const char next = content_type[kType.size()];
  return next == '+' || next == ';' || next == ' ';
}

GrpcStatus grpc_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kConnectTimeout:
      return GrpcStatus::kUnavailable;
    case ErrorCode::kUpstreamBadHead:
    case ErrorCode::kUpstreamBadFraming:
    case ErrorCode::kUpstreamUpgrade:
    case ErrorCode::kUpstreamHttp2:
      return GrpcStatus::kInternal;
    case ErrorCode::kUpstreamHeadTooLarge:
    case ErrorCode::kResponseTooLarge:
      return GrpcStatus::kResourceExhausted;
    default:
      return of_http(error_info(code).status);
  }
}

std::string_view grpc_status_text(GrpcStatus status) {
  return kNumbers[static_cast<size_t>(status)];
}

std::optional<GrpcStatus> parse_grpc_status(std::string_view value) {
  for (uint8_t i = 0; i < kGrpcStatuses; ++i) {
    if (value == kNumbers[i]) return static_cast<GrpcStatus>(i);
  }
  return std::nullopt;
}

std::optional<Duration> parse_grpc_timeout(std::string_view value) {
  if (value.size() < 2 || value.size() > 9) return std::nullopt;
  int64_t number = 0;
  for (char c : value.substr(0, value.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  for (const Unit& unit : kUnits) {
    if (value.back() != unit.letter) continue;
    // 99,999,999 hours do not fit into 64 bits of nanoseconds; nothing tells them from for ever.
    const int64_t most = Duration::max().count() / unit.nanos;
    return number > most ? Duration::max() : Duration(number * unit.nanos);
  }
  return std::nullopt;
}

std::string_view grpc_timeout_text(Duration left, base::Arena& arena) {
  if (left <= Duration::zero()) return "1n";
  for (const Unit& unit : kUnits) {
    const int64_t number = left.count() / unit.nanos;
    if (number > kMostDigits) continue;
    char* text = static_cast<char*>(arena.allocate(9));
    char* end = std::to_chars(text, text + 8, number).ptr;
    *end++ = unit.letter;
    return {text, static_cast<size_t>(end - text)};
  }
  return "99999999H";
}

std::string_view grpc_message(std::string_view text, base::Arena& arena) {
  constexpr char kHex[] = "0123456789ABCDEF";
  char* const out = static_cast<char*>(arena.allocate(3 * text.size()));
  char* at = out;
  for (char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '%') {
      *at++ = c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    *at++ = '%';
    *at++ = kHex[byte >> 4U];
    *at++ = kHex[byte & 15U];
  }
  return {out, static_cast<size_t>(at - out)};
}

}  // namespace weir::http
