// SPDX-License-Identifier: Apache-2.0
// gRPC-Web (PROTOCOL-WEB.md), which browsers speak because they see no trailers, to and from gRPC.
// The frames of messages are the same; only the content type, the text variant's base64 and the
// place of the trailers differ: they are a last frame of the body, marked by 0x80. Coders work on
// pieces that may be cut anywhere, into memory of the caller's. One thread.
#pragma once

#include <weir/message.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"

namespace weir::http {

enum class GrpcWeb : uint8_t { kNone, kBinary, kText };

/// By content-type: "application/grpc-web" and "application/grpc-web-text", with "+proto" or not.
GrpcWeb grpc_web_kind(std::string_view content_type);
/// The gRPC content type for a gRPC-Web one: the message format ("+proto") is kept.
std::string_view to_grpc_type(std::string_view web_type, base::Arena& arena);
/// The gRPC-Web content type for a gRPC one.
std::string_view to_grpc_web_type(GrpcWeb kind, std::string_view grpc_type, base::Arena& arena);

/// The trailers as the last frame of a gRPC-Web body, not yet base64.
std::string_view grpc_web_trailers(const HeaderList& trailers, base::Arena& arena);

/// Base64 of a body that comes in pieces. Padding may stand wherever the sender flushed, not only
/// at the end.
class Base64Decoder {
 public:
  /// Decodes `in` into `out` and returns what was written; nullopt if it is not base64. Requires:
  /// out.size() >= room_for(in.size()).
  std::optional<std::string_view> next(std::string_view in, std::span<char> out);
  /// Whether the body may end here: no group is incomplete.
  bool complete() const { return count_ == 0; }
  static constexpr size_t room_for(size_t bytes) { return (bytes + 3) / 4 * 3; }

 private:
  bool take(char c, char*& to);

  uint32_t bits_ = 0;
  uint8_t count_ = 0;    ///< Characters of the group so far, padding included.
  uint8_t padding_ = 0;  ///< Of these.
};

/// Each piece is padded on its own, so that no byte of a message waits for the next one.
std::string_view base64_encode(std::string_view in, std::span<char> out);
constexpr size_t base64_size(size_t bytes) { return (bytes + 2) / 3 * 4; }

}  // namespace weir::http
