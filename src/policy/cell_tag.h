// SPDX-License-Identifier: Apache-2.0
// The text of a tag, which names the home cell of a request: plain ("c1"), or signed
// ("c1:EPOCH:EXPIRY:KEY:MAC") over cell, tenant, epoch and expiry. The tenant is not in the text:
// who presents another's tag presents one that does not verify. Text only: who holds the keys
// computes the MAC. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace weir::policy {

/// Why a tag that came is as good as none.
enum class TagFault : std::uint8_t {
  kUntrusted,  ///< Nobody's, or not this peer's, is believed.
  kTooLong,
  kMalformed,    ///< Also: told twice in different words, or not signed where it must be.
  kUnknownCell,  ///< It names no cell of the config.
  kUnknownKey,   ///< Signed with a key that is not in the file (any more).
  kForged,       ///< The signature is not over this: made up, or another tenant's.
  kExpired,
  kStale,  ///< Older than the epoch of the tenant's pin: he has moved.
  kCount
};
std::string_view fault_word(TagFault fault);

/// What came of the tag in an answer of those who may give clients a new home.
enum class Reassignment : std::uint8_t {
  kTaken,
  kMalformed,
  kUnknownCell,
  kNotBelieved,  ///< Signed, but not as it should be, or before the tenant was pinned anew.
  kClosed,       ///< The cell takes no new homes.
  kGuest,        ///< It serves the request in place of its home, which stays the home.
  kCount
};
std::string_view reassignment_word(Reassignment outcome);

struct CellTag {
  static constexpr std::size_t kMaxBytes = 256;
  static constexpr std::size_t kMacBytes = 16;  ///< Of HMAC-SHA-256, cut (RFC 2104, 5).
  static constexpr std::size_t kMaxKeyId = 16;

  std::string_view cell;
  std::uint64_t epoch = 0;
  std::int64_t expires = 0;  ///< Seconds since 1970.
  std::string_view key;      ///< Empty: not signed.
  std::string_view mac;      ///< 32 hexadecimal digits, lower case.

  bool is_signed() const { return !key.empty(); }
};

/// kTooLong or kMalformed. What it returns are views into `text`.
std::expected<CellTag, TagFault> parse_cell_tag(std::string_view text);

/// What the MAC is over; returns its part of `room`. Requires: room for kSignedRoom bytes, a cell
/// of at most 128 and a tenant of at most 256.
inline constexpr std::size_t kSignedRoom = 512;
std::string_view signed_bytes(const CellTag& tag, std::string_view tenant, std::span<char> room);

/// The text of a signed tag; returns its part of `room`, of kMaxBytes.
std::string_view write_cell_tag(const CellTag& tag, std::span<char> room);

/// Lower-case digits of kMacBytes bytes, into `room` of twice as many.
std::string_view mac_text(std::span<const std::uint8_t> mac, std::span<char> room);
/// In time that does not depend on where they differ.
bool same_mac(std::string_view a, std::string_view b);

/// A key's name: 1 to kMaxKeyId letters, digits, '_' and '-'.
bool is_key_id(std::string_view id);

}  // namespace weir::policy
