// SPDX-License-Identifier: Apache-2.0
#include "http/grpc_web.h"

#include <array>
#include <cstring>

#include "http/chars.h"
#include "http/header_id.h"

namespace weir::http {
namespace {

constexpr std::string_view kGrpcType = "application/grpc";
constexpr std::string_view kBinaryType = "application/grpc-web";
constexpr std::string_view kTextType = "application/grpc-web-text";
constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 0xff;

constexpr std::array<uint8_t, 256> make_digit_table() {
  std::array<uint8_t, 256> table{};
  table.fill(kNoDigit);
  for (uint8_t i = 0; i < 64; ++i) table[static_cast<uint8_t>(kDigits[i])] = i;
  return table;
}
constexpr std::array<uint8_t, 256> kDigitTable = make_digit_table();

// Whether `type` is `base`, alone or followed by a format or parameters.
bool is_type(std::string_view type, std::string_view base) {
  if (type.size() < base.size() || !iequals(type.substr(0, base.size()), base)) return false;
  return type.size() == base.size() || type[base.size()] == '+' || type[base.size()] == ';' ||
         type[base.size()] == ' ';
}

// "+proto" of "application/grpc-web+proto; charset=utf-8".
std::string_view format_of(std::string_view type) {
  const size_t plus = type.find('+');
  if (plus == type.npos) return {};
  return type.substr(plus, type.find_first_of("; \t", plus) - plus);
}

}  // namespace

GrpcWeb grpc_web_kind(std::string_view content_type) {
  if (is_type(content_type, kBinaryType)) return GrpcWeb::kBinary;
  return is_type(content_type, kTextType) ? GrpcWeb::kText : GrpcWeb::kNone;
}

std::string_view to_grpc_type(std::string_view web_type, base::Arena& arena) {
  return arena.concat({kGrpcType, format_of(web_type)});
}

std::string_view to_grpc_web_type(GrpcWeb kind, std::string_view grpc_type, base::Arena& arena) {
  return arena.concat({kind == GrpcWeb::kText ? kTextType : kBinaryType, format_of(grpc_type)});
}

std::string_view grpc_web_trailers(const HeaderList& trailers, base::Arena& arena) {
  size_t size = 0;
  for (const Header& field : trailers) size += field.name.size() + field.value.size() + 3;
  char* const frame = static_cast<char*>(arena.allocate(5 + size));
  frame[0] = static_cast<char>(0x80);
  for (size_t i = 0; i < 4; ++i) frame[1 + i] = static_cast<char>(size >> (24 - 8 * i) & 0xffU);
  char* at = frame + 5;
  for (const Header& field : trailers) {
    // Clients compare names byte by byte; HTTP/1 origins may write them in any case.
    for (char c : field.name) *at++ = to_lower(c);
    *at++ = ':';
    if (!field.value.empty()) std::memcpy(at, field.value.data(), field.value.size());
    at += field.value.size();
    *at++ = '\r';
    *at++ = '\n';
  }
  return {frame, 5 + size};
}

bool Base64Decoder::take(char c, char*& to) {
  if (c == '=') {
    // Two digits at least stand before padding.
    if (count_ < 2) return false;
    ++padding_;
  } else {
    const uint8_t digit = kDigitTable[static_cast<uint8_t>(c)];
    if (digit == kNoDigit || padding_ > 0) return false;
    bits_ |= static_cast<uint32_t>(digit) << (18U - 6U * count_);
  }
  if (++count_ < 4) return true;
  for (unsigned i = 0; i < 3U - padding_; ++i) {
    *to++ = static_cast<char>(bits_ >> (16U - 8U * i) & 0xffU);
  }
  bits_ = 0;
  count_ = padding_ = 0;
  return true;
}

std::optional<std::string_view> Base64Decoder::next(std::string_view in, std::span<char> out) {
  char* to = out.data();
  for (char c : in) {
    if (!take(c, to)) return std::nullopt;
  }
  return std::string_view{out.data(), static_cast<size_t>(to - out.data())};
}

std::string_view base64_encode(std::string_view in, std::span<char> out) {
  char* to = out.data();
  const auto byte = [&in](size_t i) {
    return i < in.size() ? static_cast<uint32_t>(static_cast<uint8_t>(in[i])) : 0U;
  };
  for (size_t at = 0; at < in.size(); at += 3) {
    const uint32_t bits = byte(at) << 16U | byte(at + 1) << 8U | byte(at + 2);
    *to++ = kDigits[bits >> 18U];
    *to++ = kDigits[bits >> 12U & 63U];
    *to++ = at + 1 < in.size() ? kDigits[bits >> 6U & 63U] : '=';
    *to++ = at + 2 < in.size() ? kDigits[bits & 63U] : '=';
  }
  return {out.data(), static_cast<size_t>(to - out.data())};
}

}  // namespace weir::http
