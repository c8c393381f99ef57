// SPDX-License-Identifier: Apache-2.0
#include "http/grpc_health.h"

#include <cstring>

namespace weir::http {
namespace {

// Protobuf wire types.
constexpr unsigned kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

std::optional<uint64_t> take_varint(std::string_view& in) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

bool skip(std::string_view& in, uint64_t bytes) {
  if (bytes > in.size()) return false;
  in.remove_prefix(static_cast<size_t>(bytes));
  return true;
}

// Fields that a later version may add are passed over.
bool skip_field(unsigned wire_type, std::string_view& in) {
  if (wire_type == kVarint) return take_varint(in).has_value();
  if (wire_type == kFixed64) return skip(in, 8);
  if (wire_type == kFixed32) return skip(in, 4);
  if (wire_type != kBytes) return false;
  const auto length = take_varint(in);
  return length && skip(in, *length);
}

}  // namespace

std::string_view write_health_request(std::string_view service, std::span<char> out) {
  char message[11];
  size_t head = 0;
  if (!service.empty()) {
    message[head++] = 0x0a;  // Field 1, a string.
    for (size_t n = service.size();; n >>= 7U) {
      message[head++] = static_cast<char>((n & 0x7fU) | (n > 0x7f ? 0x80U : 0U));
      if (n <= 0x7f) break;
    }
  }
  const size_t length = head + service.size();
  if (out.size() < 5 + length || length > 0xffffffffU) return {};
  out[0] = 0;
  for (size_t i = 0; i < 4; ++i) out[1 + i] = static_cast<char>(length >> (24 - 8 * i) & 0xffU);
  std::memcpy(out.data() + 5, message, head);
  if (!service.empty()) std::memcpy(out.data() + 5 + head, service.data(), service.size());
  return {out.data(), 5 + length};
}

std::optional<GrpcHealth> parse_health_response(std::string_view body) {
  if (body.size() < 5 || body[0] != 0) return std::nullopt;
  size_t length = 0;
  for (size_t i = 1; i < 5; ++i) length = length << 8U | static_cast<uint8_t>(body[i]);
  std::string_view message = body.substr(5);
  if (message.size() != length) return std::nullopt;
  uint64_t status = 0;
  while (!message.empty()) {
    const auto key = take_varint(message);
    if (!key || *key >> 3U == 0) return std::nullopt;
    if (*key != (1U << 3U | kVarint)) {
      if (!skip_field(static_cast<unsigned>(*key & 7U), message)) return std::nullopt;
      continue;
    }
    const auto value = take_varint(message);
    if (!value) return std::nullopt;
    status = *value;
  }
  return status > 3 ? GrpcHealth::kUnknown : static_cast<GrpcHealth>(status);
}

}  // namespace weir::http
