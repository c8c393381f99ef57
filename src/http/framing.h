// SPDX-License-Identifier: Apache-2.0
// What the fields of a head say about its body and its connection, with every ambiguity refused
// (RFC 9112, 6.1 to 6.3 and 9.3). Internal to this folder. Pure functions, safe from every thread.
#pragma once

#include <weir/message.h>

#include <cstdint>
#include <string_view>

namespace weir::http {

/// What one walk over the fields collects. Anything ambiguous sets `problem`.
struct FramingFacts {
  bool has_length = false;
  bool chunked = false;
  uint64_t length = 0;
  const char* problem = nullptr;  ///< Static text: why the framing is refused.

  void add_content_length(std::string_view value);
  void add_transfer_encoding(std::string_view value);
  /// After all fields: rules that need them together.
  void finish(Version version);
};

/// What Connection fields say.
struct ConnectionFacts {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  bool too_many = false;  ///< More than kMaxConnectionOptions.
  uint32_t count = 0;

  void add(std::string_view value);
  /// RFC 9112, 9.3.
  bool persistent(Version version) const {
    return !close && (version == Version::kHttp11 || keep_alive);
  }
};

/// Takes the next member off a comma-separated list, without white space around it; empty members
/// are skipped (RFC 9110, 5.6.1.2). Empty: the list is over.
std::string_view next_member(std::string_view& list);

/// Whether a field name is made of token characters only; sets `underscore` if one is '_'.
bool is_field_name(std::string_view name, bool& underscore);

}  // namespace weir::http
